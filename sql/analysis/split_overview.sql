-- title: What a split holds
-- description: Rows of each subset, and how much of the test subset is cold: its user or item has no train row.
-- needs: split
WITH cold AS (
    SELECT
        COUNT(CASE WHEN split_users.n_train = 0 THEN 1 END) AS n_test_of_cold_users,
        COUNT(CASE WHEN split_items.n_train = 0 THEN 1 END) AS n_test_of_cold_items
    FROM test
    JOIN split_users ON test.user_id = split_users.user_id
    JOIN split_items ON test.item_id = split_items.item_id
)
SELECT
    split.name,
    split.protocol,
    split.n_train,
    split.n_validation,
    split.n_test,
    split.n_users,
    split.n_items,
    split.n_dropped,
    (SELECT COUNT(*) FROM split_users WHERE n_train = 0) AS n_cold_users,
    (SELECT COUNT(*) FROM split_items WHERE n_train = 0) AS n_cold_items,
    cold.*
FROM split
CROSS JOIN cold
