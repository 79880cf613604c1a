-- title: What a split holds
-- description: Rows of each side, and how much of the test side is cold: its user or movie has no train row.
-- needs: split
WITH cold AS (
    SELECT
        COUNT(CASE WHEN split_users.n_train = 0 THEN 1 END) AS n_test_of_cold_users,
        COUNT(CASE WHEN split_movies.n_train = 0 THEN 1 END) AS n_test_of_cold_movies
    FROM test
    JOIN split_users ON test.user_id = split_users.user_id
    JOIN split_movies ON test.movie_id = split_movies.movie_id
)
SELECT
    split.*,
    (SELECT COUNT(*) FROM split_users WHERE n_train = 0) AS n_cold_users,
    (SELECT COUNT(*) FROM split_movies WHERE n_train = 0) AS n_cold_movies,
    cold.*
FROM split
CROSS JOIN cold
