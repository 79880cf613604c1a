"""SQL over a store: named queries, a locked-down DuckDB session, results in several formats."""
