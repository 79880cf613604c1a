-- title: Most divisive items
-- description: The items whose ratings spread most around their mean.
-- param: min_ratings INTEGER = 1000  -- items with fewer ratings are left out
-- param: top INTEGER = 20  -- how many items
WITH spread AS (
    SELECT item_id, STDDEV_POP(CAST(rating AS DOUBLE)) AS standard_deviation
    FROM ratings
    GROUP BY item_id
)
SELECT items.item_id, title, year, n_ratings, mean_rating, standard_deviation
FROM items
JOIN spread ON items.item_id = spread.item_id
WHERE n_ratings >= $min_ratings
ORDER BY standard_deviation DESC, items.item_id
LIMIT $top
