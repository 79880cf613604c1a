-- title: The probe against all ratings
-- description: Is the official probe like the rest? The share of each rating among both, in per cent.
WITH probed AS (
    SELECT rating, COUNT(*) AS n_ratings
    FROM ratings
    JOIN probe ON ratings.item_id = probe.item_id AND ratings.user_id = probe.user_id
    GROUP BY rating
),
every_rating AS (
    SELECT rating, COUNT(*) AS n_ratings
    FROM ratings
    GROUP BY rating
)
SELECT
    every_rating.rating,
    every_rating.n_ratings,
    COALESCE(probed.n_ratings, 0) AS n_probe,
    100.0 * every_rating.n_ratings / SUM(every_rating.n_ratings) OVER () AS percent,
    100.0 * probed.n_ratings / SUM(probed.n_ratings) OVER () AS probe_percent
FROM every_rating
LEFT JOIN probed ON every_rating.rating = probed.rating
ORDER BY every_rating.rating DESC
