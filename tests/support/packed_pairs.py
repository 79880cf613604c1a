"""Pairs in NumPy, written out once more as the reference of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from bigrec.datasets.training_data import Shards
from bigrec.interactions import Packing, Scale

Array = np.ndarray[Any, Any]

HALF_STARS = Scale.even(0.5, 5, 10)
PACKING = Packing(user_shift=32, item_shift=8)
SHARDS = Shards([], PACKING, HALF_STARS)
"""How pairs are packed here."""


def pack(user_index: Array, item_index: Array, rating: Array) -> Array:
    """Indices and ratings, in half stars from 0.5, as (n,) int64 pairs."""
    packed = np.asarray(user_index).astype(np.int64) * 2**32
    packed += np.asarray(item_index).astype(np.int64) * 2**8
    packed += (np.asarray(rating) * 2 - 1).astype(np.int64)
    return packed


def unpack(pairs: Array, scale: Scale = HALF_STARS) -> tuple[Array, Array, Array]:
    """user_index, item_index and ratings of pairs of any shape."""
    return pairs // 2**32, pairs // 2**8 % 2**24, np.asarray(scale.values)[pairs % 2**8]
