-- title: Users with most ratings in one day
-- description: Bursts: people rating from memory, imports, or robots.
-- param: min_ratings INTEGER = 100  -- ratings in one day from which on it is a burst
-- param: top INTEGER = 50  -- how many bursts, largest first
SELECT
    user_id,
    date,
    COUNT(*) AS n_ratings,
    AVG(CAST(rating AS DOUBLE)) AS mean_rating
FROM ratings_by_user
WHERE date IS NOT NULL
GROUP BY user_id, date
HAVING COUNT(*) >= $min_ratings
ORDER BY n_ratings DESC, user_id, date
LIMIT $top
