-- title: Items by title
-- description: The items whose title contains a text, whatever its case, most rated first.
-- param: text VARCHAR = the  -- what to look for
-- param: top INTEGER = 20  -- how many items
SELECT item_id, title, year, n_ratings, mean_rating
FROM items
WHERE CONTAINS(LOWER(title), LOWER($text))
ORDER BY n_ratings DESC, item_id
LIMIT $top
