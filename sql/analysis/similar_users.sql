-- title: Users with the taste of one user
-- description: Who rated the same items alike? Users with at least `min_together` items in common, by
--     the mean absolute difference of their ratings.
-- param: user_id USER  -- the user
-- param: min_together INTEGER = 20  -- items in common
-- param: top INTEGER = 20  -- how many users
WITH own AS (
    SELECT item_id, rating FROM ratings_by_user WHERE user_id = $user_id
)
SELECT
    ratings.user_id,
    COUNT(*) AS n_together,
    AVG(CAST(ABS(ratings.rating - own.rating) AS DOUBLE)) AS mean_difference
FROM ratings
JOIN own ON ratings.item_id = own.item_id
WHERE ratings.user_id <> $user_id
GROUP BY ratings.user_id
HAVING COUNT(*) >= $min_together
ORDER BY mean_difference, n_together DESC, ratings.user_id
LIMIT $top
