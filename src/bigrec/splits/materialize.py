"""Materializing a split for training: dense indices, rows by user, and a uniform shuffle.

    shards/manifest.json                  digest of the split, counts, mean, digest of each file
    shards/users.npy, movies.npy          (n,) int32 ids; position = dense index
    shards/{train,test}/indptr.npy        (n_users + 1,) int64: user u has indptr[u]:indptr[u+1]
    shards/{train,test}/movie_index.npy   (n_rows,) int32, ascending for each user
    shards/{train,test}/rating.npy        (n_rows,) float32, stars
    shards/shuffled/00000.npy …           the train side again, (n,) PAIR_DTYPE, in random order

One scan of ratings_by_user writes the rows by user and throws every train row into a bucket by a
second random key; then each bucket is shuffled on its own. A random bucket for each row and a
uniform shuffle inside each bucket make a uniform shuffle of all, in memory for one bucket.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numba
import numpy as np

from bigrec.errors import StoreError
from bigrec.resources import SILENT, Budget, Progress, map_in_order
from bigrec.splits.random_key import PRIME
from bigrec.splits.selection import IdIndex, SelectedRows, scan_selected
from bigrec.splits.splits import Split
from bigrec.store.writer import publishing

Array = np.ndarray[Any, Any]

PAIR_DTYPE: Final = np.dtype(
    [("user_index", "<i4"), ("movie_index", "<i4"), ("rating", "<f4")], align=True
)
FORMAT_VERSION: Final = 1
_SHARD_ROWS = 1 << 20
_SIDES = ("train", "test")


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
    if _is_current(split):
        return split.shards
    budget = budget or Budget()
    layout = split.catalog.layout
    parts = layout.parts(layout.ratings_by_user)
    if not parts:
        raise StoreError(
            f"{layout.root} has no ratings by user", hint="ingest again without --no-by-user"
        )
    users, movies = split.users().collect(), split.movies().collect()
    counts = {
        side: np.concatenate(([0], np.cumsum(users[f"n_{side}"].to_numpy(), dtype=np.int64)))
        for side in _SIDES
    }
    user_ids, movie_ids = users["user_id"].to_numpy(), movies["movie_id"].to_numpy()
    n_shards = max(1, -(-split.summary.n_train // _SHARD_ROWS))
    with publishing(split.shards) as partial:
        np.save(partial / "users.npy", user_ids)
        np.save(partial / "movies.npy", movie_ids)
        rating_sum = 0.0
        progress.start("materializing", split.summary.n_train + split.summary.n_test, "ratings")
        with contextlib.ExitStack() as files:
            sides = [_SideWriter(files, partial / side, counts[side]) for side in _SIDES]
            buckets: list[BinaryIO] = [
                files.enter_context((partial / f"bucket-{n:05d}").open("wb"))
                for n in range(n_shards)
            ]
            selected = scan_selected(
                parts, IdIndex.of(user_ids), IdIndex.of(movie_ids), split.spec, budget.threads
            )
            for rows in selected:
                for side, mask in zip(sides, (~rows.is_test, rows.is_test), strict=True):
                    side.append(rows.movie_index[mask], rows.rating[mask])
                rating_sum += float(rows.rating[~rows.is_test].sum(dtype=np.float64))
                _scatter_train(rows, buckets)
                progress.advance(len(rows.key), len(rows.key))
        _shuffle_buckets(partial, n_shards, split.spec.seed, budget, progress)
        _write_manifest(partial, split, rating_sum)
    return split.shards


class _SideWriter:
    """Appends one side's rows to its .npy files, whose lengths are known beforehand."""

    def __init__(self, files: contextlib.ExitStack, folder: Path, indptr: Array) -> None:
        folder.mkdir()
        np.save(folder / "indptr.npy", indptr)
        n_rows = int(indptr[-1])
        self._movie_index = files.enter_context((folder / "movie_index.npy").open("wb"))
        self._rating = files.enter_context((folder / "rating.npy").open("wb"))
        for file, dtype in ((self._movie_index, "<i4"), (self._rating, "<f4")):
            _write_npy_header(file, np.dtype(dtype), n_rows)

    def append(self, movie_index: Array, rating: Array) -> None:
        self._movie_index.write(movie_index.data)
        self._rating.write(rating.data)


def _write_npy_header(file: BinaryIO, dtype: np.dtype[Any], n_rows: int) -> None:
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        file, {"descr": description, "fortran_order": False, "shape": (n_rows,)}
    )


def _scatter_train(rows: SelectedRows, buckets: list[BinaryIO]) -> None:
    train = np.flatnonzero(~rows.is_test)
    pairs = np.empty(len(train), PAIR_DTYPE)
    pairs["user_index"] = rows.user_index[train]
    pairs["movie_index"] = rows.movie_index[train]
    pairs["rating"] = rows.rating[train]
    bucket = _bucket_numbers(rows.key[train], len(buckets))
    order = np.argsort(bucket, kind="stable")
    ends = np.cumsum(np.bincount(bucket, minlength=len(buckets)))
    pairs = pairs[order]
    start = 0
    for file, end in zip(buckets, ends.tolist(), strict=True):
        file.write(pairs[start:end].data)
        start = end


@numba.njit(nogil=True, cache=True)
def _bucket_numbers(keys, n_buckets):  # type: ignore[no-untyped-def]
    """A bucket for each row: its random key mixed once more, since sides depend on the key."""
    numbers = np.empty(len(keys), np.uint16)
    for row in range(len(keys)):
        state = (keys[row] * keys[row] + keys[row] * 69_621 + 12_345) % PRIME
        state = (state * state + state * 48_271 + 1) % PRIME
        numbers[row] = state * n_buckets // PRIME
    return numbers


def _shuffle_buckets(
    partial: Path, n_shards: int, seed: int, budget: Budget, progress: Progress
) -> None:
    folder = partial / "shuffled"
    folder.mkdir()
    progress.start("shuffling", n_shards, "shards")

    def shuffle(number: int) -> int:
        source = partial / f"bucket-{number:05d}"
        pairs = np.fromfile(source, PAIR_DTYPE)
        np.random.default_rng([seed, number, 3]).shuffle(pairs)
        np.save(folder / f"{number:05d}.npy", pairs)
        source.unlink()
        return len(pairs)

    for n_rows in map_in_order(shuffle, range(n_shards), budget.threads):
        progress.advance(1, n_rows)


def _write_manifest(partial: Path, split: Split, rating_sum: float) -> None:
    fields = {
        "format_version": FORMAT_VERSION,
        "split": split.name,
        "split_digest": split.digest,
        "protocol": split.spec.protocol(),
        "n_train": split.summary.n_train,
        "n_test": split.summary.n_test,
        "n_users": split.summary.n_users,
        "n_movies": split.summary.n_movies,
        "mean_rating": rating_sum / split.summary.n_train,
        "min_rating": split.catalog.manifest.min_rating,
        "max_rating": split.catalog.manifest.max_rating,
        "files": {
            path.relative_to(partial).as_posix(): _file_digest(path) for path in _files(partial)
        },
    }
    (partial / "manifest.json").write_text(json.dumps(fields, indent=2) + "\n")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_current(split: Split) -> bool:
    path = split.shards / "manifest.json"
    if not path.exists():
        return False
    fields = json.loads(path.read_text())
    return bool(
        fields["split_digest"] == split.digest and fields["format_version"] == FORMAT_VERSION
    )
