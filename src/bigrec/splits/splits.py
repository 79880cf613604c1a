"""Saved splits: creating one (a description and its counts), opening one, reading its sides lazily.

splits/NAME/split.json        the spec, its digest, its counts
splits/NAME/users.parquet     user_id, n_train, n_test; row number = user_index
splits/NAME/movies.parquet    movie_id, n_train, n_test; row number = movie_index
splits/NAME/shards/           once materialized (see materialize)
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from bigrec.errors import SettingsError, SplitError
from bigrec.resources import SILENT, Budget, Progress
from bigrec.schema import MOVIE_ID, USER_ID
from bigrec.splits.selection import IdIndex, frequent_ids, lazy_side, scan_selected
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog
from bigrec.store.writer import publishing, write_table

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SplitSummary:
    """The counts of a split."""

    name: str
    n_train: int
    """Rows on the train side."""
    n_test: int
    """Rows on the test side."""
    n_users: int
    """Users with a row on either side."""
    n_movies: int
    """Movies with a row on either side."""
    seconds: float
    """Wall time of creating it."""


@dataclass(frozen=True)
class Split:
    """A saved split of a store."""

    catalog: Catalog
    spec: SplitSpec
    summary: SplitSummary
    digest: str
    """Identity of the split: of the store's rows and the spec."""

    @property
    def name(self) -> str:
        """The name it was saved under."""
        return self.summary.name

    @property
    def folder(self) -> Path:
        """Where it is saved."""
        return self.catalog.layout.split(self.name)

    @property
    def shards(self) -> Path:
        """Where its materialized form is, if anywhere."""
        return self.folder / "shards"

    @property
    def train(self) -> pl.LazyFrame:
        """The train side: the columns of ratings, lazily read from the store."""
        return lazy_side(self.catalog, self.spec, test=False)

    @property
    def test(self) -> pl.LazyFrame:
        """The test side: the columns of ratings, lazily read from the store."""
        return lazy_side(self.catalog, self.spec, test=True)

    def users(self) -> pl.LazyFrame:
        """user_id, n_train, n_test in order of user_index."""
        return pl.scan_parquet(self.folder / "users.parquet")

    def movies(self) -> pl.LazyFrame:
        """movie_id, n_train, n_test in order of movie_index."""
        return pl.scan_parquet(self.folder / "movies.parquet")


def create_split(
    catalog: Catalog,
    name: str,
    spec: SplitSpec,
    *,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> Split:
    """Count a split's rows in one scan and save its description under a name.

    The same spec under the same name a second time changes nothing.

    Args:
        catalog: the store.
        name: letters, digits, `-`, `_` and `.`.
        spec: what decides the split.
        budget: threads to scan with.
        progress: told of scanned rows.

    Raises:
        SettingsError: the name cannot be a folder's name.
        SplitError: the name is taken by another split, or a side would be empty.
    """
    started = time.perf_counter()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingsError(
            f"{name!r} cannot name a split", hint="use letters, digits, '-', '_' and '.'"
        )
    folder = catalog.layout.split(name)
    if (folder / "split.json").exists():
        existing = open_split(catalog, name)
        if existing.spec == spec:
            return existing
        raise SplitError(
            f"the split {name!r} exists: {existing.spec.protocol()}",
            hint=f"choose another name, or remove {folder}",
        )
    budget = budget or Budget()
    users = IdIndex.of(frequent_ids(catalog.users(), USER_ID, spec.min_user_ratings))
    movies = IdIndex.of(frequent_ids(catalog.movies(), MOVIE_ID, spec.min_movie_ratings))
    by_user, by_movie = _count(catalog, users, movies, spec, budget, progress)
    (n_train, n_test), present_users = by_user.sum(axis=0).tolist(), by_user.any(axis=1)
    present_movies = by_movie.any(axis=1)
    if not n_train or not n_test:
        raise SplitError(
            f"this split would have {n_train:,} train and {n_test:,} test rows: "
            f"{spec.protocol()} leaves {len(users.ids):,} users and {len(movies.ids):,} movies",
            hint="lower the minimum counts",
        )
    with publishing(folder) as partial:
        for path, column, index, counts, present in (
            ("users.parquet", USER_ID, users, by_user, present_users),
            ("movies.parquet", MOVIE_ID, movies, by_movie, present_movies),
        ):
            columns = {
                column: index.ids[present],
                "n_train": counts[present, 0],
                "n_test": counts[present, 1],
            }
            write_table(partial / path, {name: pa.array(v) for name, v in columns.items()})
        summary = SplitSummary(
            name=name,
            n_train=n_train,
            n_test=n_test,
            n_users=int(present_users.sum()),
            n_movies=int(present_movies.sum()),
            seconds=time.perf_counter() - started,
        )
        digest = spec.digest(catalog.manifest.fingerprint)
        fields = {
            "spec": spec.to_json(),
            "digest": digest,
            "protocol": spec.protocol(),
            "counts": dataclasses.asdict(summary),
        }
        (partial / "split.json").write_text(json.dumps(fields, indent=2) + "\n")
    return Split(catalog, spec, summary, digest)


def open_split(catalog: Catalog, name: str) -> Split:
    """Open a saved split.

    Raises:
        SplitError: the store has no such split, or it belongs to other data.
    """
    path = catalog.layout.split(name) / "split.json"
    if not path.exists():
        raise SplitError.unknown(name, catalog.split_names())
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        spec = SplitSpec.from_json(fields["spec"])
        summary = SplitSummary(**fields["counts"])
    except (ValueError, KeyError, TypeError) as error:
        raise SplitError(
            f"{path} cannot be read: {error}", hint="remove it and make the split again"
        ) from error
    digest = spec.digest(catalog.manifest.fingerprint)
    if digest != fields["digest"]:
        raise SplitError(
            f"the split {name!r} was made of other ratings than the store holds now",
            hint=f"remove {path.parent} and make the split again",
        )
    return Split(catalog, spec, summary, digest)


def _count(
    catalog: Catalog,
    users: IdIndex,
    movies: IdIndex,
    spec: SplitSpec,
    budget: Budget,
    progress: Progress,
) -> tuple[Array, Array]:
    """Rows on the (train, test) side of each user and movie: (n, 2) int32 each."""
    by_user = np.zeros((len(users.ids), 2), np.int32)
    by_movie = np.zeros((len(movies.ids), 2), np.int32)
    layout = catalog.layout
    progress.start("counting", catalog.manifest.n_ratings, "ratings")
    for rows in scan_selected(layout.parts(layout.ratings), users, movies, spec, budget.threads):
        side = rows.is_test.astype(np.int64)
        for counts, index in ((by_user, rows.user_index), (by_movie, rows.movie_index)):
            flat = np.bincount(index * 2 + side, minlength=counts.size)
            counts += flat.reshape(counts.shape).astype(np.int32)
        progress.advance(len(side), len(side))
    return by_user, by_movie
