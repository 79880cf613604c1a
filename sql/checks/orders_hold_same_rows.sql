-- title: Both sort orders hold the same rows
-- description: A sum of hashes of whole rows, which does not depend on their order: a row that is missing,
--     added or changed in one of the two copies changes it.
WITH by_item AS (
    SELECT COUNT(*) AS n_rows, SUM(HASH(ratings)) AS rows_hash FROM ratings
),
by_user AS (
    SELECT COUNT(*) AS n_rows, SUM(HASH(ratings_by_user)) AS rows_hash FROM ratings_by_user
)
SELECT
    by_item.n_rows AS n_rows_in_ratings,
    by_user.n_rows AS n_rows_in_ratings_by_user,
    by_item.rows_hash AS hash_of_ratings,
    by_user.rows_hash AS hash_of_ratings_by_user
FROM by_item
CROSS JOIN by_user
WHERE by_item.n_rows <> by_user.n_rows OR by_item.rows_hash <> by_user.rows_hash
