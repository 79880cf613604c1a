"""Stores whose users and items are called by texts, of a source that the tests bring."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.ingest.ingest import ingest_ratings
from bigrec.interactions import Scale
from bigrec.resources import Budget
from bigrec.sources import registry
from bigrec.sources.contract import BatchSource
from bigrec.sources.raw import RawFile, RawFolder

ODD = (
    "007", "7", " 7", "7 ", "07", "-5", "+5", "1e3", "0x7", "true", "NaN", "null", "None", "a,b",
    'say "hi"', '"quoted"', "it's", "tab\tin", "x;y", "日本", "Zo\u00eb", "Zoe\u0308",
    "ABC", "abc", "%_", "$1",
    "é" * 40, "2147483648", "99999999999999999999", "a/b\\c", "user_7", "∅", "#1", "=1+1",
)  # fmt: skip
"""Keys of letters that something on the way could trip over; no two are the same text."""


class KeyedSource(BatchSource):
    """ratings.parquet with the columns user_id, item_id, rating and date."""

    name = "keyed"
    signature = "ratings.parquet"
    scale = Scale.even(1, 10, 10)

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        return folder.has("ratings.parquet")

    def files(self) -> list[list[RawFile]]:
        return [self.folder.glob("ratings.parquet", looks_inside=False)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.files()[0][0].path) as table:
            yield from table.iter_batches()


def keyed_ratings(*, n_users: int = 120, n_items: int = 60, seed: int = 3) -> pl.DataFrame:
    """Ratings of 1 to 10 by users and of items that are called by texts, in a random order.

    The odd texts are the names of users and items who meet often.
    """
    random = np.random.default_rng(seed)
    users = [*ODD, *(f"A{number:06}" for number in range(n_users - len(ODD)))]
    items = [*ODD, *(f"B{number:04}" for number in range(n_items - len(ODD)))]
    user, item = np.nonzero(random.random((n_users, n_items)) < 0.4)
    liking = 5.5 + random.normal(0, 1.5, n_users)[user] + random.normal(0, 1.5, n_items)[item]
    rating = np.clip(np.rint(liking + random.normal(0, 1, len(user))), 1, 10)
    day = dt.date(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "user_id": [users[index] for index in user.tolist()],
            "item_id": [items[index] for index in item.tolist()],
            "rating": rating.astype(np.float32),
            "date": [day + dt.timedelta(int(late)) for late in random.integers(0, 900, len(user))],
        }
    )
    return frame.sample(fraction=1, shuffle=True, seed=seed)


def make_keyed_store(folder: Path, ratings: pl.DataFrame | None = None) -> pl.DataFrame:
    """A store with keys at folder/store; returns the ratings that it holds.

    Args:
        folder: gets raw/ and store/.
        ratings: by keys; `keyed_ratings()` if None.
    """
    ratings = keyed_ratings() if ratings is None else ratings
    (folder / "raw").mkdir(parents=True)
    ratings.write_parquet(folder / "raw" / "ratings.parquet")
    with mock.patch.object(registry, "_registered", {"keyed": KeyedSource}):
        ingest_ratings(folder / "raw", folder / "store", budget=Budget(threads=2))
    return ratings
