-- title: Ratings per day
-- description: How many ratings were given on each day that has any.
SELECT date, COUNT(*) AS n_ratings
FROM ratings
WHERE date IS NOT NULL
GROUP BY date
ORDER BY date
