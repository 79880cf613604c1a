"""Any table of ratings: delimited text, JSON lines, Parquet, Arrow; by form or as a named set."""
