-- title: One user's history
-- description: Everything a user rated, in order of time, beside the item's mean.
-- param: user_id USER  -- the user
SELECT date, items.item_id, title, year, rating, mean_rating, rating - mean_rating AS difference
FROM ratings_by_user
JOIN items ON ratings_by_user.item_id = items.item_id
WHERE user_id = $user_id
ORDER BY date, items.item_id
