-- title: Every rating has its movie and its user
-- description: No rating, in either sort order, names a movie or a user that the tables lack.
WITH rated AS (
    SELECT 'movie' AS what, movie_id AS id, COUNT(*) AS n_ratings FROM ratings GROUP BY movie_id
    UNION ALL
    SELECT 'user', user_id, COUNT(*) FROM ratings_by_user GROUP BY user_id
),
known AS (
    SELECT 'movie' AS what, movie_id AS id FROM movies
    UNION ALL
    SELECT 'user', user_id FROM users
)
SELECT rated.what, rated.id, rated.n_ratings
FROM rated
LEFT JOIN known ON rated.what = known.what AND rated.id = known.id
WHERE known.id IS NULL
ORDER BY rated.what, rated.id
