"""The distinct ratings of a store while it is made: each has a code, in the order of appearance.

When all are known they are put in order, and a code becomes the rating's position on the scale.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.errors import DataError
from bigrec.interactions import MAX_VALUES, Scale
from bigrec.splitmix import GOLDEN

Array = np.ndarray[Any, Any]

_SLOTS: Final = 4 * MAX_VALUES
_SHIFT = np.uint64(64 - (_SLOTS - 1).bit_length())


class ValueTable:
    """Codes by rating. Threads may look up while one adds.

    Args:
        scale: the ratings that there may be, in whose order codes then are; None for any.
    """

    def __init__(self, scale: Scale | None = None) -> None:
        self._fixed = scale
        self._values = np.zeros(MAX_VALUES, np.float32)
        self._slots = np.zeros(_SLOTS, np.int32)  # code + 1, or 0
        self._n_values = 0
        if scale is not None:
            self.add(scale.table, np.full(len(scale.table), -1, np.int32))

    def find(self, ratings: Array, codes: Array) -> None:
        """Fill in the code of each rating; -1 where it is new.

        Args:
            ratings: (n,) float32, finite.
            codes: (n,) int32 out.
        """
        _find(ratings, self._slots, self._values, codes)

    def add(self, ratings: Array, codes: Array) -> None:
        """Give a code to each rating that has none.

        Args:
            ratings: (n,) float32, as they were looked up.
            codes: (n,) int32, which are filled in.

        Raises:
            DataError: there are too many distinct ratings.
        """
        self._n_values = _add(ratings, self._slots, self._values, self._n_values, codes)
        if self._n_values < 0:
            raise DataError(
                f"there are more than {MAX_VALUES:,} distinct ratings",
                hint="is the column of ratings the right one? see --columns; round them, or leave "
                "them out with --columns rating=none",
            )

    @property
    def values(self) -> Array:
        """The rating of each code: (n_codes,) float32."""
        return self._values[: self._n_values]

    def scale(self, low: float | None = None, high: float | None = None) -> tuple[Scale, Array]:
        """All ratings in order, and what each code becomes: (n_codes,) int32.

        Args:
            low, high: the ends of the scale, where they are known otherwise.
        """
        values = self._values[: self._n_values]
        if self._fixed is not None:
            return self._fixed, np.arange(self._n_values, dtype=np.int32)
        ends = np.array([end for end in (low, high) if end is not None], np.float32)
        ordered = np.unique(np.concatenate((values, ends)))
        positions = np.searchsorted(ordered, values).astype(np.int32)
        return Scale(tuple(map(float, ordered))), positions


@compiled
def _slot_of(rating, slots, values):  # type: ignore[no-untyped-def]
    """The slot of a rating, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    # A hash of the number and not of its bits, in which most of small numbers are zero.
    slot = (np.uint64(np.int64(np.float64(rating) * 65536.0)) * GOLDEN) >> _SHIFT
    while slots[slot] != 0 and values[slots[slot] - 1] != rating:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _find(ratings, slots, values, codes):  # type: ignore[no-untyped-def]
    """Look up every rating; see ValueTable.find."""
    for row in range(len(ratings)):
        codes[row] = slots[_slot_of(ratings[row], slots, values)] - 1


@compiled
def _add(ratings, slots, values, n_values, codes):  # type: ignore[no-untyped-def]
    """Give codes to new ratings; return the number of ratings, or -1 for too many."""
    for row in range(len(ratings)):
        if codes[row] < 0:
            slot = _slot_of(ratings[row], slots, values)
            if slots[slot] == 0:
                if n_values == len(values):
                    return -1
                values[n_values] = ratings[row] + np.float32(0.0)  # no zero is negative
                n_values += 1
                slots[slot] = n_values
            codes[row] = slots[slot] - 1
    return n_values
