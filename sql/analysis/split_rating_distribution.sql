-- title: Ratings in both subsets of a split
-- description: Is the test subset like the train subset? The share of each rating on both, in per cent.
-- needs: split
WITH counted AS (
    SELECT
        rating,
        SUM(CAST(in_train AS INTEGER)) AS n_train,
        SUM(CAST(in_test AS INTEGER)) AS n_test
    FROM split_rows
    GROUP BY rating
)
SELECT
    rating,
    n_train,
    n_test,
    100.0 * n_train / SUM(n_train) OVER () AS train_percent,
    100.0 * n_test / SUM(n_test) OVER () AS test_percent
FROM counted
ORDER BY rating DESC
