-- title: Values are in range
-- description: Ids are positive, ratings are half stars within the scale, dates lie between the
--     manifest's first and last, and nothing is NULL.
SELECT ratings.*
FROM ratings
CROSS JOIN manifest
WHERE item_id IS NULL
    OR user_id IS NULL
    OR rating IS NULL
    OR date IS NULL
    OR item_id < 1
    OR item_id > 2147483646
    OR user_id < 1
    OR user_id > 2147483646
    OR rating < min_rating
    OR rating > max_rating
    OR rating * 2 <> FLOOR(rating * 2)
    OR date < first_date
    OR date > last_date
