"""Which users and items take part in a split: minimum counts, lists, the k-core of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from bigrec.resources import Budget, Progress
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.splits.kernels import IdIndex
from bigrec.splits.key_lists import unknown_ids
from bigrec.splits.selection import Selection, count_subsets, index_ids
from bigrec.splits.spec import SplitSpec
from bigrec.splits.subsets import rule_for
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]


def candidates(catalog: Catalog, spec: SplitSpec) -> tuple[IdIndex, IdIndex]:
    """The users and the items that pass the minimum counts and the lists; reads no rating.

    Raises:
        SplitError: a list names an id that the store does not have.
    """
    users = _frequent_ids(catalog.users(), USER_ID, spec.min_user_ratings, spec.user_ids)
    items = _frequent_ids(catalog.items(), ITEM_ID, spec.min_item_ratings, spec.item_ids)
    return index_ids(users), index_ids(items)


def find_k_core(
    catalog: Catalog,
    users: IdIndex,
    items: IdIndex,
    spec: SplitSpec,
    budget: Budget,
    progress: Progress,
) -> tuple[IdIndex, IdIndex, int]:
    """Drop users and items with fewer than k ratings of each other until none is left to drop.

    The largest such set is unique, so the order of dropping does not matter. One scan a round.

    Args:
        catalog: the store.
        users, items: those to begin with.
        spec: has k_core and the dates.
        budget: threads to scan with.
        progress: told of scanned rows.

    Returns:
        Users and items of the core, and the number of rounds, the last of which dropped none.
    """
    rule = rule_for(dataclasses.replace(spec, warm=False), users, items, subsets=False)
    rounds = 0
    while True:
        rounds += 1
        selection = Selection(users, items, rule)
        counts = count_subsets(catalog, selection, budget, progress, f"k-core, round {rounds}")
        stay_users, stay_items = (
            by.sum(axis=1) >= spec.k_core for by in (counts.by_user, counts.by_item)
        )
        if stay_users.all() and stay_items.all():
            return users, items, rounds
        users = index_ids(users.ids[stay_users])
        items = index_ids(items.ids[stay_items])


def _frequent_ids(
    frame: pl.LazyFrame, column: str, min_ratings: int, listed: Iterable[int] | None
) -> Array:
    """Ids, ascending int32, in the list (if any), of at least min_ratings ratings, and of one."""
    table = frame.select(column, "n_ratings").sort(column).collect()
    if listed is not None:
        wanted = pl.Series(column, list(listed), dtype=table.schema[column])
        unknown = wanted.filter(~wanted.is_in(table[column].implode()))
        if len(unknown):
            raise unknown_ids(unknown.to_list(), len(wanted), column)
        table = table.filter(pl.col(column).is_in(wanted.implode()))
    ids: Array = table.filter(pl.col("n_ratings") >= max(min_ratings, 1))[column].to_numpy()
    return ids
