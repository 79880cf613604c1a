"""Materializing a split for training: dense indices, rows by user, and a uniform shuffle.

    shards/manifest.json                  digest of the split, counts, scale, feedback, packing
    shards/users.npy, items.npy          (n,) int32 ids; position = dense index
    shards/SUBSET/indptr.npy                (n_users + 1,) int64: user u has indptr[u]:indptr[u+1]
    shards/SUBSET/item_index.npy           (n_rows,) int32, ascending for each user
    shards/SUBSET/rating.npy                (n_rows,) float32
    shards/shuffled/00000.npy …           the train subset again, in random order: (n,) int64 pairs,
                                          see bigrec.interactions

SUBSET is train, test and, where the split has one, validation. One scan of ratings_by_user writes
the rows by user and throws every train row into a shard at random; then each shard is shuffled on
its own. A random shard for each row and a uniform shuffle inside each shard make a uniform shuffle
of all, in memory for one shard a thread.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from bigrec.errors import StoreError
from bigrec.interactions import Packing, Scale
from bigrec.resources import SILENT, Budget, Progress, map_in_order
from bigrec.schema import RATING
from bigrec.splits.array_file import ArrayFile, save_array
from bigrec.splits.days import write_days
from bigrec.splits.kernels import N_SUBSETS, TEST, TRAIN, VALIDATION
from bigrec.splits.selection import SelectedRows, scan_selected
from bigrec.splits.shards import FORMAT_VERSION, making_once
from bigrec.splits.shuffling import order_rows, shuffle_pairs
from bigrec.splits.splits import Split
from bigrec.splits.subsets import require_times
from bigrec.store.publish import Draft
from bigrec.store.seal import Kind
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_PAIR: Final = np.dtype("<i8")
_SHARD_ROWS = 1 << 20
_SUBSETS: Final = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


class _OrderedRows(NamedTuple):
    """The selected rows of one row group in the orders in which they are written."""

    item_index: Array
    """(n,) int32, by subset."""
    rating: Array
    """(n,) float32, by subset."""
    subset_ends: Array
    """(N_SUBSETS + 1,) int64."""
    pairs: Array
    """(n,) int64, by shard, those of other subsets than train behind the last shard."""
    shard_ends: Array
    """(n_shards + 2,) int64."""


class _Orderer:
    """Orders the rows of row groups, in memory that is used again once they are written."""

    def __init__(self, n_shards: int, seed: int, scale: Scale) -> None:
        self._n_shards, self._seed, self._table = n_shards, seed, scale.table
        self._workspace = Workspace()
        self._spare: list[_OrderedRows] = []

    def order(self, rows: SelectedRows) -> tuple[_OrderedRows, float, int]:
        """The rows in order, the sum of ratings of the train subset, and how many were read."""
        n = len(rows.subset)
        ordered = self._take(rows.n_read)
        buckets = self._workspace.array("buckets", n, np.uint16)
        order_rows(
            rows.pair, rows.packing, self._table, rows.subset, self._n_shards, self._seed, buckets,
            tuple(ordered),
        )  # fmt: skip
        n_train = ordered.subset_ends[TRAIN + 1]
        rating_sum = ordered.rating[:n_train].sum(dtype=np.float64)
        return ordered, float(rating_sum), rows.n_read

    def release(self, ordered: _OrderedRows) -> None:
        """Take back what has been written."""
        self._spare.append(ordered)

    def _take(self, n: int) -> _OrderedRows:
        with contextlib.suppress(IndexError):  # nothing is spare
            spare = self._spare.pop()
            if len(spare.pairs) >= n:
                return spare
        return _OrderedRows(
            np.empty(n, np.int32),
            np.empty(n, np.float32),
            np.empty(N_SUBSETS + 1, np.int64),
            np.empty(n, np.int64),
            np.empty(self._n_shards + 2, np.int64),
        )


def materialize_split(
    split: Split,
    *,
    with_days: bool = False,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Write a split's shards unless they are there already.

    Args:
        split: a saved split.
        with_days: whether to write the days of the ratings too; see `days`.
        budget: threads and memory.
        progress: told of finished rows.

    Returns:
        The folder of shards.

    Raises:
        StoreError: the store has no ratings by user.
        SplitError: days are wanted, and the store has no times.
    """
    budget = budget or Budget()
    if with_days:
        require_times(split.catalog, "a model with day biases")
    making_once(
        split.shards,
        Kind.SHARDS,
        split.digest,
        progress,
        lambda draft: _write_shards(draft, split, budget, progress),
    )
    if with_days:
        write_days(split, budget, progress)
    return split.shards


def _write_shards(draft: Draft, split: Split, budget: Budget, progress: Progress) -> None:
    partial = draft.folder
    layout = split.catalog.layout
    if not layout.parts(layout.ratings_by_user):
        raise StoreError(
            f"{layout.root} has no ratings by user", hint="ingest again without --no-by-user"
        )
    users = split.users().collect()
    selection = split.selection()
    seed = split.spec.seed
    n_shards = max(1, -(-split.summary.n_train // _SHARD_ROWS))

    orderer = _Orderer(n_shards, seed, split.catalog.manifest.scale)
    rating_sum = 0.0
    progress.start("materializing", split.catalog.manifest.n_ratings, "ratings")
    with contextlib.ExitStack() as files:
        subsets = [
            _SubsetWriter(files, partial / name, subset, users[f"n_{name}"].to_numpy())
            for name, subset in _SUBSETS.items()
            if name != "validation" or split.spec.validation_fraction
        ]
        (partial / "shuffled").mkdir()
        shards = [
            files.enter_context(_shard(partial, number).open("wb")) for number in range(n_shards)
        ]
        for rows, more, n_read in scan_selected(
            split.catalog, selection, budget.threads, orderer.order, columns=[RATING]
        ):
            for writer in subsets:
                writer.append(rows)
            edges = rows.shard_ends.tolist()
            for shard, start, end in zip(shards, edges, edges[1:], strict=False):
                shard.write(rows.pairs[start:end].data)
            orderer.release(rows)
            rating_sum += more
            progress.advance(n_read, n_read)
    digests = draft.digests
    for writer in subsets:
        digests |= writer.digests()
    for name, ids in (("users.npy", selection.users.ids), ("items.npy", selection.items.ids)):
        digests[partial / name] = save_array(partial / name, ids)
    digests |= _shuffle_shards(partial, n_shards, seed, budget, progress)
    _write_manifest(partial, split, rating_sum)


class _SubsetWriter:
    """Appends one subset's rows to its files."""

    def __init__(
        self, files: contextlib.ExitStack, folder: Path, subset: int, lengths: Array
    ) -> None:
        folder.mkdir()
        self._folder, self._subset = folder, subset
        self._indptr = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
        self._item_index, self._rating = (
            files.enter_context(ArrayFile(folder / name, dtype, int(self._indptr[-1])))
            for name, dtype in (("item_index.npy", "<i4"), ("rating.npy", "<f4"))
        )

    def append(self, rows: _OrderedRows) -> None:
        of_subset = slice(rows.subset_ends[self._subset], rows.subset_ends[self._subset + 1])
        self._item_index.append(rows.item_index[of_subset])
        self._rating.append(rows.rating[of_subset])

    def digests(self) -> dict[Path, str]:
        """Finish the subset; the digest of each of its files."""
        indptr = self._folder / "indptr.npy"
        digests = {indptr: save_array(indptr, self._indptr)}
        return digests | {file.path: file.digest for file in (self._item_index, self._rating)}


def _shard(folder: Path, number: int) -> Path:
    return folder / "shuffled" / f"{number:05d}.npy"


def _shuffle_shards(
    partial: Path, n_shards: int, seed: int, budget: Budget, progress: Progress
) -> dict[Path, str]:
    """Make an array of the bare rows of each shard, shuffled; the digests of the files."""
    progress.start("shuffling", n_shards, "shards")

    def shuffle(number: int) -> tuple[Path, str, int]:
        path = _shard(partial, number)
        pairs = np.fromfile(path, _PAIR)
        shuffle_pairs(pairs, seed, 0, number)  # the epochs of trainings count from 1
        return path, save_array(path, pairs), len(pairs)

    digests = {}
    for path, digest, n_rows in map_in_order(shuffle, range(n_shards), budget.threads):
        digests[path] = digest
        progress.advance(1, n_rows)
    return digests


def _write_manifest(partial: Path, split: Split, rating_sum: float) -> None:
    scale, summary = split.catalog.manifest.scale, split.summary
    packing = Packing.for_counts(summary.n_users, summary.n_items, len(scale.values))
    fields = {
        "format_version": FORMAT_VERSION,
        "split": split.name,
        "split_digest": split.digest,
        "protocol": split.spec.protocol(),
        "n_train": split.summary.n_train,
        "n_validation": split.summary.n_validation,
        "n_test": split.summary.n_test,
        "n_users": split.summary.n_users,
        "n_items": split.summary.n_items,
        "mean_rating": rating_sum / split.summary.n_train,
        "scale": list(scale.values),
        "feedback": split.catalog.manifest.feedback,
        "packing": packing._asdict(),
    }
    (partial / "manifest.json").write_text(json.dumps(fields, indent=2) + "\n")
