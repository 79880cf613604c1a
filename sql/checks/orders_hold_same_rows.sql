-- title: Both sort orders hold the same rows
-- description: Sums that do not depend on order, exact in integers, over products of columns (stars and
--     day packed into one number): a row that is missing, added or changed in one of the two copies
--     changes at least one of them.
WITH by_item AS (
    SELECT
        COUNT(*) AS n_rows,
        SUM(CAST(item_id AS BIGINT) * user_id) AS item_user,
        SUM(item_id * stars_and_day) AS item_stars_day,
        SUM(user_id * stars_and_day) AS user_stars_day
    FROM (
        SELECT
            item_id,
            user_id,
            CAST(rating * 2 AS BIGINT) * 65536 + (date - DATE '1970-01-01') AS stars_and_day
        FROM ratings
    ) AS packed
),
by_user AS (
    SELECT
        COUNT(*) AS n_rows,
        SUM(CAST(item_id AS BIGINT) * user_id) AS item_user,
        SUM(item_id * stars_and_day) AS item_stars_day,
        SUM(user_id * stars_and_day) AS user_stars_day
    FROM (
        SELECT
            item_id,
            user_id,
            CAST(rating * 2 AS BIGINT) * 65536 + (date - DATE '1970-01-01') AS stars_and_day
        FROM ratings_by_user
    ) AS packed
),
both_orders AS (
    SELECT 'ratings' AS stored_as, * FROM by_item
    UNION ALL
    SELECT 'ratings_by_user' AS stored_as, * FROM by_user
)
SELECT *
FROM both_orders
WHERE (SELECT COUNT(*) FROM (SELECT * FROM by_item UNION SELECT * FROM by_user) AS sums) > 1
ORDER BY stored_as
