"""What ratings are called, and groups of them where a bar each would be too many."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from bigrec.interactions import IMPLICIT, STARS, error_unit
from bigrec.store.manifest import Manifest

_MOST_BARS: Final = 40
_FEWEST_GROUPS: Final = 20
_NICE: Final = (1, 2, 5, 10)
_SLACK: Final = 1e-6  # so that 0.3 is in the group from 0.3 on


def rating_word(manifest: Manifest) -> str:
    """What a rating of the store is called on an axis: stars, rating, or count.

    Args:
        manifest: of the store.
    """
    if manifest.feedback == IMPLICIT:
        return "count"
    return STARS if store_unit(manifest) == STARS else "rating"


def store_unit(manifest: Manifest) -> str:
    """What differences of the store's ratings are counted in.

    Args:
        manifest: of the store.
    """
    return error_unit(manifest.scale.low, manifest.scale.high)


def group_starts(ratings: Iterable[float], *, is_count: bool) -> dict[float, float]:
    """The least rating of the group of each: itself, where there are few.

    Groups are equally wide; those of counts, of which few are large, double.

    Args:
        ratings: distinct, at least one.
        is_count: whether they count how often something was chosen.
    """
    values = sorted(ratings)
    if len(values) <= _MOST_BARS:
        return {value: value for value in values}
    if is_count:
        return {value: 2.0 ** math.floor(math.log2(value)) if value >= 1 else 0 for value in values}
    most = (values[-1] - values[0]) / _FEWEST_GROUPS
    unit = 10.0 ** math.floor(math.log10(most))
    width = max(nice * unit for nice in _NICE if nice * unit <= most * (1 + _SLACK))
    return {value: _multiple(math.floor(value / width + _SLACK), width) for value in values}


def _multiple(number: int, width: float) -> float:
    return float(f"{number * width:.9g}") + 0.0  # and no minus before a 0
