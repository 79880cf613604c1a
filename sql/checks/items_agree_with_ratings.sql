-- title: Counts and means of items agree with their ratings
-- description: items.n_ratings and mean_rating are those of the ratings, for every item.
WITH counted AS (
    SELECT item_id, COUNT(*) AS n_ratings, SUM(CAST(rating AS DOUBLE)) AS rating_sum
    FROM ratings
    GROUP BY item_id
)
SELECT
    items.item_id,
    items.n_ratings,
    COALESCE(counted.n_ratings, 0) AS n_ratings_found,
    items.mean_rating,
    counted.rating_sum / counted.n_ratings AS mean_rating_found
FROM items
LEFT JOIN counted ON items.item_id = counted.item_id
WHERE items.n_ratings <> COALESCE(counted.n_ratings, 0)
    OR (counted.n_ratings IS NULL) <> (items.mean_rating IS NULL)
    OR ABS(items.mean_rating - counted.rating_sum / counted.n_ratings)
        > 1e-9 * (1 + ABS(items.mean_rating))
ORDER BY items.item_id
