-- title: Long tail of items
-- description: The share of all ratings that the most active part of the items holds, by groups of equal
--     size from the top down. An even spread would make both percentages equal.
-- param: n_groups INTEGER = 10  -- into how many groups the items are cut
WITH ranked AS (
    SELECT
        n_ratings,
        NTILE($n_groups) OVER (ORDER BY n_ratings DESC, item_id) AS place
    FROM items
    WHERE n_ratings > 0
)
SELECT
    100.0 * place / $n_groups AS top_percent,
    COUNT(*) AS n_items,
    MIN(n_ratings) AS least_ratings,
    MAX(n_ratings) AS most_ratings,
    100.0 * SUM(SUM(n_ratings)) OVER (ORDER BY place) / SUM(SUM(n_ratings)) OVER ()
        AS percent_of_ratings_so_far
FROM ranked
GROUP BY place
ORDER BY place
