-- title: Most divisive movies
-- description: The movies whose ratings spread most around their mean.
-- param: min_ratings INTEGER = 1000  -- movies with fewer ratings are left out
-- param: top INTEGER = 20  -- how many movies
WITH spread AS (
    SELECT movie_id, STDDEV_POP(CAST(rating AS DOUBLE)) AS standard_deviation
    FROM ratings
    GROUP BY movie_id
)
SELECT movies.movie_id, title, year, n_ratings, mean_rating, standard_deviation
FROM movies
JOIN spread ON movies.movie_id = spread.movie_id
WHERE n_ratings >= $min_ratings
ORDER BY standard_deviation DESC, movies.movie_id
LIMIT $top
