-- title: The split's totals agree with its counts
-- description: The numbers of rows, users and items that the split states are those of its tables.
-- needs: split
WITH by_user AS (
    SELECT
        SUM(n_train) AS n_train,
        SUM(n_validation) AS n_validation,
        SUM(n_test) AS n_test,
        COUNT(*) AS n_ids
    FROM split_users
),
by_item AS (
    SELECT
        SUM(n_train) AS n_train,
        SUM(n_validation) AS n_validation,
        SUM(n_test) AS n_test,
        COUNT(*) AS n_ids
    FROM split_items
)
SELECT split.*, by_user.*, by_item.*
FROM split
CROSS JOIN by_user
CROSS JOIN by_item
WHERE split.n_train <> by_user.n_train
    OR split.n_train <> by_item.n_train
    OR split.n_validation <> by_user.n_validation
    OR split.n_validation <> by_item.n_validation
    OR split.n_test <> by_user.n_test
    OR split.n_test <> by_item.n_test
    OR split.n_users <> by_user.n_ids
    OR split.n_items <> by_item.n_ids
