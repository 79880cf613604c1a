"""Pairs in NumPy, written out once more as the reference of the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def pack(user_index: Array, item_index: Array, rating: Array) -> Array:
    """Indices and stars as (n,) int64 pairs."""
    packed = np.asarray(user_index).astype(np.int64) * 2**32
    packed += np.asarray(item_index).astype(np.int64) * 2**8
    packed += (np.asarray(rating) * 2).astype(np.int64)
    return packed


def unpack(pairs: Array) -> tuple[Array, Array, Array]:
    """user_index, item_index and stars of pairs of any shape."""
    return pairs // 2**32, pairs // 2**8 % 2**24, pairs % 2**8 / 2
