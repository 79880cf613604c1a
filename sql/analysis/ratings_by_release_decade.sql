-- title: Ratings by decade of release
-- description: Are old items rated higher? Items, ratings and their mean by the item's decade.
SELECT
    CAST(FLOOR(year / 10) * 10 AS INTEGER) AS decade,
    COUNT(*) AS n_items,
    SUM(n_ratings) AS n_ratings,
    SUM(n_ratings * mean_rating) / SUM(n_ratings) AS mean_rating
FROM items
WHERE year IS NOT NULL AND n_ratings > 0
GROUP BY 1
ORDER BY 1
