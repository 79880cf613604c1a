-- title: Movies by title
-- description: The movies whose title contains a text, whatever its case, most rated first.
-- param: text VARCHAR = the  -- what to look for
-- param: top INTEGER = 20  -- how many movies
SELECT movie_id, title, year, n_ratings, mean_rating
FROM movies
WHERE CONTAINS(LOWER(title), LOWER($text))
ORDER BY n_ratings DESC, movie_id
LIMIT $top
