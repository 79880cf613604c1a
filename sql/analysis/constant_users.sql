-- title: Users who always give the same rating
-- description: Users with at least `min_ratings` ratings, all of them equal: they say nothing about taste.
-- param: min_ratings INTEGER = 20  -- users with fewer ratings are left out
-- param: top INTEGER = 50  -- how many users, most active first
SELECT user_id, COUNT(*) AS n_ratings, MIN(rating) AS rating
FROM ratings_by_user
GROUP BY user_id
HAVING COUNT(*) >= $min_ratings AND MIN(rating) = MAX(rating)
ORDER BY n_ratings DESC, user_id
LIMIT $top
