-- title: Movies by year of release
-- description: How many movies of the store came out in each year. Movies without a year are left out.
SELECT year, COUNT(*) AS n_movies
FROM movies
WHERE year IS NOT NULL
GROUP BY year
ORDER BY year
