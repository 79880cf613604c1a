-- title: Ratings and their mean over time
-- description: How many ratings were given and how good they were, in steps of `days` since the first
--     one. In the Netflix Prize data the mean jumps early in 2004.
-- param: days INTEGER = 7  -- length of a step
SELECT
    MIN(first_date) + CAST(FLOOR((date - first_date) / $days) * $days AS INTEGER) AS from_date,
    COUNT(*) AS n_ratings,
    AVG(CAST(rating AS DOUBLE)) AS mean_rating
FROM ratings
CROSS JOIN manifest
GROUP BY CAST(FLOOR((date - first_date) / $days) * $days AS INTEGER)
ORDER BY from_date
