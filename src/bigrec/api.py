"""The toolkit from Python: a Store, its splits, their runs."""
