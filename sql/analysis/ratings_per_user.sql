-- title: Histogram of ratings per user
-- description: How many users have given so many ratings, in bins from `from_n_ratings` on. Larger counts
--     are put into the last bin; n_clipped says how many users of a bin really have more.
-- param: clip INTEGER = 300  -- counts above this are put at it
-- param: width INTEGER = 2  -- of a bin
SELECT
    CAST(FLOOR(LEAST(n_ratings, $clip) / $width) * $width AS INTEGER) AS from_n_ratings,
    COUNT(*) AS n_users,
    COUNT(CASE WHEN n_ratings > $clip THEN 1 END) AS n_clipped
FROM users
GROUP BY 1
ORDER BY 1
