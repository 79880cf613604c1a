"""The bias model, with and without days: what other models start from and fall back to."""
