-- title: Every movie, user and pair is listed once
-- description: movies and users have one row an id; probe and qualifying have one row a pair.
SELECT 'movies' AS listed_in, movie_id, NULL AS user_id, COUNT(*) AS n_rows
FROM movies
GROUP BY movie_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'users', NULL, user_id, COUNT(*)
FROM users
GROUP BY user_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'probe', movie_id, user_id, COUNT(*)
FROM probe
GROUP BY movie_id, user_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'qualifying', movie_id, user_id, COUNT(*)
FROM qualifying
GROUP BY movie_id, user_id
HAVING COUNT(*) > 1
