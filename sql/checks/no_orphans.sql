-- title: Every rating has its item and its user
-- description: No rating, in either sort order, names an item or a user that the tables lack.
WITH rated AS (
    SELECT 'item' AS what, item_id AS id, COUNT(*) AS n_ratings FROM ratings GROUP BY item_id
    UNION ALL
    SELECT 'user', user_id, COUNT(*) FROM ratings_by_user GROUP BY user_id
),
known AS (
    SELECT 'item' AS what, item_id AS id FROM items
    UNION ALL
    SELECT 'user', user_id FROM users
)
SELECT rated.what, rated.id, rated.n_ratings
FROM rated
LEFT JOIN known ON rated.what = known.what AND rated.id = known.id
WHERE known.id IS NULL
ORDER BY rated.what, rated.id
