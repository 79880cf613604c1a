-- title: Distribution of ratings in each year
-- description: Did people become kinder? The share of each rating among those of its year, in per cent.
SELECT
    YEAR(date) AS year,
    rating,
    COUNT(*) AS n_ratings,
    100.0 * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY YEAR(date)) AS percent
FROM ratings
WHERE date IS NOT NULL
GROUP BY YEAR(date), rating
ORDER BY year, rating
