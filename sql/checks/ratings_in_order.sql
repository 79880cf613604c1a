-- title: ratings is in order, without duplicates
-- description: Every row of ratings has a larger (item_id, user_id) than the row before it, so no pair
--     appears twice and a lookup by item_id finds its rows in one place.
WITH neighbors AS (
    SELECT
        item_id,
        user_id,
        LAG(item_id) OVER () AS previous_item_id,
        LAG(user_id) OVER () AS previous_user_id
    FROM ratings
)
SELECT *
FROM neighbors
WHERE previous_item_id > item_id
    OR (previous_item_id = item_id AND previous_user_id >= user_id)
