"""Where paths and budgets come from: flags, BIGREC_* variables, bigrec.toml, defaults."""
