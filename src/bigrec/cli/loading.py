"""Opening a run with its split and store, as the commands that use a trained model need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bigrec.cli import console
from bigrec.cli.options import load_tensorflow

if TYPE_CHECKING:
    from bigrec.datasets.training_data import TrainingData
    from bigrec.models.scoring import Scorer
    from bigrec.runs import RunDirectory
    from bigrec.settings import Settings
    from bigrec.store.catalog import Catalog


class OpenedRun(NamedTuple):
    """A run with its split and store."""

    run: RunDirectory
    data: TrainingData
    catalog: Catalog

    def load_recommender(self) -> Scorer:
        """Load the trained model, with TensorFlow only if it needs that."""
        if self.run.needs_keras:
            load_tensorflow()
        return self.run.recommender(self.data)


def load_split(settings: Settings, name: str, *, with_days: bool = False) -> TrainingData:
    """Open a split for training or testing; what is missing of its shards is made.

    Args:
        settings: where the store is.
        name: of the split.
        with_days: whether the days of the ratings are needed too.

    Raises:
        SplitError: there is no such split.
    """
    from bigrec.datasets.training_data import open_training_data
    from bigrec.splits.shards import ready_days, ready_shards
    from bigrec.store.catalog import open_catalog

    catalog = open_catalog(settings.store)
    shards = ready_shards(catalog, name)
    if shards is None or (with_days and not ready_days(shards)):
        # What makes shards loads a compiler, which takes longer than an answer from factors.
        from bigrec.splits.materialize import materialize_split
        from bigrec.splits.splits import open_split

        saved = open_split(catalog, name)
        with console.progress_bars() as progress:
            shards = materialize_split(
                saved, with_days=with_days, budget=settings.budget, progress=progress
            )
    return open_training_data(shards)


def note_long_lists(top: int, data: TrainingData) -> None:
    """Say where lists are shorter than was asked for, as there are no more items."""
    n_items = data.spec.n_items
    if top > n_items:
        console.print_note(f"The split has {n_items:,} items: no list is longer.")


def open_trained(settings: Settings, name: str) -> OpenedRun:
    """Open a run and its split.

    Raises:
        RunError: there is no such run, or its split has changed.
    """
    from bigrec.runs import open_run
    from bigrec.store.catalog import open_catalog

    run = open_run(settings.runs, name)
    data = load_split(settings, run.config["split"]["name"], with_days=run.needs_days)
    run.check_split(data)
    return OpenedRun(run, data, open_catalog(settings.store))
