-- title: Most rated items
-- description: The items with most ratings.
-- param: top INTEGER = 20  -- how many items
SELECT item_id, title, year, n_ratings, mean_rating
FROM items
ORDER BY n_ratings DESC, item_id
LIMIT $top
