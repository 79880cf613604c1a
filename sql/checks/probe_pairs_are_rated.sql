-- title: Every probe pair is rated
-- description: The official probe is a part of the training ratings.
SELECT item_id, user_id
FROM probe
WHERE NOT EXISTS (
    SELECT 1
    FROM ratings
    WHERE ratings.item_id = probe.item_id AND ratings.user_id = probe.user_id
)
ORDER BY item_id, user_id
