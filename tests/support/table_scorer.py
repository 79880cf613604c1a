"""A scorer whose scores are given, for tests of what uses scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.scoring import Scorer
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]


class TableScorer(Scorer):
    """Scores from a table: (n_users, n_items) float32."""

    def __init__(self, table: Array, rows: Rows, spec: DataSpec) -> None:
        super().__init__(rows, spec, fit_biases(rows, spec))
        self.table = table

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        return np.asarray(self.table[user_index, item_index])

    def score_users(self, users: Array) -> Array:
        return np.asarray(self.table[users])
