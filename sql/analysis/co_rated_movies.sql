-- title: Movies rated together with one movie
-- description: Which movies do its raters rate more often than all users do? lift is the share of its
--     raters who rated the other movie over the share of all users who did; 1 means no connection.
-- param: movie_id INTEGER = 1  -- the movie
-- param: min_ratings INTEGER = 100  -- movies with fewer ratings are left out
-- param: top INTEGER = 20  -- how many movies
WITH raters AS (
    SELECT user_id FROM ratings WHERE movie_id = $movie_id
),
together AS (
    SELECT movie_id, COUNT(*) AS n_together
    FROM ratings
    WHERE user_id IN (SELECT user_id FROM raters) AND movie_id <> $movie_id
    GROUP BY movie_id
)
SELECT
    movies.movie_id,
    title,
    year,
    n_ratings,
    n_together,
    (CAST(n_together AS DOUBLE) / (SELECT COUNT(*) FROM raters))
        / (CAST(n_ratings AS DOUBLE) / (SELECT COUNT(*) FROM users)) AS lift
FROM together
JOIN movies ON together.movie_id = movies.movie_id
WHERE n_ratings >= $min_ratings
ORDER BY lift DESC, movies.movie_id
LIMIT $top
