-- title: One item's ratings
-- description: How often each rating was given to an item, and by how active users.
-- param: item_id ITEM  -- the item
SELECT
    rating,
    COUNT(*) AS n_ratings,
    MIN(date) AS first_date,
    MAX(date) AS last_date,
    AVG(CAST(users.n_ratings AS DOUBLE)) AS mean_ratings_of_rater
FROM ratings
JOIN users ON ratings.user_id = users.user_id
WHERE item_id = $item_id
GROUP BY rating
ORDER BY rating DESC
