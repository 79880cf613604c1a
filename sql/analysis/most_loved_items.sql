-- title: Most loved items
-- description: The highest mean, damped: every item is given `damping` more ratings of the overall mean,
--     so that three raters cannot put an item on top.
-- param: damping INTEGER = 1000  -- ratings of the overall mean that every item is given
-- param: top INTEGER = 20  -- how many items
SELECT
    item_id,
    title,
    year,
    n_ratings,
    mean_rating,
    (n_ratings * mean_rating + $damping * (SELECT rating_sum / n_ratings FROM manifest))
        / (n_ratings + $damping) AS damped_mean
FROM items
WHERE n_ratings > 0
ORDER BY damped_mean DESC, item_id
LIMIT $top
