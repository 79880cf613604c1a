-- title: Density of the rating matrix
-- description: How many of all pairs of a rated item and a user hold a rating, and the mean counts.
SELECT
    n_ratings,
    n_users,
    n_rated_items,
    100.0 * n_ratings / (CAST(n_users AS DOUBLE) * n_rated_items) AS percent_filled,
    n_ratings / CAST(n_users AS DOUBLE) AS ratings_per_user,
    n_ratings / CAST(n_rated_items AS DOUBLE) AS ratings_per_item
FROM (
    SELECT
        (SELECT SUM(n_ratings) FROM users) AS n_ratings,
        (SELECT COUNT(*) FROM users) AS n_users,
        (SELECT COUNT(*) FROM items WHERE n_ratings > 0) AS n_rated_items
) AS sizes
