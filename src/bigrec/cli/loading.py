"""Loading a run with its split and store, as the commands that use a trained model need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bigrec.cli import console

if TYPE_CHECKING:
    from bigrec.datasets.training_data import TrainingData
    from bigrec.models.scoring import Scorer
    from bigrec.settings import Settings
    from bigrec.store.catalog import Catalog


class LoadedRun(NamedTuple):
    """A trained model with its split and store."""

    recommender: Scorer
    data: TrainingData
    catalog: Catalog


def load_run(settings: Settings, name: str) -> LoadedRun:
    """Open a run, its split and its model.

    Raises:
        RunError: there is no such run, or its split has changed.
    """
    from bigrec.datasets.training_data import open_training_data
    from bigrec.runs import open_run
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    run = open_run(settings.runs, name)
    catalog = open_catalog(settings.store)
    saved = open_split(catalog, run.config["split"]["name"])
    with console.progress_bars() as progress:
        shards = materialize_split(saved, budget=settings.budget, progress=progress)
    data = open_training_data(shards)
    return LoadedRun(run.recommender(data), data, catalog)
