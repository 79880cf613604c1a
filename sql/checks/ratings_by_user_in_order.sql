-- title: ratings_by_user is in order, without duplicates
-- description: Every row of ratings_by_user has a larger (user_id, item_id) than the row before it, so no pair
--     appears twice and a lookup by user_id finds its rows in one place.
WITH neighbors AS (
    SELECT
        user_id,
        item_id,
        LAG(user_id) OVER () AS previous_user_id,
        LAG(item_id) OVER () AS previous_item_id
    FROM ratings_by_user
)
SELECT *
FROM neighbors
WHERE (SELECT has_user_order FROM manifest)
    AND (
        previous_user_id > user_id
        OR (previous_user_id = user_id AND previous_item_id >= item_id)
    )
