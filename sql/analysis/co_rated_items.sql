-- title: Items rated together with one item
-- description: Which items do its raters rate more often than all users do? lift is the share of its
--     raters who rated the other item over the share of all users who did; 1 means no connection.
-- param: item_id ITEM  -- the item
-- param: min_ratings INTEGER = 100  -- items with fewer ratings are left out
-- param: top INTEGER = 20  -- how many items
WITH raters AS (
    SELECT user_id FROM ratings WHERE item_id = $item_id
),
together AS (
    SELECT item_id, COUNT(*) AS n_together
    FROM ratings
    WHERE user_id IN (SELECT user_id FROM raters) AND item_id <> $item_id
    GROUP BY item_id
)
SELECT
    items.item_id,
    title,
    year,
    n_ratings,
    n_together,
    (CAST(n_together AS DOUBLE) / (SELECT COUNT(*) FROM raters))
        / (CAST(n_ratings AS DOUBLE) / (SELECT COUNT(*) FROM users)) AS lift
FROM together
JOIN items ON together.item_id = items.item_id
WHERE n_ratings >= $min_ratings
ORDER BY lift DESC, items.item_id
LIMIT $top
