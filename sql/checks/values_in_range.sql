-- title: Values are in range
-- description: Ids are positive, ratings are of the scale, dates lie between the manifest's first and
--     last, and nothing is NULL.
SELECT ratings.*
FROM ratings
CROSS JOIN manifest
LEFT JOIN scale ON ratings.rating = scale.rating
WHERE item_id IS NULL
    OR user_id IS NULL
    OR ratings.rating IS NULL
    OR (date IS NULL AND time_unit <> 'none')
    OR item_id < 1
    OR item_id > 2147483646
    OR user_id < 1
    OR user_id > 2147483646
    OR scale.rating IS NULL
    OR date < first_date
    OR date > last_date
