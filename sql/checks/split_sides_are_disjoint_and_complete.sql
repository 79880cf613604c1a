-- title: Train, validation and test are disjoint and complete
-- description: Every row that the split's filters keep is on exactly one side, or is one that a warm split
--     drops.
-- needs: split
SELECT *
FROM split_rows
WHERE in_train IS NULL
    OR in_validation IS NULL
    OR in_test IS NULL
    OR is_dropped IS NULL
    OR CAST(in_train AS INTEGER) + CAST(in_validation AS INTEGER) + CAST(in_test AS INTEGER)
        + CAST(is_dropped AS INTEGER) <> 1
