"""Materializing a split for training: dense indices, rows by user, and a uniform shuffle.

    shards/manifest.json                  digest of the split, counts, mean, digest of each file
    shards/users.npy, movies.npy          (n,) int32 ids; position = dense index
    shards/SIDE/indptr.npy                (n_users + 1,) int64: user u has indptr[u]:indptr[u+1]
    shards/SIDE/movie_index.npy           (n_rows,) int32, ascending for each user
    shards/SIDE/rating.npy                (n_rows,) float32, stars
    shards/shuffled/00000.npy …           the train side again, (n,) PAIR_DTYPE, in random order

SIDE is train, test and, where the split has one, validation. One scan of ratings_by_user writes the
rows by user and throws every train row into a random bucket; then each bucket is shuffled on its
own. A random bucket for each row and a uniform shuffle inside each bucket make a uniform shuffle of
all, in memory for one bucket a thread.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from bigrec.errors import StoreError
from bigrec.resources import SILENT, Budget, Progress, map_in_order
from bigrec.schema import RATING
from bigrec.splits.kernels import (
    TEST,
    TRAIN,
    VALIDATION,
    group_by_side,
    scatter_train,
    shuffle_rows,
)  # fmt: skip
from bigrec.splits.selection import SelectedRows, scan_selected
from bigrec.splits.shards import FORMAT_VERSION, are_current, file_digest
from bigrec.splits.splits import Split
from bigrec.store.writer import publishing

Array = np.ndarray[Any, Any]

PAIR_DTYPE: Final = np.dtype(
    [("user_index", "<i4"), ("movie_index", "<i4"), ("rating", "<f4")], align=True
)
_SHARD_ROWS = 1 << 20
_SIDES: Final = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


class _Prepared(NamedTuple):
    """The selected rows of one row group, ready to be written."""

    movie_index: Array
    """(n,) int32, by side."""
    rating: Array
    """(n,) float32, by side."""
    side_ends: Array
    """(N_SIDES + 1,) int64."""
    pairs: Array
    """(n_train, 3) int32, by bucket: the bytes of PAIR_DTYPE."""
    bucket_ends: Array
    """(n_buckets + 1,) int64."""
    rating_sum: float
    """Stars of the train side."""
    n_read: int
    """Rows of the row group."""


def materialize_split(
    split: Split, *, budget: Budget | None = None, progress: Progress = SILENT
) -> Path:
    """Write a split's shards unless they are there already.

    Args:
        split: a saved split.
        budget: threads and memory.
        progress: told of finished rows.

    Returns:
        The folder of shards.

    Raises:
        StoreError: the store has no ratings by user.
    """
    if are_current(split.shards, split.digest):
        return split.shards
    budget = budget or Budget()
    layout = split.catalog.layout
    parts = layout.parts(layout.ratings_by_user)
    if not parts:
        raise StoreError(
            f"{layout.root} has no ratings by user", hint="ingest again without --no-by-user"
        )
    users = split.users().collect()
    selection = split.selection()
    seed = split.spec.seed
    n_shards = max(1, -(-split.summary.n_train // _SHARD_ROWS))

    def prepare(rows: SelectedRows) -> _Prepared:
        movie_index, stars, side_ends = group_by_side(rows.movie_index, rows.stars, rows.side)
        pairs, bucket_ends = scatter_train(
            rows.user_index, rows.movie_index, rows.stars, rows.side, n_shards, seed
        )
        rating = stars.view(np.float32)
        rating_sum = float(rating[: side_ends[TRAIN + 1]].sum(dtype=np.float64))
        return _Prepared(
            movie_index, rating, side_ends, pairs, bucket_ends, rating_sum, rows.n_read
        )

    with publishing(split.shards) as partial:
        np.save(partial / "users.npy", selection.users.ids)
        np.save(partial / "movies.npy", selection.movies.ids)
        rating_sum = 0.0
        progress.start("materializing", split.catalog.manifest.n_ratings, "ratings")
        with contextlib.ExitStack() as files:
            sides = [
                _SideWriter(files, partial / name, side, users[f"n_{name}"].to_numpy())
                for name, side in _SIDES.items()
                if name != "validation" or split.spec.validation_fraction
            ]
            buckets: list[BinaryIO] = [
                files.enter_context(_bucket(partial, number).open("wb"))
                for number in range(n_shards)
            ]
            for rows in scan_selected(parts, selection, budget.threads, prepare, columns=[RATING]):
                for writer in sides:
                    writer.append(rows)
                _write_slices(buckets, rows.pairs, rows.bucket_ends)
                rating_sum += rows.rating_sum
                progress.advance(rows.n_read, rows.n_read)
        _shuffle_buckets(partial, n_shards, seed, budget, progress)
        _write_manifest(partial, split, rating_sum, budget)
    return split.shards


class _SideWriter:
    """Appends one side's rows to its .npy files, whose lengths are known beforehand."""

    def __init__(
        self, files: contextlib.ExitStack, folder: Path, side: int, lengths: Array
    ) -> None:
        folder.mkdir()
        indptr = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        np.save(folder / "indptr.npy", indptr)
        self._side = side
        self._movie_index = files.enter_context((folder / "movie_index.npy").open("wb"))
        self._rating = files.enter_context((folder / "rating.npy").open("wb"))
        for file, dtype in ((self._movie_index, "<i4"), (self._rating, "<f4")):
            _write_npy_header(file, np.dtype(dtype), int(indptr[-1]))

    def append(self, rows: _Prepared) -> None:
        of_side = slice(rows.side_ends[self._side], rows.side_ends[self._side + 1])
        self._movie_index.write(rows.movie_index[of_side].data)
        self._rating.write(rows.rating[of_side].data)


def _write_npy_header(file: BinaryIO, dtype: np.dtype[Any], n_rows: int) -> None:
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        file, {"descr": description, "fortran_order": False, "shape": (n_rows,)}
    )


def _bucket(folder: Path, number: int) -> Path:
    return folder / f"bucket-{number:05d}"


def _write_slices(files: list[BinaryIO], rows: Array, ends: Array) -> None:
    edges = ends.tolist()
    for file, start, end in zip(files, edges, edges[1:], strict=False):
        file.write(rows[start:end].data)


def _shuffle_buckets(
    partial: Path, n_shards: int, seed: int, budget: Budget, progress: Progress
) -> None:
    folder = partial / "shuffled"
    folder.mkdir()
    progress.start("shuffling", n_shards, "shards")

    def shuffle(number: int) -> int:
        source = _bucket(partial, number)
        rows = np.fromfile(source, np.int32).reshape(-1, 3)
        source.unlink()
        shuffle_rows(rows, seed, number)
        np.save(folder / f"{number:05d}.npy", rows.view(PAIR_DTYPE).reshape(-1))
        return len(rows)

    for n_rows in map_in_order(shuffle, range(n_shards), budget.threads):
        progress.advance(1, n_rows)


def _write_manifest(partial: Path, split: Split, rating_sum: float, budget: Budget) -> None:
    paths = list(_files(partial))
    digests = map_in_order(file_digest, paths, budget.threads)
    fields = {
        "format_version": FORMAT_VERSION,
        "split": split.name,
        "split_digest": split.digest,
        "protocol": split.spec.protocol(),
        "n_train": split.summary.n_train,
        "n_validation": split.summary.n_validation,
        "n_test": split.summary.n_test,
        "n_users": split.summary.n_users,
        "n_movies": split.summary.n_movies,
        "mean_rating": rating_sum / split.summary.n_train,
        "min_rating": split.catalog.manifest.min_rating,
        "max_rating": split.catalog.manifest.max_rating,
        "files": {
            path.relative_to(partial).as_posix(): digest
            for path, digest in zip(paths, digests, strict=True)
        },
    }
    (partial / "manifest.json").write_text(json.dumps(fields, indent=2) + "\n")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
