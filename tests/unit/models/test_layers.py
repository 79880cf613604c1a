"""Dropout's masks: the stated share, the mean kept, independent of each other."""

from __future__ import annotations

import keras
import numpy as np

from bigrec.models.layers import Dropout


def test_dropout_draws_independent_masks_and_keeps_the_mean() -> None:
    keras.utils.set_random_seed(0)
    layer = Dropout(0.3)
    ones = np.ones((500, 400), np.float32)
    masks = [np.asarray(layer(ones, training=True)) for _ in range(2)]
    n, kept = ones.size, 0.7
    deviation = np.sqrt(0.7 * 0.3)  # of one element's mask
    standardized = []
    for mask in masks:
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / kept)}
        assert abs((mask > 0).mean() - kept) < 4 * deviation / np.sqrt(n)
        standardized.append(((mask > 0) - kept) / deviation)
    one, two = standardized
    # Sample correlations between masks, neighbors, rows and columns, all of deviation n^-1/2.
    for a, b in ((one, two), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one[1:], two[:-1])):
        assert abs((a * b).mean()) < 4 / np.sqrt(a.size)
    # Sums of rows and columns scatter as those of independent draws.
    for axis in (0, 1):
        sums = one.sum(axis) / np.sqrt(one.shape[axis])
        assert 0.8 < sums.var() < 1.2
    np.testing.assert_array_equal(layer(ones, training=False), ones)


def test_dropout_survives_its_config() -> None:
    layer = Dropout.from_config(Dropout(0.25, seed=3).get_config())
    assert isinstance(layer, Dropout)
    assert (layer.rate, layer.seed) == (0.25, 3)
