-- title: Train, validation and test are disjoint, complete and as counted
-- description: Every row that the split's filters keep is in exactly one subset, or is one that a warm split
--     drops, and the rows of each user and item in each subset are as many as the split says. One scan.
-- needs: split
WITH counted AS (
    SELECT
        user_id,
        item_id,
        SUM(CAST(in_train AS INTEGER)) AS n_train,
        SUM(CAST(in_validation AS INTEGER)) AS n_validation,
        SUM(CAST(in_test AS INTEGER)) AS n_test,
        COUNT(*) - SUM(
            CASE
                WHEN CAST(in_train AS INTEGER) + CAST(in_validation AS INTEGER)
                    + CAST(in_test AS INTEGER) + CAST(is_dropped AS INTEGER) = 1
                    THEN 1
                ELSE 0
            END
        ) AS n_not_on_one_subset
    FROM split_rows
    GROUP BY GROUPING SETS ((user_id), (item_id))
),
stated AS (
    SELECT user_id, CAST(NULL AS INTEGER) AS item_id, n_train, n_validation, n_test
    FROM split_users
    UNION ALL
    SELECT CAST(NULL AS INTEGER), item_id, n_train, n_validation, n_test
    FROM split_items
)
SELECT
    stated.*,
    counted.n_train AS n_train_found,
    counted.n_validation AS n_validation_found,
    counted.n_test AS n_test_found,
    counted.n_not_on_one_subset
FROM stated
LEFT JOIN counted
    ON COALESCE(stated.user_id, 0) = COALESCE(counted.user_id, 0)
    AND COALESCE(stated.item_id, 0) = COALESCE(counted.item_id, 0)
WHERE counted.n_not_on_one_subset IS NULL
    OR counted.n_not_on_one_subset > 0
    OR stated.n_train <> counted.n_train
    OR stated.n_validation <> counted.n_validation
    OR stated.n_test <> counted.n_test
ORDER BY stated.user_id, stated.item_id
