"""Scores of pairs from lists of neighbors, in arrays: they score without Keras.

With basis=user a list holds users v near u, with basis=item items near m. A rating r of neighbor
x counts from its own base: base(u, m) = user_base[u] + item_base[m]. The score is

    base(u, m) + sum_x w_x y_x / (shrinkage + sum_x w_x),   w_x = s_x ** power,

over the first `neighbors` elements of the list (with only_raters: over the first that have the
rating r(x, m), or r(u, x)). Here y_x is r - base(x), or 0 without a rating, if own_level; otherwise
y_x is r, or base(x) without a rating, less base(u, m): the neighbors' own ratings are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled, inlined_part
from bigrec.errors import RunError
from bigrec.models.baseline.bias import Biases
from bigrec.models.knn.kernels import BaseLevels, read_only, sparse
from bigrec.models.knn.rule import NeighborRule
from bigrec.models.scoring import Graph, Raters, Scorer
from bigrec.resources import pool
from bigrec.rows import DataSpec, Rows

Array = np.ndarray[Any, Any]

_USERS_AT_ONCE: Final = 64


@dataclass(frozen=True)
class NeighborLists:
    """What scores are made from, beside the train subset: the arrays that a run keeps."""

    neighbor_index: Array
    """(n_lists, k) int32, most similar first; -1 where there are fewer than k neighbors."""
    neighbor_similarity: Array
    """(n_lists, k) float32; 0 beside an index of -1."""
    user_base: Array
    """(n_users,) float32, stars."""
    item_base: Array
    """(n_items,) float32, stars."""


class NeighborScorer(Scorer):
    """A model that scores by lists of neighbors."""

    def __init__(
        self, lists: NeighborLists, rule: NeighborRule, rows: Rows, spec: DataSpec,
        biases: Biases,
    ) -> None:  # fmt: skip
        super().__init__(rows, spec, biases)
        self.lists, self.rule = lists, rule
        self._index = read_only(lists.neighbor_index)
        self._similarity = read_only(lists.neighbor_similarity)
        self._subsets = BaseLevels(
            lists.user_base.astype(np.float64), lists.item_base.astype(np.float64)
        )
        self._ratings = sparse(rows.indptr, rows.column, biases.less_days(rows))

    def score_warm_pairs(self, user_index: Array, item_index: Array) -> Array:
        """Score pairs: (n,), (n,) to (n,) float32, unclipped."""
        order = np.argsort(user_index, kind="stable")
        users, starts = np.unique(user_index[order], return_index=True)
        scores = np.empty(len(order), np.float32)
        starts = np.append(starts, len(order))
        scores[order] = self._score(users, starts, item_index[order])
        return scores

    def score_users(self, users: Array) -> Array:
        """Score every item for some known users, unclipped: (n_users, n_items) float32."""
        n_items = self.spec.n_items
        starts = np.arange(0, (len(users) + 1) * n_items, n_items)
        items = np.tile(np.arange(n_items, dtype=np.int32), len(users))
        return self._score(users, starts, items).reshape(len(users), n_items)

    def raters_near(self, user: int, item: int) -> Raters | None:
        """The neighbors who count and have rated the item; None if the lists hold items."""
        if self.rule.basis != "user":
            return None
        near = self._index[user][self._index[user] >= 0]
        rows = self.rows.take(near)
        positions = np.flatnonzero(rows.column == item)
        rank = np.searchsorted(rows.indptr, positions, side="right") - 1
        n = self.rule.neighbors
        counts = slice(n) if self.rule.only_raters else rank < n
        rank, positions = rank[counts], positions[counts]
        return Raters(near[rank], self._similarity[user][rank], rows.rating[positions])

    def fold_in(self, item_index: Array, rating: Array) -> Array:
        """Score every item for a new person, by the items' lists.

        Raises:
            RunError: the lists hold users.
        """
        if self.rule.basis != "item":
            raise RunError(
                "this run knows the neighbors of its users, and none of a person who is not in "
                "the data",
                hint="train cosine-knn with --set basis=item, as its tuned preset does",
            )
        counts_from_biases = self.lists.user_base.any()
        level = self.biases.fold_in(item_index, rating) if counts_from_biases else 0.0
        alone = NeighborLists(
            self.lists.neighbor_index, self.lists.neighbor_similarity,
            np.array([level], np.float32), self.lists.item_base,
        )  # fmt: skip
        row = Rows(np.array([0, len(rating)]), item_index, rating)
        biases = replace(self.biases, days=None)  # of users of the data
        scorer = NeighborScorer(alone, self.rule, row, self.spec, biases)
        return np.asarray(scorer.score_users(np.zeros(1, np.int64))[0])

    def graph(self) -> Graph:
        """The same lists and ratings, found by binary search."""
        from bigrec.models.graphs import PairGraph

        return PairGraph(self.keras_model())

    def keras_model(self) -> Any:
        """See `layer`."""
        from bigrec.models.knn.layer import build_model  # late: it loads TensorFlow

        return build_model(self)

    def _score(self, users: Array, starts: Array, items: Array) -> Array:
        rule = self.rule
        scores = np.empty(len(items), np.float32)
        score = _score_by_users if rule.basis == "user" else _score_by_items

        def run(first: int) -> None:
            part = slice(first, first + _USERS_AT_ONCE)
            score(
                users[part], starts[first : first + _USERS_AT_ONCE + 1], items, self._index,
                self._similarity, self._ratings, self._subsets, rule.neighbors, rule.only_raters,
                rule.own_level, rule.shrinkage, rule.power, scores,
            )  # fmt: skip

        with pool(self.threads) as workers:
            list(workers.map(run, range(0, len(users), _USERS_AT_ONCE)))
        return scores


@inlined_part
def _weight(similarity, power):  # type: ignore[no-untyped-def]
    """A power of a similarity, the usual ones by products."""
    exact = np.float64(similarity)
    if power == 1:
        return exact
    if power == 2:
        return exact * exact
    return exact**power


@compiled
def _score_by_users(  # type: ignore[no-untyped-def]
    users, starts, items, index, similarity, ratings, levels, neighbors, only_raters, own_level,
    shrinkage, power, scores,
):  # fmt: skip
    """Add the rows of a user's neighbors up, then read the wanted items."""
    n_items = len(levels.column)
    above, below = np.zeros(n_items), np.zeros(n_items)
    n_found = np.zeros(n_items, np.int32)
    for number in range(len(users)):
        user = users[number]
        above[:] = 0
        below[:] = 0
        n_found[:] = 0
        all_weights, all_levels = 0.0, 0.0
        for rank in range(index.shape[1]):
            near = index[user, rank]
            if near < 0 or (rank >= neighbors and not only_raters):
                break
            weight = _weight(similarity[user, rank], power)
            all_weights += weight
            all_levels += weight * levels.row[near]
            for position in range(ratings.indptr[near], ratings.indptr[near + 1]):
                item = ratings.column[position]
                if n_found[item] == neighbors:
                    continue
                n_found[item] += 1
                below[item] += weight
                value = ratings.rating[position]
                if own_level or not only_raters:
                    value -= levels.row[near] + levels.column[item]
                above[item] += weight * value
        for position in range(starts[number], starts[number + 1]):
            item = items[position]
            base = levels.row[user] + levels.column[item]
            total = below[item] if only_raters else all_weights
            change = above[item]
            if not own_level:
                if not only_raters:
                    change += all_levels + all_weights * levels.column[item]
                change -= total * base
            total += shrinkage
            scores[position] = base + (change / total if total > 0 else 0.0)


@compiled
def _score_by_items(  # type: ignore[no-untyped-def]
    users, starts, items, index, similarity, ratings, levels, neighbors, only_raters, own_level,
    shrinkage, power, scores,
):  # fmt: skip
    """Spread a user's row out, then walk the list of each wanted item."""
    rating = np.full(len(levels.column), np.nan)
    for number in range(len(users)):
        user = users[number]
        row = range(ratings.indptr[user], ratings.indptr[user + 1])
        for position in row:
            rating[ratings.column[position]] = ratings.rating[position]
        for position in range(starts[number], starts[number + 1]):
            item = items[position]
            base = levels.row[user] + levels.column[item]
            above, below, n_found = 0.0, 0.0, 0
            for rank in range(index.shape[1]):
                near = index[item, rank]
                if near < 0 or n_found == neighbors:
                    break
                rated = not np.isnan(rating[near])
                if only_raters and not rated:
                    continue
                n_found += 1
                there = levels.row[user] + levels.column[near]
                if own_level:
                    value = rating[near] - there if rated else 0.0
                else:
                    value = (rating[near] if rated else there) - base
                weight = _weight(similarity[item, rank], power)
                above += weight * value
                below += weight
            total = below + shrinkage
            scores[position] = base + (above / total if total > 0 else 0.0)
        for position in row:
            rating[ratings.column[position]] = np.nan
