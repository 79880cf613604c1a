"""What runs are judged by: each measure by its name, with its direction.

Patience, the kept epoch, comparisons, blends and the report ask the measure which of two values is
better, and none of them knows what it measures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bigrec.errors import SettingsError


@dataclass(frozen=True)
class Measure:
    """One measure."""

    name: str
    """As in files: rmse, ndcg@10."""
    title: str
    """For people."""
    higher_is_better: bool = False
    """Its direction: of errors, lower is better."""
    is_error: bool = False
    """Whether it is counted in the unit of ratings, and not a pure number."""

    def label(self, unit: str) -> str:
        """The title with the unit, for an axis.

        Args:
            unit: of errors of ratings.
        """
        return f"{self.title}, {unit}" if self.is_error else self.title

    def is_better(self, value: float, other: float) -> bool:
        """Whether one value is better than another; no number is better than none.

        Args:
            value: what may be better.
            other: than this.
        """
        return value > other if self.higher_is_better else value < other

    def order(self, value: float) -> float:
        """The key by which values are sorted best first.

        Args:
            value: of this measure.
        """
        return -value if self.higher_is_better else value

    def best(self, values: Iterable[float]) -> float:
        """The best of some values.

        Args:
            values: at least one.
        """
        return min(values, key=self.order)


RMSE: Final = Measure("rmse", "RMSE", is_error=True)
"""Root mean squared error, scores clipped to the scale."""

_ERRORS: Final = (
    RMSE,
    Measure("mae", "MAE", is_error=True),
    Measure("rmse_unclipped", "RMSE unclipped", is_error=True),
    Measure("mae_unclipped", "MAE unclipped", is_error=True),
)
_LISTS: Final = {
    "ndcg": "NDCG", "recall": "recall", "precision": "precision", "map": "MAP",
    "hit_rate": "hit rate",
}  # fmt: skip
"""Measures of lists, by the name before @ and the length: more is better."""

RATING_OBJECTIVE: Final = "rating"
"""Learns to tell ratings: scores are on their scale."""
RANKING_OBJECTIVE: Final = "ranking"
"""Learns what to show next, from what was chosen: scores order the items of a user, and no more."""

_PRIMARY: Final = {RATING_OBJECTIVE: "rmse", RANKING_OBJECTIVE: "ndcg@10"}


def find_measure(name: str) -> Measure:
    """The measure of a name.

    Raises:
        SettingsError: there is none.
    """
    known = {measure.name: measure for measure in _ERRORS}
    if name in known:
        return known[name]
    kind, at, length = name.partition("@")
    if kind in _LISTS and (not at or length.isdecimal()):
        return Measure(name, _LISTS[kind] + at + length, higher_is_better=True)
    raise SettingsError.unknown_name("measure", name, [*known, *(f"{one}@10" for one in _LISTS)])


def primary_measure(objective: str) -> Measure:
    """What a model of this objective is judged by first.

    Raises:
        SettingsError: there is no such objective.
    """
    if objective not in _PRIMARY:
        raise SettingsError.unknown_name("objective", objective, _PRIMARY)
    return find_measure(_PRIMARY[objective])
