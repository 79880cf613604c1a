"""A materialized split, opened for training: the vocabulary, rows by user, shuffled shards.

Arrays are memory-mapped, so opening costs nothing and the system decides what stays in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from bigrec.errors import SettingsError, StoreError
from bigrec.interactions import Packing, Scale
from bigrec.rows import DataSpec, Rows
from bigrec.splits.array_file import check_indices, open_array
from bigrec.splits.shards import are_current
from bigrec.store.seal import SEAL, Kind, damaged, open_sealed, read_object

Array = np.ndarray[Any, Any]


class Shards(NamedTuple):
    """A shuffled train subset on disk."""

    paths: list[Path]
    """(n,) int64 pairs each."""
    packing: Packing
    """Of the pairs."""
    scale: Scale
    """Of their ratings."""


@dataclass(frozen=True)
class TrainingData:
    """One materialized split."""

    folder: Path
    """The folder of shards."""
    split: str
    """Name of the split."""
    split_digest: str
    """Identity of the split."""
    protocol: str
    """The split in one line."""
    spec: DataSpec
    """Sizes and bounds of the scale."""
    scale: Scale
    """The ratings that there may be."""
    packing: Packing
    """Of the pairs of the shards."""

    @cached_property
    def split_spec(self) -> dict[str, Any]:
        """The fields of the split's SplitSpec, as saved beside the shards."""
        return dict(read_object(self.folder.parent / "split.json", Kind.SPLIT)["spec"])

    @cached_property
    def has_days(self) -> bool:
        """Whether the subsets come with the days of their ratings."""
        return are_current(self._days, Kind.DAYS, self.split_digest)

    def check_days(self) -> None:
        """Make sure that the subsets come with days.

        Raises:
            StoreError: they do not.
        """
        if not self.has_days:
            raise StoreError(
                f"day_biases need the days of split {self.split!r}, which are not materialized",
                hint="call materialize_split(split, with_days=True), then open it again",
            )

    @property
    def _days(self) -> Path:
        return self.folder.parent / "days"

    @cached_property
    def user_ids(self) -> Array:
        """(n_users,) int32, ascending: the id of each user_index."""
        return np.array(self._array("users.npy", np.int32, self.spec.n_users))

    @cached_property
    def item_ids(self) -> Array:
        """(n_items,) int32, ascending: the id of each item_index."""
        return np.array(self._array("items.npy", np.int32, self.spec.n_items))

    @cached_property
    def train(self) -> Rows:
        """The train subset by user."""
        return self._rows("train")

    @cached_property
    def validation(self) -> Rows | None:
        """The validation subset by user; None if the split has none."""
        return self._rows("validation") if (self.folder / "validation").is_dir() else None

    @cached_property
    def test(self) -> Rows:
        """The test subset by user."""
        return self._rows("test")

    def find_users(self, user_ids: Array) -> Array:
        """The user_index of each id: (n,) int32, -1 for ids that are not in the split."""
        return _find(self.user_ids, user_ids)

    def find_items(self, item_ids: Array) -> Array:
        """The item_index of each id: (n,) int32, -1 for ids that are not in the split."""
        return _find(self.item_ids, item_ids)

    def shards(self) -> Shards:
        """The shuffled train subset, one file a shard."""
        paths = sorted((self.folder / "shuffled").glob("*.npy"))
        return Shards(paths, self.packing, self.scale)

    def _rows(self, subset: str) -> Rows:
        indptr = np.array(self._array(f"{subset}/indptr.npy", np.int64, self.spec.n_users + 1))
        n_rows = int(indptr[-1])
        if indptr[0] != 0 or (np.diff(indptr) < 0).any():  # compiled loops rely on it
            raise damaged(
                Kind.SHARDS, self.folder / subset / "indptr.npy", "its rows do not ascend"
            )
        days = None
        if self.has_days:
            days = open_array(self._days / f"{subset}.npy", np.uint16, n_rows, Kind.DAYS)
        item_index = self._array(f"{subset}/item_index.npy", np.int32, n_rows)
        check_indices(
            item_index, 0, self.spec.n_items, self.folder / subset / "item_index.npy", Kind.SHARDS
        )
        return Rows(
            indptr,
            item_index,
            self._array(f"{subset}/rating.npy", np.float32, n_rows),
            days,
        )

    def _array(self, name: str, dtype: DTypeLike, n_rows: int) -> Array:
        return open_array(self.folder / name, dtype, n_rows, Kind.SHARDS)


def open_training_data(shards: Path) -> TrainingData:
    """Open the shards of a materialized split.

    Raises:
        StoreError: the folder holds none.
    """
    path = shards / "manifest.json"
    try:
        open_sealed(shards, Kind.SHARDS)
        fields = read_object(path, Kind.SHARDS)
        scale = Scale(tuple(map(float, fields["scale"])))
        spec = DataSpec(
            fields["n_users"], fields["n_items"], fields["mean_rating"], scale.low, scale.high,
            fields["feedback"],
        )  # fmt: skip
        return TrainingData(
            shards, fields["split"], fields["split_digest"], fields["protocol"], spec, scale,
            Packing(**fields["packing"]),
        )  # fmt: skip
    except FileNotFoundError:
        raise damaged(Kind.SHARDS, shards, f"it lacks {SEAL}") from None
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise damaged(Kind.SHARDS, path, f"a field lacks or is wrong ({error})") from error


def _find(ids: Array, wanted: Array) -> Array:
    positions = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[positions] == wanted, positions, -1).astype(np.int32)
