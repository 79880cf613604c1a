"""Ratings drawn at random, as rows of users."""

from __future__ import annotations

import numpy as np

from bigrec.rows import DataSpec, Rows


def make_rows(seed: int, n_users: int, n_items: int, density: float) -> tuple[Rows, DataSpec]:
    """Whole stars of some users, each of whom has at least one."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n_users, n_items)) < density
    rated[np.arange(n_users), rng.integers(0, n_items, n_users)] = True  # nobody is empty
    user, item = np.nonzero(rated)
    rating = rng.integers(1, 6, len(user)).astype(np.float32)
    indptr = np.concatenate(([0], np.cumsum(rated.sum(axis=1))))
    rows = Rows(indptr, item.astype(np.int32), rating)
    return rows, DataSpec(n_users, n_items, float(rating.mean()), 1.0, 5.0)
