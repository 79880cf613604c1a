-- title: Rating drift over an item's age
-- description: The mean rating by how long the item had been in the data: steps of `days` since its first
--     rating. drift compares with the items' own means, so that it does not merely show that
--     better items stay longer.
-- param: days INTEGER = 90  -- length of a step
WITH first_dates AS (
    SELECT item_id, MIN(date) AS first_date
    FROM ratings
    GROUP BY item_id
)
SELECT
    CAST(FLOOR((ratings.date - first_dates.first_date) / $days) * $days AS INTEGER) AS from_age_days,
    COUNT(*) AS n_ratings,
    AVG(CAST(ratings.rating AS DOUBLE)) AS mean_rating,
    AVG(ratings.rating - items.mean_rating) AS drift
FROM ratings
JOIN first_dates ON ratings.item_id = first_dates.item_id
JOIN items ON ratings.item_id = items.item_id
WHERE ratings.date IS NOT NULL
GROUP BY 1
ORDER BY 1
