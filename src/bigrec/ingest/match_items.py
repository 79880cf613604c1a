"""Finding the ids of what is known of items by their keys."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bigrec.errors import DataError
from bigrec.ingest.numbering import ITEM, Numbering, keep_ids
from bigrec.sources.keys import keys_of
from bigrec.sources.parsed import ItemTable, Titles

Array = np.ndarray[Any, Any]

_READ_KEYS: Final = 1 << 20


def match_items(items: ItemTable, numbering: Numbering, *, keyed: bool) -> Titles:
    """The same by ids; items without a rating get the ids behind the others, in their order.

    Args:
        items: by key.
        numbering: which has seen all ratings.
        keyed: whether items have keys; else their ids are kept.

    Raises:
        DataError: a key is no id where ids are kept.
    """
    ids = _find(items, numbering) if keyed else _keep(items)
    order = np.argsort(ids)
    return Titles(
        ids[order].astype(np.int32),
        [items.title[row] for row in order],
        [items.year[row] for row in order],
        items.attributes.take(pa.array(order)),
    )


def _find(items: ItemTable, numbering: Numbering) -> Array:
    """The id of each item: (n,) int64."""
    ids = np.zeros(len(items.key), np.int64)
    first = 1
    reader = numbering.key_readers()[ITEM]
    while len(keys := reader.read(_READ_KEYS)):
        found = pc.index_in(items.key, keys)
        there = np.asarray(found.is_valid().to_numpy(zero_copy_only=False))
        ids[there] = first + np.asarray(pc.fill_null(found, 0))[there]
        first += len(keys)
    reader.close()
    unrated = np.flatnonzero(ids == 0)
    ids[unrated] = first + np.arange(len(unrated))
    numbering.append_keys(ITEM, keys_of(items.key.take(pa.array(unrated))))
    return ids


def _keep(items: ItemTable) -> Array:
    """The ids themselves: (n,) int64."""
    keys = keys_of(items.key)
    ids = np.zeros(len(keys.starts), np.int32)
    n_good = keep_ids(keys.text, keys.starts, keys.lengths, ids)
    if n_good < len(ids):
        raise DataError(
            f"{items.file}: found the item {items.key[n_good].as_py()!r}, expected a number as the "
            "ratings have it",
            hint="is its column the right one? say --item-columns key=…",
        )
    return ids.astype(np.int64)
