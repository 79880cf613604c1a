"""What a model must beat in the same test subset: the global mean, item means, the bias model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bigrec.models.baseline.bias import Biases
from bigrec.rows import DataSpec, Rows

_ROWS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Baseline:
    """One baseline in a test subset."""

    name: str
    """global-mean, item-mean or bias."""
    test: Mapping[str, float]
    """Measures by name: rmse and mae."""


def measure_baselines(test: Rows, spec: DataSpec, biases: Biases) -> list[Baseline]:
    """Measure the three baselines in one pass over the test subset.

    Args:
        test: the test subset.
        spec: sizes and scale.
        biases: the bias model of the train subset.
    """
    names = ("global-mean", "item-mean", "bias")
    squares, absolutes = np.zeros(3), np.zeros(3)
    for user_index, item_index, rating, _ in test.pair_chunks(_ROWS_AT_ONCE):
        scores = np.stack(
            [
                np.full(len(rating), spec.mean_rating, np.float32),
                biases.item_mean[item_index],
                biases.score_pairs(user_index, item_index),
            ]
        )  # (3, n)
        difference = spec.clip(scores).astype(np.float64) - rating
        squares += np.square(difference).sum(axis=1)
        absolutes += np.abs(difference).sum(axis=1)
    n = test.n_ratings
    return [
        Baseline(name, {"rmse": math.sqrt(square / n), "mae": absolute / n})
        for name, square, absolute in zip(names, squares.tolist(), absolutes.tolist(), strict=True)
    ]
