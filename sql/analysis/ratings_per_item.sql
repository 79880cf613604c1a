-- title: Histogram of ratings per item
-- description: How many items have so many ratings, in bins from `from_n_ratings` on. Larger counts are
--     put into the last bin; n_clipped says how many items of a bin really have more.
-- param: clip INTEGER = 18000  -- counts above this are put at it
-- param: width INTEGER = 100  -- of a bin
SELECT
    CAST(FLOOR(LEAST(n_ratings, $clip) / $width) * $width AS INTEGER) AS from_n_ratings,
    COUNT(*) AS n_items,
    COUNT(CASE WHEN n_ratings > $clip THEN 1 END) AS n_clipped
FROM items
WHERE n_ratings > 0
GROUP BY 1
ORDER BY 1
