-- title: Most loved movies
-- description: The highest mean, damped: every movie is given `damping` more ratings of the overall mean,
--     so that three raters cannot put a movie on top.
-- param: damping INTEGER = 1000  -- ratings of the overall mean that every movie is given
-- param: top INTEGER = 20  -- how many movies
SELECT
    movie_id,
    title,
    year,
    n_ratings,
    mean_rating,
    (n_ratings * mean_rating + $damping * (SELECT rating_sum / n_ratings FROM manifest))
        / (n_ratings + $damping) AS damped_mean
FROM movies
WHERE n_ratings > 0
ORDER BY damped_mean DESC, movie_id
LIMIT $top
