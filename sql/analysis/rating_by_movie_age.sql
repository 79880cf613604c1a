-- title: Rating drift over a movie's age
-- description: The mean rating by how long the movie had been in the data: steps of `days` since its first
--     rating. drift compares with the movies' own means, so that it does not merely show that
--     better movies stay longer.
-- param: days INTEGER = 90  -- length of a step
WITH first_dates AS (
    SELECT movie_id, MIN(date) AS first_date
    FROM ratings
    GROUP BY movie_id
)
SELECT
    CAST(FLOOR((ratings.date - first_dates.first_date) / $days) * $days AS INTEGER) AS from_age_days,
    COUNT(*) AS n_ratings,
    AVG(CAST(ratings.rating AS DOUBLE)) AS mean_rating,
    AVG(ratings.rating - movies.mean_rating) AS drift
FROM ratings
JOIN first_dates ON ratings.movie_id = first_dates.movie_id
JOIN movies ON ratings.movie_id = movies.movie_id
GROUP BY 1
ORDER BY 1
