-- title: Counts, means and dates of users agree with their ratings
-- description: n_ratings, mean_rating, first_date and last_date of users are those of the ratings.
WITH counted AS (
    SELECT
        user_id,
        COUNT(*) AS n_ratings,
        SUM(CAST(rating AS DOUBLE)) AS rating_sum,
        MIN(date) AS first_date,
        MAX(date) AS last_date
    FROM ratings_by_user
    GROUP BY user_id
)
SELECT
    users.*,
    counted.n_ratings AS n_ratings_found,
    counted.rating_sum / counted.n_ratings AS mean_rating_found,
    counted.first_date AS first_date_found,
    counted.last_date AS last_date_found
FROM users
LEFT JOIN counted ON users.user_id = counted.user_id
WHERE counted.user_id IS NULL
    OR users.n_ratings <> counted.n_ratings
    OR users.first_date <> counted.first_date
    OR users.last_date <> counted.last_date
    OR users.mean_rating IS NULL
    OR ABS(users.mean_rating - counted.rating_sum / counted.n_ratings)
        > 1e-9 * (1 + ABS(users.mean_rating))
ORDER BY users.user_id
