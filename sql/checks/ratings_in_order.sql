-- title: ratings is in order, without duplicates
-- description: Every row of ratings has a larger (movie_id, user_id) than the row before it, so no pair
--     appears twice and a lookup by movie_id finds its rows in one place.
WITH neighbours AS (
    SELECT
        movie_id,
        user_id,
        LAG(movie_id) OVER () AS previous_movie_id,
        LAG(user_id) OVER () AS previous_user_id
    FROM ratings
)
SELECT *
FROM neighbours
WHERE previous_movie_id > movie_id
    OR (previous_movie_id = movie_id AND previous_user_id >= user_id)
