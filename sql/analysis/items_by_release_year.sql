-- title: Items by year of release
-- description: How many items of the store came out in each year. Items without a year are left out.
SELECT year, COUNT(*) AS n_items
FROM items
WHERE year IS NOT NULL
GROUP BY year
ORDER BY year
