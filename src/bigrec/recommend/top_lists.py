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
from bigrec.store.vocabulary import Vocabulary, users_of

Array = np.ndarray[Any, Any]

_WORD: Final = pa.dictionary(pa.int32(), pa.string())
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
    """Users of the split without one: they have no train rating, so that the model knows nothing of
    them, or have rated all that a list may hold."""
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
    popularity: Array | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> TopListsSummary:
    """Write user_id, rank (from 1), item_id, title and score of every user's list to Parquet.

    Ids are those of the source: texts where the store keeps keys. Rows are in order of the store's
    users, and of rank. The lists are those of `recommend_items`.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        output: ends in .parquet; replaced when the new file is whole.
        top: length of a list; cut to the number of items.
        items: of the split; read from the store if None.
        popularity: as in `recommend_items`.
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
    table = _ListTable(data.user_ids, users_of(catalog), items)
    top = list_length(top, data.spec.n_items)
    user_bytes = _CELL_BYTES * data.spec.n_items + _LISTED_BYTES * top
    fitting = (budget or Budget()).memory_bytes // 8 // user_bytes
    at_once = min(max(fitting, 1), _MOST_USERS)
    if popularity is None:
        popularity = recommender.biases.item_count
    n_users = n_rows = 0
    progress.start("recommending", len(users), "users")
    with publishing_file(output) as partial, pq.ParquetWriter(partial, table.schema) as writer:
        for start in range(0, len(users), at_once):
            chunk = users[start : start + at_once]
            scores = recommender.score_users(chunk)
            seen = seen_items(catalog, data, chunk)
            positions = top_items(scores, seen, popularity, top)
            n_users += int(np.count_nonzero(positions[:, 0] >= 0))
            n_listed = table.add(chunk, scores, positions)
            n_rows += n_listed
            progress.advance(len(chunk), n_listed)
            if table.n_waiting >= _GROUP_ROWS:
                writer.write_table(table.take())
        if table.n_waiting:
            writer.write_table(table.take())
    seconds = time.perf_counter() - started
    return TopListsSummary(
        n_users, data.spec.n_users - n_users, n_rows, seconds, n_rows / seconds,
        peak_rss_bytes(), str(output),
    )  # fmt: skip


class _ListTable:
    """Rows of lists that wait to be written."""

    def __init__(self, user_ids: Array, users: Vocabulary, items: Items) -> None:
        self._user_ids = user_ids
        self._users = users
        self._items = items
        self._titles = pa.array(items.titles, pa.string())
        # Parquet takes no null in a dictionary, so an item without a title has no place in it.
        self._untitled = self._titles.is_null().to_numpy(zero_copy_only=False)
        self._words = self._titles.fill_null("")
        self._item_keys = None if items.texts is None else items.texts.to_arrow().cast(pa.string())
        self._waiting: list[tuple[Array, ...]] = []
        self.n_waiting = 0
        self.schema = pa.schema(
            {
                USER_ID: pa.string() if users.has_keys else pa.int32(),
                "rank": pa.int32(),
                ITEM_ID: pa.int32() if self._item_keys is None else _WORD,
                "title": _WORD,
                "score": pa.float32(),
            }
        )

    def add(self, users: Array, scores: Array, positions: Array) -> int:
        """Add the lists of some users; return their rows."""
        user, rank = np.nonzero(positions >= 0)
        item = positions[user, rank].astype(np.int32)
        rows = (
            users[user], (rank + 1).astype(np.int32), item, scores[user, item].astype(np.float32)
        )  # fmt: skip
        self._waiting.append(rows)
        self.n_waiting += len(item)
        return len(item)

    def take(self) -> pa.Table:
        """All rows that wait; then none does."""
        user, rank, item, score = map(np.concatenate, zip(*self._waiting, strict=True))
        self._waiting.clear()
        self.n_waiting = 0
        user_id = self._users.keys_of(self._user_ids[user]).to_arrow()
        columns = [
            user_id.cast(self.schema.field(USER_ID).type),
            rank,
            self._items.ids[item]
            if self._item_keys is None
            else pa.DictionaryArray.from_arrays(pa.array(item), self._item_keys),
            pa.DictionaryArray.from_arrays(pa.array(item, mask=self._untitled[item]), self._words),
            score,
        ]
        return pa.table(columns, schema=self.schema)
