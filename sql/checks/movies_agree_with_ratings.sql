-- title: Counts and means of movies agree with their ratings
-- description: movies.n_ratings and mean_rating are those of the ratings, for every movie.
WITH counted AS (
    SELECT movie_id, COUNT(*) AS n_ratings, SUM(CAST(rating AS DOUBLE)) AS rating_sum
    FROM ratings
    GROUP BY movie_id
)
SELECT
    movies.movie_id,
    movies.n_ratings,
    COALESCE(counted.n_ratings, 0) AS n_ratings_found,
    movies.mean_rating,
    counted.rating_sum / counted.n_ratings AS mean_rating_found
FROM movies
LEFT JOIN counted ON movies.movie_id = counted.movie_id
WHERE movies.n_ratings <> COALESCE(counted.n_ratings, 0)
    OR (counted.n_ratings IS NULL) <> (movies.mean_rating IS NULL)
    OR ABS(movies.mean_rating - counted.rating_sum / counted.n_ratings) > 1e-9
ORDER BY movies.movie_id
