"""SplitMix64: random words by number, for digests of rows and shuffles that any thread repeats."""

from __future__ import annotations

from typing import Final

import numpy as np

from bigrec.compiled import inlined_part

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: its multiples lie far apart."""

_ONE: Final = np.uint64(0xBF58476D1CE4E5B9)
_TWO: Final = np.uint64(0x94D049BB133111EB)


@inlined_part
def mix64(value):  # type: ignore[no-untyped-def]
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64-bit words."""
    value = (value ^ (value >> np.uint64(30))) * _ONE
    value = (value ^ (value >> np.uint64(27))) * _TWO
    return value ^ (value >> np.uint64(31))
