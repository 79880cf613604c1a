-- title: Ratings by day of the week
-- description: When people rate, and whether it changes what they give; 0 is Monday.
SELECT
    (date - DATE '1920-12-27') % 7 AS weekday,
    COUNT(*) AS n_ratings,
    AVG(CAST(rating AS DOUBLE)) AS mean_rating
FROM ratings
WHERE date IS NOT NULL
GROUP BY 1
ORDER BY 1
