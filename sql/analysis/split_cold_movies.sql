-- title: Cold movies in a split
-- description: Movies with test rows but hardly any train rows: what is predicted for them is a guess.
-- param: max_train INTEGER = 5  -- train rows up to which a movie is cold
-- param: top INTEGER = 50  -- how many movies, those with most test rows first
-- needs: split
SELECT split_movies.movie_id, title, year, n_train, n_test
FROM split_movies
JOIN movies ON split_movies.movie_id = movies.movie_id
WHERE n_train <= $max_train AND n_test > 0
ORDER BY n_test DESC, split_movies.movie_id
LIMIT $top
