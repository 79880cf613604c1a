"""What an interaction is, as values: the ratings that there are, and how one row travels.

A rating is a code into the store's scale where it travels: from the parser to the Parquet file, and
in the pairs of a split up to the model.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from bigrec.errors import SettingsError, SplitError

if TYPE_CHECKING:  # whoever reads a manifest alone does without NumPy
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_VALUES: Final = 1 << 16
"""Values of one scale, at most: a code takes 16 bits."""

CODE_BITS: Final = 16
CODE_MASK: Final = (1 << CODE_BITS) - 1
"""A rating without its ids travels as 32 bits, its payload: day << CODE_BITS | code. The day counts
from bigrec.schema.FIRST_DATE, in 16 bits."""

_PAIR_BITS: Final = 63  # of an int64 that is not negative
_FEWEST_ITEM_BITS: Final = 24
_FEWEST_CODE_BITS: Final = 8
_EVEN: Final = 1e-6  # how far values may be from even steps, for their size,
_OF_A_STEP: Final = 0.01  # and as a share of a step


STARS: Final = "stars"
_FEWEST_STARS, _MOST_STARS = (0.5, 1), 5

EXPLICIT, IMPLICIT = "explicit", "implicit"
FEEDBACK: Final = (EXPLICIT, IMPLICIT)
"""What a row says: how much somebody liked an item, or that they chose it. Where it is implicit the
column of ratings counts, for example plays, or is 1."""


@dataclass(frozen=True)
class Scale:
    """The distinct ratings that a store may hold. The code of a rating is its position."""

    values: tuple[float, ...]
    """Ascending; each is a float32."""

    def __post_init__(self) -> None:
        n_values = len(self.values)
        good = 0 < n_values <= MAX_VALUES and all(map(math.isfinite, self.values))
        # As float32, in which they are kept.
        if not good or any(one >= other for one, other in pairwise(array("f", self.values))):
            raise SettingsError(
                f"expected a scale of 1 to {MAX_VALUES:,} ascending ratings, found "
                f"{n_values:,}: {', '.join(map(str, self.values[:5]))}"
            )

    @classmethod
    def even(cls, low: float, high: float, n_values: int) -> Self:
        """So many values in even steps.

        Args:
            low: the lowest of them.
            high: the highest.
            n_values: how many.
        """
        step = (high - low) / max(n_values - 1, 1)
        return cls(tuple(low + step * code for code in range(n_values)))

    @property
    def low(self) -> float:
        """The lowest rating."""
        return self.values[0]

    @property
    def high(self) -> float:
        """The highest rating."""
        return self.values[-1]

    @cached_property
    def table(self) -> Array:
        """The rating of each code: (n_values,) float32."""
        import numpy as np

        return np.asarray(self.values, np.float32)

    @cached_property
    def step(self) -> float:
        """What one code more is worth where all steps are even, so no table is needed; else 0."""
        n_steps = len(self.values) - 1
        if not n_steps:
            return 1.0
        step = (self.high - self.low) / n_steps
        slack = min(_EVEN * max(abs(self.low), abs(self.high)), _OF_A_STEP * step)
        even = (self.low + step * code for code in range(n_steps + 1))
        kept = array("f", self.values)
        is_even = all(abs(a - b) <= slack for a, b in zip(even, kept, strict=True))
        return step if is_even else 0.0

    def codes(self, ratings: Array) -> Array:
        """The code of each rating; the number of values for one off the scale: (n,) int32.

        Args:
            ratings: (n,) float32.
        """
        import numpy as np

        ratings = np.asarray(ratings, np.float32)
        codes = np.searchsorted(self.table, ratings).astype(np.int32)
        nearest = self.table[np.minimum(codes, len(self.values) - 1)]
        return np.where(nearest == ratings, codes, np.int32(len(self.values)))


def error_unit(low: float, high: float) -> str:
    """What errors of ratings are counted in, for people.

    Args:
        low, high: the ends of the scale.
    """
    if high == _MOST_STARS and low in _FEWEST_STARS:
        return STARS
    return f"points on a scale of {low:g} to {high:g}"


def rating_words(rating: float, unit: str) -> str:
    """A rating as people say it: `4 stars`, or the bare number on another scale.

    Args:
        rating: on the scale.
        unit: see `error_unit`.
    """
    return f"{rating:g} {STARS}" if unit == STARS else f"{rating:g}"


class Packing(NamedTuple):
    """How a user_index, an item_index and a code are one int64, a packed pair.

    user_index << user_shift | item_index << item_shift | code, and never negative.
    """

    user_shift: int
    item_shift: int

    @classmethod
    def for_counts(cls, n_users: int, n_items: int, n_values: int) -> Self:
        """The packing of so many users, items and values of the scale.

        Raises:
            SplitError: they do not fit in 63 bits together.
        """
        code_bits = max(_FEWEST_CODE_BITS, (n_values - 1).bit_length())
        item_bits = max(_FEWEST_ITEM_BITS, (n_items - 1).bit_length())
        user_bits = (n_users - 1).bit_length()
        if user_bits + item_bits + code_bits > _PAIR_BITS:
            item_bits = (n_items - 1).bit_length()
        if user_bits + item_bits + code_bits > _PAIR_BITS:
            raise SplitError(
                f"{n_users:,} users, {n_items:,} items and {n_values:,} values of the scale take "
                f"{user_bits + item_bits + code_bits} bits, more than the {_PAIR_BITS} of a pair",
                hint="keep fewer with --min-item-ratings or --min-user-ratings",
            )
        return cls(item_bits + code_bits, code_bits)

    @property
    def item_mask(self) -> int:
        """The bits of an item_index, shifted down."""
        return (1 << (self.user_shift - self.item_shift)) - 1

    @property
    def code_mask(self) -> int:
        """The bits of a code."""
        return (1 << self.item_shift) - 1
