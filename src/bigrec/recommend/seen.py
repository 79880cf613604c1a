"""What users have rated already, so that no list shows it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.rows import Rows, join_rows
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]


def seen_items(catalog: Catalog, data: TrainingData, users: Array) -> Rows:
    """The items of the split that some users have rated, in whatever subset or in none.

    The memory-mapped subsets of a split hold all ratings of its users and items, unless it keeps
    ratings of some days only or drops test rows whose user or item has no train row: then the store
    is asked.

    Args:
        catalog: the store.
        data: the split.
        users: (n,) user indices, ascending.
    """
    spec = data.split_spec
    if spec["first_date"] or spec["last_date"] or spec["warm"]:
        return _in_the_store(catalog, data, users)
    subsets = [data.train, data.test] + ([] if data.validation is None else [data.validation])
    return join_rows([subset.take(users) for subset in subsets])


def _in_the_store(catalog: Catalog, data: TrainingData, users: Array) -> Rows:
    ids = data.user_ids[users]
    rated = (
        catalog.ratings_by_user()
        .filter(pl.col(USER_ID).is_between(int(ids[0]), int(ids[-1])))
        .select(USER_ID, ITEM_ID)
        .collect()
    )
    position = np.searchsorted(ids, rated[USER_ID].to_numpy())
    item = data.find_items(rated[ITEM_ID].to_numpy())
    known = (item >= 0) & (ids[np.minimum(position, len(ids) - 1)] == rated[USER_ID].to_numpy())
    position, item = position[known], item[known]
    order = np.lexsort((item, position))
    lengths = np.bincount(position, minlength=len(users))
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    return Rows(indptr, item[order], np.zeros(len(order), np.float32))
