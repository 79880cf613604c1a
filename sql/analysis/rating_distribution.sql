-- title: Distribution of ratings
-- description: How often each rating was given, best first, and its share of all ratings in per cent.
SELECT
    rating,
    COUNT(*) AS n_ratings,
    100.0 * COUNT(*) / SUM(COUNT(*)) OVER () AS percent
FROM ratings
GROUP BY rating
ORDER BY rating DESC
