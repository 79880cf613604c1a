"""Filters and train/test splits: described, counted, read lazily, materialized for training."""
