-- title: The split's counts of movies agree with its rows
-- description: n_train, n_validation and n_test of split_movies are those of the rows on each side.
-- needs: split
WITH counted AS (
    SELECT
        movie_id,
        SUM(CAST(in_train AS INTEGER)) AS n_train,
        SUM(CAST(in_validation AS INTEGER)) AS n_validation,
        SUM(CAST(in_test AS INTEGER)) AS n_test
    FROM split_rows
    GROUP BY movie_id
)
SELECT
    split_movies.movie_id,
    split_movies.n_train,
    split_movies.n_validation,
    split_movies.n_test,
    counted.n_train AS n_train_found,
    counted.n_validation AS n_validation_found,
    counted.n_test AS n_test_found
FROM split_movies
LEFT JOIN counted ON split_movies.movie_id = counted.movie_id
WHERE counted.movie_id IS NULL
    OR split_movies.n_train <> counted.n_train
    OR split_movies.n_validation <> counted.n_validation
    OR split_movies.n_test <> counted.n_test
ORDER BY split_movies.movie_id
