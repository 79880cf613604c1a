-- title: Most rated movies
-- description: The movies with most ratings.
-- param: top INTEGER = 20  -- how many movies
SELECT movie_id, title, year, n_ratings, mean_rating
FROM movies
ORDER BY n_ratings DESC, movie_id
LIMIT $top
