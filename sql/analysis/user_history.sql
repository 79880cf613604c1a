-- title: One user's history
-- description: Everything a user rated, in order of time, beside the movie's mean.
-- param: user_id INTEGER  -- the user
SELECT date, movies.movie_id, title, year, rating, mean_rating, rating - mean_rating AS difference
FROM ratings_by_user
JOIN movies ON ratings_by_user.movie_id = movies.movie_id
WHERE user_id = $user_id
ORDER BY date, movies.movie_id
