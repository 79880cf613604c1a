-- title: Counts agree with the manifest
-- description: The manifest's counts, sum of ratings and dates are those of the tables.
WITH found AS (
    SELECT 'ratings' AS what, CAST(COUNT(*) AS DOUBLE) AS n FROM ratings
    UNION ALL
    SELECT 'ratings_by_user', CAST(COUNT(*) AS DOUBLE) FROM ratings_by_user
    UNION ALL
    SELECT 'users', CAST(COUNT(*) AS DOUBLE) FROM users
    UNION ALL
    SELECT 'items', CAST(COUNT(*) AS DOUBLE) FROM items
    UNION ALL
    SELECT 'probe', CAST(COUNT(*) AS DOUBLE) FROM probe
    UNION ALL
    SELECT 'qualifying', CAST(COUNT(*) AS DOUBLE) FROM qualifying
    UNION ALL
    SELECT 'sum of ratings', SUM(CAST(rating AS DOUBLE)) FROM ratings
    UNION ALL
    SELECT 'first date', CAST(MIN(first_date) - DATE '1970-01-01' AS DOUBLE) FROM users
    UNION ALL
    SELECT 'last date', CAST(MAX(last_date) - DATE '1970-01-01' AS DOUBLE) FROM users
),
expected AS (
    SELECT 'ratings' AS what, CAST(n_ratings AS DOUBLE) AS n FROM manifest
    UNION ALL
    SELECT 'ratings_by_user', CAST(n_ratings AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'users', CAST(n_users AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'items', CAST(n_items AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'probe', CAST(COALESCE(n_probe, 0) AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'qualifying', CAST(COALESCE(n_qualifying, 0) AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'sum of ratings', rating_sum FROM manifest
    UNION ALL
    SELECT 'first date', CAST(first_date - DATE '1970-01-01' AS DOUBLE) FROM manifest
    UNION ALL
    SELECT 'last date', CAST(last_date - DATE '1970-01-01' AS DOUBLE) FROM manifest
)
SELECT expected.what, expected.n AS in_manifest, found.n AS in_store
FROM expected
JOIN found ON expected.what = found.what
CROSS JOIN manifest
WHERE (found.n IS NULL) <> (expected.n IS NULL)
    OR (expected.what <> 'sum of ratings' AND expected.n <> found.n)
    -- Floating point: the order of adding matters a little.
    OR ABS(expected.n - found.n)
        > 1e-11 * n_ratings * GREATEST(ABS(min_rating), ABS(max_rating))
ORDER BY expected.what
