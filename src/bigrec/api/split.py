"""A saved split, from Python."""

from __future__ import annotations

import dataclasses
import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from bigrec.api.arguments import as_path, check_types
from bigrec.api.run import Run
from bigrec.errors import RunError, SettingsError
from bigrec.opened import open_data
from bigrec.runs import list_runs, open_run
from bigrec.splits.splits import Split as SavedSplit

if TYPE_CHECKING:
    import tensorflow as tf

    from bigrec.api.store import Store
    from bigrec.datasets.training_data import TrainingData

_LOG: Final = logging.getLogger(__name__)  # what nobody handles is written to stderr


@dataclasses.dataclass(frozen=True)
class Split:
    """A saved split of a store."""

    store: Store
    """What it is a split of."""
    saved: SavedSplit
    """Its description and files."""

    @property
    def name(self) -> str:
        """The name it was saved under."""
        return self.saved.name

    @property
    def protocol(self) -> str:
        """The split in one line."""
        return self.saved.spec.protocol()

    @property
    def train(self) -> pl.LazyFrame:
        """The train subset, lazily read from the store."""
        return self.saved.train

    @property
    def validation(self) -> pl.LazyFrame:
        """The validation subset, likewise; without rows if the split has none."""
        return self.saved.validation

    @property
    def test(self) -> pl.LazyFrame:
        """The test subset, lazily read from the store."""
        return self.saved.test

    @cached_property
    def training_data(self) -> TrainingData:
        """The split materialized for training."""
        return self.materialize()

    def materialize(self, *, with_days: bool = False) -> TrainingData:
        """Materialize the split, unless it is.

        Args:
            with_days: whether the days of the ratings are needed too, as by day biases.

        Raises:
            StoreError: the store or the shards are damaged.
            ResourceError: the memory budget or the disk does not suffice.

        Examples:
            >>> split.materialize().spec.n_users
        """
        store = self.store
        return open_data(store.catalog, self.name, with_days=with_days, budget=store.budget)

    def train_batches(
        self, *, batch_size: int = 1024, seed: int = 0, epoch: int = 1
    ) -> tf.data.Dataset:
        """One epoch of shuffled batches of the train subset for TensorFlow.

        Args:
            batch_size: ratings of a batch.
            seed: of the order.
            epoch: from 1; each has another order.

        Returns:
            Batches of user_index (int32), item_index (int32) and rating (float32, stars), by name.

        Raises:
            SettingsError: an argument is no whole number in its range.

        Examples:
            >>> next(iter(split.train_batches(batch_size=4)))["rating"]
        """
        from bigrec.datasets.pairs import PairFeed, unpack
        from bigrec.models.options import check_seed
        from bigrec.rows import ITEM_INDEX, PAIRS, RATING, USER_INDEX

        check_seed(seed)
        for word, value in (("batch_size", batch_size), ("epoch", epoch)):
            if not isinstance(value, int) or value < 1:
                raise SettingsError(f"expected {word} of at least 1, found {value!r}")
        names = USER_INDEX, ITEM_INDEX, RATING
        paths, packing, scale = self.training_data.shards()
        feed = PairFeed(paths, batch_size=batch_size, seed=seed)
        return (
            feed.dataset(epoch)
            .unbatch()
            .map(lambda batch: dict(zip(names, unpack(batch[PAIRS], packing, scale), strict=True)))
        )

    def run(self, runs: str | Path, name: str) -> Run:
        """Open a run that was trained on this split.

        Args:
            runs: the folder of runs.
            name: of the run.

        Raises:
            SettingsError: an argument is of another type.
            RunError: there is no such run, or it was trained on another split.

        Examples:
            >>> split.run("runs", "matrix-factorization-large-tuned").test["rmse"]
        """
        check_types(name=(name, str))
        folder = as_path("runs", runs)
        there = [one.name for one in list_runs(folder)]
        if name not in there:
            raise RunError(
                f"there is no run {name!r}",
                hint=f"there are: {', '.join(there) or 'none yet'}; bigrec.train(...) makes one",
            )
        directory = open_run(folder, name)
        directory.check_split(self.training_data)
        return Run(directory, self)

    def runs(self, runs: str | Path = "runs") -> list[Run]:
        """All runs of a folder that were trained on this split, by name.

        One that cannot be read is left out, which is told by a warning of Python's logging.

        Args:
            runs: the folder of runs.

        Raises:
            SettingsError: the argument is of another type.
            RunError: one was trained on another state of the split.

        Examples:
            >>> bigrec.compare(split.runs()).runs[0].run
        """
        from bigrec.evaluate.compare import sort_out

        readable, errors = sort_out(list_runs(as_path("runs", runs)))
        for error in errors:
            _LOG.warning("left out: %s", error.message)
        own = [run for run in readable if run.config.split.name == self.name]
        for run in own:
            run.check_split(self.training_data)
        return [Run(run, self) for run in own]
