-- title: Ratings per year
-- description: Ratings of each year, who gave them, what they were for, and their mean.
SELECT
    YEAR(date) AS year,
    COUNT(*) AS n_ratings,
    COUNT(DISTINCT user_id) AS n_users,
    COUNT(DISTINCT item_id) AS n_items,
    AVG(CAST(rating AS DOUBLE)) AS mean_rating
FROM ratings
WHERE date IS NOT NULL
GROUP BY YEAR(date)
ORDER BY year
