"""The bias model: mean plus a deviation of the user and one of the item.

    score(u, m) = mean + user_bias[u] + item_bias[m]

and perhaps one of the user on the day (see `day_bias`). It is a baseline, what tuned models start
from, and the fallback for pairs that a model cannot score. `bias_fit` fits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from bigrec.models.baseline.day_bias import DayBiases
    from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

USER_PENALTY: Final = 5.0
"""Ridge penalty of a user's bias: train rows at which the bias is half of the mean deviation."""
ITEM_PENALTY: Final = 3.0
"""Likewise of an item's."""

_ARRAYS: Final = ("user", "item", "item_mean", "user_count", "item_count")
_DAY_ARRAYS: Final = {
    "day_indptr": "indptr", "day": "day", "day_bias": "bias", "day_penalty": "penalty"
}  # fmt: skip


@dataclass(frozen=True)
class Biases:
    """A fitted bias model. A user or item without train rows has a bias of 0."""

    mean: float
    """Mean of the train subset, in stars."""
    user: Array
    """(n_users,) float32."""
    item: Array
    """(n_items,) float32."""
    item_mean: Array
    """(n_items,) float32: plain mean of each item; the overall mean without train rows."""
    user_count: Array
    """(n_users,) int32: train rows of each user."""
    item_count: Array
    """(n_items,) int32: train rows of each item."""
    days: DayBiases | None = None
    """Biases of users on single days, if they were asked for."""

    def to_arrays(self) -> dict[str, Any]:
        """All numbers by name, as `from_arrays` takes them."""
        arrays: dict[str, Any] = {"mean": self.mean}
        arrays |= {name: getattr(self, name) for name in _ARRAYS}
        if self.days is not None:
            arrays |= {name: getattr(self.days, field) for name, field in _DAY_ARRAYS.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Biases:
        """The biases that `to_arrays` gave."""
        days = None
        if "day" in arrays:
            from bigrec.models.baseline.day_bias import DayBiases  # late: it stands on this

            indptr, day, bias, penalty = (arrays[name] for name in _DAY_ARRAYS)
            days = DayBiases(indptr, day, bias, float(penalty))
        user, item, item_mean, user_count, item_count = (arrays[name] for name in _ARRAYS)
        return cls(float(arrays["mean"]), user, item, item_mean, user_count, item_count, days)

    def score_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Scores of pairs: (n,) float32. An index below 0 stands for an unknown id: bias 0."""
        user = np.where(user_index >= 0, self.user[user_index], 0)
        item = np.where(item_index >= 0, self.item[item_index], 0)
        return (self.mean + user + item).astype(np.float32)

    def of_days(self, user_index: Array, day: Array | None) -> Array:
        """What the day adds to scores of pairs: (n,) float32, 0 without day biases or a day.

        Args:
            user_index: (n,) int32; below 0 for an unknown user.
            day: (n,) int, days since 1921, below 0 for an unknown one; None if all are unknown.
        """
        if self.days is None or day is None:
            return np.zeros(len(user_index), np.float32)
        return self.days.of_pairs(user_index, day)

    def less_days(self, rows: Rows) -> Array:
        """The ratings of the train subset as models learn from them: (n_rows,) float32, stars."""
        return rows.rating if self.days is None else self.days.less_days(rows)

    def fold_in(self, item_index: Array, rating: Array) -> float:
        """The bias of a person who is not in the data, as `bias_fit` would find it.

        Args:
            item_index: (n,) int32, the items that the person has rated.
            rating: (n,) float32, stars.
        """
        deviations = rating - self.mean - self.item[item_index]
        return float(deviations.sum(dtype=np.float64) / (len(rating) + USER_PENALTY))

    def is_cold(self, user_index: Array, item_index: Array) -> Array:
        """Whether the user or the item of each pair is unknown or has no train row: (n,) bool."""
        cold_user = (user_index < 0) | (self.user_count[user_index] == 0)
        cold_item = (item_index < 0) | (self.item_count[item_index] == 0)
        return np.asarray(cold_user | cold_item)
