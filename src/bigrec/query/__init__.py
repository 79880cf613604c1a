"""SQL over a store: a locked-down DuckDB session, the named queries of sql/, and result formats."""
