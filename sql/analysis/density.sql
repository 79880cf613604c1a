-- title: Density of the rating matrix
-- description: How many of all pairs of a rated movie and a user hold a rating, and the mean counts.
SELECT
    n_ratings,
    n_users,
    n_rated_movies,
    100.0 * n_ratings / (CAST(n_users AS DOUBLE) * n_rated_movies) AS percent_filled,
    n_ratings / CAST(n_users AS DOUBLE) AS ratings_per_user,
    n_ratings / CAST(n_rated_movies AS DOUBLE) AS ratings_per_movie
FROM (
    SELECT
        (SELECT SUM(n_ratings) FROM users) AS n_ratings,
        (SELECT COUNT(*) FROM users) AS n_users,
        (SELECT COUNT(*) FROM movies WHERE n_ratings > 0) AS n_rated_movies
) AS sizes
