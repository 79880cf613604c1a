-- title: Cold items in a split
-- description: Items with test rows but hardly any train rows: what is predicted for them is a guess.
-- param: max_train INTEGER = 5  -- train rows up to which an item is cold
-- param: top INTEGER = 50  -- how many items, those with most test rows first
-- needs: split
SELECT split_items.item_id, title, year, n_train, n_test
FROM split_items
JOIN items ON split_items.item_id = items.item_id
WHERE n_train <= $max_train AND n_test > 0
ORDER BY n_test DESC, split_items.item_id
LIMIT $top
