"""Scores, whatever gives them, and their errors in one subset of a split.

A pair whose user or item has no train row gets the bias model's score instead, an unknown bias
counting as 0; such pairs are counted. Scores of pairs are clipped to the scale.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.errors import RunError
from bigrec.models.baseline.bias import Biases
from bigrec.resources import available_cores
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

FALLBACK: Final = "the bias model (mean + user bias + item bias, an unknown bias counting as 0)"
"""How a pair that the model cannot score is scored."""

FoldIn = Callable[[Any, Biases, Array, Array], Array]
"""A trained Keras model, the bias model, and Scorer.fold_in's arguments to what it returns."""

Graph = Callable[[Any, Any], Any]
"""A tf.Module: user_index, item_index (n,) int32 tensors to scores (n,) float32, not clipped."""

_N_GROUPS: Final = 10
_ROWS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class DecileErrors:
    """Errors over the ratings of one decile of popularity, scores clipped to the scale."""

    decile: int
    """1 (rarest) to 10; see `popularity_deciles`."""
    from_count: int
    """Fewest train ratings of an item, or user, of the decile."""
    to_count: int
    """Most."""
    n: int
    """Pairs scored."""
    rmse: float
    """In stars."""
    mae: float
    """In stars."""


@dataclass(frozen=True)
class Errors:
    """Errors of scores against ratings."""

    rmse: float
    """Root mean squared error, scores clipped to the scale, in stars."""
    mae: float
    """Mean absolute error, likewise."""
    n: int
    """Pairs scored."""
    n_fallback: int
    """Pairs among them that the fallback scored."""
    rmse_unclipped: float
    """Root mean squared error of the scores as they come, in stars."""
    mae_unclipped: float
    """Mean absolute error, likewise."""
    item_deciles: tuple[DecileErrors, ...]
    """Rarest items first; a decile without a pair is left out."""
    user_deciles: tuple[DecileErrors, ...]
    """Users with the fewest train ratings first, likewise."""

    @property
    def measures(self) -> dict[str, float]:
        """The errors by the names of bigrec.measures."""
        return {
            "rmse": self.rmse,
            "mae": self.mae,
            "rmse_unclipped": self.rmse_unclipped,
            "mae_unclipped": self.mae_unclipped,
        }

    def test_record(self) -> dict[str, Any]:
        """The fields of RunMetrics that errors in the test subset fill."""
        return {
            "test": self.measures,
            "n_test": self.n,
            "n_fallback": self.n_fallback,
            "fallback": FALLBACK,
            "item_deciles": tuple(dataclasses.asdict(decile) for decile in self.item_deciles),
            "user_deciles": tuple(dataclasses.asdict(decile) for decile in self.user_deciles),
        }


@dataclass(frozen=True)
class Raters:
    """Users near a user who have rated an item, most similar first."""

    user_index: Array
    """(n,) int32."""
    similarity: Array
    """(n,) float32."""
    rating: Array
    """(n,) float32, stars."""


class Scorer(abc.ABC):
    """Something that has learned from the train subset of a split and can score pairs."""

    def __init__(self, rows: Rows, spec: DataSpec, biases: Biases) -> None:
        """Hold what every scorer needs.

        Args:
            rows: the train subset.
            spec: sizes and scale.
            biases: the bias model of the train subset, for the fallback.
        """
        self.rows = rows
        self.spec = spec
        self.biases = biases
        self.threads = available_cores()

    def use_threads(self, threads: int) -> None:
        """Score with so many threads of our own; with as many as there are cores by default."""
        self.threads = threads

    @abc.abstractmethod
    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Score pairs whose user and item have train rows, unclipped, whatever the day.

        Args:
            user_index: (n,) int32. Sorted input is fastest.
            item_index: (n,) int32.

        Returns:
            (n,) float32.
        """

    def score_users(self, users: Array) -> Array:
        """Score every item for some known users, unclipped: (n_users, n_items) float32.

        By `score_warm_pairs`, unless a subclass knows a quicker way; items and users without train
        rows get the bias model's scores.
        """
        n_items = self.spec.n_items
        scores = np.empty((len(users), n_items), np.float32)
        n_at_once = max(_ROWS_AT_ONCE // n_items, 1)
        for start in range(0, len(users), n_at_once):
            some = users[start : start + n_at_once].astype(np.int32)
            user_index = np.repeat(some, n_items)
            item_index = np.tile(np.arange(n_items, dtype=np.int32), len(some))
            part, _ = self._score_unclipped(user_index, item_index, None)
            scores[start : start + n_at_once] = part.reshape(len(some), n_items)
        return scores

    def fold_in(self, item_index: Array, rating: Array) -> Array:  # noqa: ARG002
        """Score every item for a person who is not in the data, unclipped.

        Args:
            item_index: (n,) int32, the items that the person has rated; at least one.
            rating: (n,) float32, stars.

        Returns:
            (n_items,) float32.

        Raises:
            RunError: the model cannot.
        """
        raise RunError(
            "this model learns what it knows of a user in training, and has no way to score a "
            "person who is not in the data",
            hint="use a run of a model of factors, of neighboring items, or of whole rows",
        )

    def raters_near(self, user: int, item: int) -> Raters | None:  # noqa: ARG002
        """The users from whose ratings a score is made; None if it is made otherwise.

        Args:
            user: a user_index.
            item: an item_index.
        """
        return None

    def stands_behind(self, rating: Array) -> Array:
        """Which ratings of one person speak for what is recommended to them: (n,) bool.

        Those that are at least as high as the person's mean, unless a subclass knows better.

        Args:
            rating: (n,) float32, at least one.
        """
        return np.asarray(rating >= rating.mean())

    def graph(self) -> Graph | None:
        """What `score_warm_pairs` does as a graph of TensorFlow, to export; None if there is none.

        Raises:
            RunError: a value in it is no finite number.
        """
        return None

    def keras_model(self) -> Any | None:
        """The same as one Keras model of indices, if it is one; None if not."""
        return None

    def score_pairs(
        self, user_index: Array, item_index: Array, day: Array | None = None
    ) -> tuple[Array, Array]:
        """Score pairs.

        Args:
            user_index: (n,) int32; below 0 for an unknown user. Sorted input is fastest.
            item_index: (n,) int32; below 0 for an unknown item.
            day: (n,) int, days since 1921, below 0 for an unknown one, if they are known at all.
                It matters to a run with day biases.

        Returns:
            (n,) float32 scores, clipped, and (n,) bool, whether the fallback gave them.
        """
        scores, cold = self._score_unclipped(user_index, item_index, day)
        return self.spec.clip(scores), cold

    def errors_on(self, subset: Rows) -> Errors:
        """Errors over all ratings of one subset, streamed; at least one rating."""
        return measure_errors(self._score_unclipped, subset, self.spec, self.biases)

    def _score_unclipped(
        self, user_index: Array, item_index: Array, day: Array | None
    ) -> tuple[Array, Array]:
        """Scores and whether the fallback gave them; none that is no number leaves here."""
        cold = self.biases.is_cold(user_index, item_index)
        scores = self.biases.score_pairs(user_index, item_index)
        warm = np.flatnonzero(~cold)
        scores[warm] = self.score_warm_pairs(user_index[warm], item_index[warm])
        scores += self.biases.of_days(user_index, day)
        check_finite(scores)
        return scores, cold


def check_finite(scores: Array) -> None:
    """Refuse scores, or weights, that are no numbers or infinite: they order nothing.

    Raises:
        RunError: there is one.
    """
    n_bad = scores.size - int(np.count_nonzero(np.isfinite(scores)))
    if n_bad:
        raise RunError(
            f"{n_bad:,} of {scores.size:,} values of the model are no finite numbers: its training "
            "has diverged, or its run is damaged",
            hint="train it again, with a smaller step size if it has one",
        )


def measure_errors(
    score: Callable[[Array, Array, Array | None], tuple[Array, Array]],
    subset: Rows,
    spec: DataSpec,
    biases: Biases,
) -> Errors:
    """Measure scores against all ratings of one subset, in memory that does not grow with it.

    Args:
        score: user_index, item_index, (n,) int32, and days, (n,) uint16 or None, to scores, not
            clipped, (n,) float32, and whether the fallback gave them, (n,) bool.
        subset: the ratings, at least one.
        spec: the scale.
        biases: for the train counts that the deciles go by.
    """
    item_decile = popularity_deciles(biases.item_count)
    user_decile = popularity_deciles(biases.user_count)
    by_item, by_user = np.zeros((3, _N_GROUPS)), np.zeros((3, _N_GROUPS))
    unclipped = np.zeros(2)
    n_fallback = 0
    for user_index, item_index, rating, day in subset.pair_chunks(_ROWS_AT_ONCE):
        scores, cold = score(user_index, item_index, day)
        difference = scores.astype(np.float64) - rating
        unclipped += np.square(difference).sum(), np.abs(difference).sum()
        difference = spec.clip(scores).astype(np.float64) - rating
        by_item += _sums(item_decile[item_index], difference)
        by_user += _sums(user_decile[user_index], difference)
        n_fallback += int(cold.sum())
    n, squares, absolutes = by_item.sum(axis=1).tolist()
    return Errors(
        rmse=math.sqrt(squares / n),
        mae=absolutes / n,
        n=int(n),
        n_fallback=n_fallback,
        rmse_unclipped=math.sqrt(unclipped[0] / n),
        mae_unclipped=float(unclipped[1]) / n,
        item_deciles=_decile_errors(by_item, item_decile, biases.item_count),
        user_deciles=_decile_errors(by_user, user_decile, biases.user_count),
    )


def popularity_deciles(count: Array) -> Array:
    """The decile of popularity of each item, or of each user.

    Ordered by number of train ratings (then by index), decile d holds those whose ratings lie in
    the d-th tenth of all train ratings, by the middle one of each. So every decile has about as
    many ratings: the first has many rare items, the last a few that everybody has rated. It
    depends in the train subset only.

    Args:
        count: (n,) int, train ratings of each.

    Returns:
        (n,) int64, 0 (rarest) to 9.
    """
    order = np.argsort(count, kind="stable")
    ordered = count[order].astype(np.float64)
    middle = np.cumsum(ordered) - ordered / 2
    deciles = np.empty(len(count), np.int64)
    deciles[order] = _N_GROUPS * middle / max(ordered.sum(), 1)
    return deciles


def _sums(group: Array, difference: Array) -> Array:
    """Number, squares and absolutes of each group: (3, _N_GROUPS)."""
    weights = (None, np.square(difference), np.abs(difference))
    return np.stack([np.bincount(group, weight, _N_GROUPS) for weight in weights])


def _decile_errors(sums: Array, decile: Array, count: Array) -> tuple[DecileErrors, ...]:
    errors = []
    for number, (n, squares, absolutes) in enumerate(sums.T.tolist()):
        if n:
            counts = count[decile == number]
            errors.append(
                DecileErrors(
                    number + 1, int(counts.min()), int(counts.max()), int(n),
                    math.sqrt(squares / n), absolutes / n,
                )
            )  # fmt: skip
    return tuple(errors)
