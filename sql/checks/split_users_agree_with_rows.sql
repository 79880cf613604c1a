-- title: The split's counts of users agree with its rows
-- description: n_train, n_validation and n_test of split_users are those of the rows on each side.
-- needs: split
WITH counted AS (
    SELECT
        user_id,
        SUM(CAST(in_train AS INTEGER)) AS n_train,
        SUM(CAST(in_validation AS INTEGER)) AS n_validation,
        SUM(CAST(in_test AS INTEGER)) AS n_test
    FROM split_rows
    GROUP BY user_id
)
SELECT
    split_users.user_id,
    split_users.n_train,
    split_users.n_validation,
    split_users.n_test,
    counted.n_train AS n_train_found,
    counted.n_validation AS n_validation_found,
    counted.n_test AS n_test_found
FROM split_users
LEFT JOIN counted ON split_users.user_id = counted.user_id
WHERE counted.user_id IS NULL
    OR split_users.n_train <> counted.n_train
    OR split_users.n_validation <> counted.n_validation
    OR split_users.n_test <> counted.n_test
ORDER BY split_users.user_id
