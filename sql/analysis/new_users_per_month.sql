-- title: New users per month
-- description: Users by the month of their first rating, and how long and how much they went on rating.
SELECT
    CAST(DATE_TRUNC('month', first_date) AS DATE) AS month,
    COUNT(*) AS n_users,
    AVG(CAST(n_ratings AS DOUBLE)) AS ratings_per_user,
    AVG(CAST(last_date - first_date AS DOUBLE)) AS days_active
FROM users
WHERE first_date IS NOT NULL
GROUP BY 1
ORDER BY 1
