-- title: Ratings and their mean over time
-- description: How many ratings were given and how good they were, in steps of `days` since the first
--     one. In the Netflix Prize data the mean jumps early in 2004.
-- param: days INTEGER = 7  -- length of a step
WITH per_day AS (
    SELECT date, COUNT(*) AS n_ratings, SUM(CAST(rating AS DOUBLE)) AS rating_sum
    FROM ratings
    WHERE date IS NOT NULL
    GROUP BY date
),
placed AS (
    SELECT
        first_date + CAST(FLOOR((date - first_date) / $days) * $days AS INTEGER) AS from_date,
        per_day.n_ratings,
        per_day.rating_sum
    FROM per_day
    CROSS JOIN manifest
)
SELECT
    from_date,
    CAST(SUM(n_ratings) AS BIGINT) AS n_ratings,
    SUM(rating_sum) / SUM(n_ratings) AS mean_rating
FROM placed
GROUP BY from_date
ORDER BY from_date
