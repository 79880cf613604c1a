-- title: Every item, user and pair is listed once
-- description: items and users have one row an id; probe and qualifying have one row a pair.
SELECT 'items' AS listed_in, item_id, NULL AS user_id, COUNT(*) AS n_rows
FROM items
GROUP BY item_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'users', NULL, user_id, COUNT(*)
FROM users
GROUP BY user_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'probe', item_id, user_id, COUNT(*)
FROM probe
GROUP BY item_id, user_id
HAVING COUNT(*) > 1
UNION ALL
SELECT 'qualifying', item_id, user_id, COUNT(*)
FROM qualifying
GROUP BY item_id, user_id
HAVING COUNT(*) > 1
