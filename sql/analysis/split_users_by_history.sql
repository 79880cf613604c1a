-- title: Users of a split by length of history
-- description: How many train ratings the users have, in bins that double, and their test rows.
-- needs: split
SELECT
    CAST(CASE WHEN n_train = 0 THEN 0 ELSE POWER(2, FLOOR(LOG2(n_train))) END AS INTEGER)
        AS from_n_train,
    COUNT(*) AS n_users,
    SUM(n_test) AS n_test
FROM split_users
GROUP BY 1
ORDER BY 1
