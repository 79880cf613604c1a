"""The best unseen items of every user of a split, streamed to one file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.datasets.training_data import TrainingData
from bigrec.models.ranking import list_length, top_items
from bigrec.models.scoring import Scorer
from bigrec.recommend.endings import check_ending
from bigrec.recommend.items import Items, read_items
from bigrec.recommend.seen import seen_items
from bigrec.resources import SILENT, Budget, Progress, peak_rss_bytes
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.store.catalog import Catalog
from bigrec.store.publish import publishing_file

Array = np.ndarray[Any, Any]

_SCHEMA: Final = pa.schema(
    {
        USER_ID: pa.int32(),
        "rank": pa.int32(),
        ITEM_ID: pa.int32(),
        "title": pa.dictionary(pa.int32(), pa.string()),
        "score": pa.float32(),
    }
)
_GROUP_ROWS: Final = 1 << 18
_MOST_USERS: Final = 1024
_CELL_BYTES: Final = 32
"""Bytes for one score of one user while lists are made: scores, copies, masks."""
_LISTED_BYTES: Final = 96
"""Bytes for one item of one list: keys and orders of sorts, columns of the table."""


@dataclass(frozen=True)
class TopListsSummary:
    """What writing the lists of all users gave."""

    n_users: int
    """Users with a list."""
    n_left_out: int
    """Users of the split without a train rating, of whom the model knows nothing."""
    n_rows: int
    """Rows written."""
    seconds: float
    """Wall time, from the first user on."""
    rows_per_second: float
    """Rows written a second."""
    peak_rss_bytes: int
    """Peak memory of the process."""
    output: str
    """The file."""


def write_top_lists(
    recommender: Scorer,
    data: TrainingData,
    catalog: Catalog,
    output: Path,
    *,
    top: int = 10,
    items: Items | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> TopListsSummary:
    """Write user_id, rank (from 1), item_id, title and score of every user's list to Parquet.

    Rows are in order of user_id and rank. The lists are those of `recommend_items`.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        output: ends in .parquet; replaced when the new file is whole.
        top: length of a list; cut to the number of items.
        items: of the split; read from the store if None.
        budget: memory that scores may take an eighth of.
        progress: told of finished users.

    Raises:
        SettingsError: the output names no file, or `top` is no length.
        DataError: it has another ending.
        RunError: the model gives scores that are no numbers.
    """
    check_ending(output, ".parquet")
    started = time.perf_counter()
    users = np.flatnonzero(recommender.biases.user_count)
    items = items or read_items(catalog, data)
    titles = pa.array(items.titles, pa.string())
    top = list_length(top, data.spec.n_items)
    user_bytes = _CELL_BYTES * data.spec.n_items + _LISTED_BYTES * top
    fitting = (budget or Budget()).memory_bytes // 8 // user_bytes
    at_once = min(max(fitting, 1), _MOST_USERS)
    n_rows = 0
    progress.start("recommending", len(users), "users")
    with publishing_file(output) as partial, pq.ParquetWriter(partial, _SCHEMA) as writer:
        waiting: list[pa.Table] = []
        for start in range(0, len(users), at_once):
            chunk = users[start : start + at_once]
            scores = recommender.score_users(chunk)
            seen = seen_items(catalog, data, chunk)
            positions = top_items(scores, seen, recommender.biases.item_count, top)
            waiting.append(_table(data.user_ids[chunk], scores, positions, items, titles))
            n_rows += len(waiting[-1])
            progress.advance(len(chunk), len(waiting[-1]))
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                writer.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    seconds = time.perf_counter() - started
    return TopListsSummary(
        len(users), data.spec.n_users - len(users), n_rows, seconds, n_rows / seconds,
        peak_rss_bytes(), str(output),
    )  # fmt: skip


def _table(
    user_ids: Array, scores: Array, positions: Array, items: Items, titles: pa.Array
) -> pa.Table:
    user, rank = np.nonzero(positions >= 0)
    item = positions[user, rank]
    columns = [
        user_ids[user],
        (rank + 1).astype(np.int32),
        items.ids[item],
        # Parquet takes no null in a dictionary, so an item without a title has no place in it.
        pa.DictionaryArray.from_arrays(
            pa.array(item, mask=titles.is_null().to_numpy(zero_copy_only=False)[item]),
            titles.fill_null(""),
        ),
        scores[user, item].astype(np.float32),
    ]
    return pa.table(columns, schema=_SCHEMA)
