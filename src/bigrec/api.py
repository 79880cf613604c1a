"""The toolkit from Python: a Store, its Splits, their Runs.

    store = bigrec.ingest("raw", "store")
    split = store.split("large", min_movie_ratings=10_000, min_user_ratings=230)
    run = bigrec.train(split, "matrix-factorization", preset="tuned")
    run.recommend(6, top=10)

The objects here only bring the stages together; each stage can be called on its own as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.query.session import QueryResult, open_session
from bigrec.resources import SILENT, Budget, Progress
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split as SavedSplit
from bigrec.splits.splits import create_split, open_split
from bigrec.store.catalog import Catalog, open_catalog
from bigrec.store.manifest import Manifest

if TYPE_CHECKING:
    import tensorflow as tf

    from bigrec.datasets.training_data import TrainingData
    from bigrec.recommend.recommend import RecommendedMovie
    from bigrec.runs import RunDirectory


def ingest(
    raw: str | Path,
    store: str | Path,
    *,
    source: str = "auto",
    overwrite: bool = False,
    budget: Budget | None = None,
) -> Store:
    """Turn a folder of raw rating files into a store and open it.

    Args:
        raw: the folder of raw files.
        store: the folder to make.
        source: auto, or the kind of raw data.
        overwrite: whether a store that exists is replaced.
        budget: memory and threads; 1 GiB and all cores if None.
    """
    options = IngestOptions(source=source, overwrite=overwrite)
    ingest_ratings(Path(raw), Path(store), options=options, budget=budget)
    return open(store, budget=budget)


def open(store: str | Path, *, budget: Budget | None = None) -> Store:  # noqa: A001
    """Open a store.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return Store(open_catalog(Path(store)), budget or Budget())


def train(
    split: Split,
    model: str,
    *,
    preset: str = "tuned",
    runs: str | Path = "runs",
    run: str | None = None,
    seed: int = 0,
    device: str = "auto",
    n_devices: int = 1,
    precision: str = "float32",
    cache: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float | None = 10.0,
    options: Mapping[str, object] | None = None,
    progress: Progress = SILENT,
) -> Run:
    """Train a model on a split.

    Args:
        split: what to train on.
        model: cosine-knn, autorec, matrix-factorization, dnn or residual.
        preset: notebook or tuned.
        runs: the folder of runs.
        run: name of the run; MODEL-SPLIT-PRESET if None.
        seed: of every random choice.
        device: auto, cpu or gpu.
        n_devices: how many share each batch; 0: all there are.
        precision: float32, or mixed: hidden layers compute in bfloat16.
        cache: device: keep the pairs of the train side in its memory; off; auto: on a GPU with room
            for them.
        overwrite: whether a run of that name is replaced.
        resume: whether to go on with the unfinished run of that name.
        checkpoint_steps: save what `resume` needs every so many steps; None: never for steps.
        checkpoint_minutes: the same every so many minutes; None: never for time.
        options: hyper-parameters that differ from the preset's, by name.
        progress: told of finished train ratings.

    Raises:
        BigrecError: see bigrec.train.train.train_model.
        TrainingInterrupted: a KeyboardInterrupt, after what `resume` needs was saved.
    """
    from bigrec.models.options import override
    from bigrec.models.registry import find_model, find_preset
    from bigrec.runs import open_run
    from bigrec.train.checkpoints import CheckpointOptions
    from bigrec.train.device_options import DeviceOptions
    from bigrec.train.train import train_model

    definition = find_model(model)
    chosen = override(
        find_preset(definition, preset), {k: str(v) for k, v in (options or {}).items()}
    )
    name = run or f"{model}-{split.name}-{preset}"
    data = split.materialize(with_days=chosen.day_biases)
    train_model(
        data, model, chosen, preset=preset, runs=Path(runs), run=name, seed=seed,
        device=DeviceOptions(device, n_devices, precision, cache), overwrite=overwrite,
        resume=resume,
        checkpoints=CheckpointOptions(checkpoint_steps, checkpoint_minutes), progress=progress,
    )  # fmt: skip
    return Run(open_run(Path(runs), name), split)


@dataclasses.dataclass(frozen=True)
class Store:
    """An opened store."""

    catalog: Catalog
    budget: Budget

    @property
    def manifest(self) -> Manifest:
        """What the store holds."""
        return self.catalog.manifest

    def ratings(self) -> pl.LazyFrame:
        """All ratings: movie_id INT32, user_id INT32, rating FLOAT32 (stars), date DATE."""
        return self.catalog.ratings()

    def movies(self) -> pl.LazyFrame:
        """movie_id, title, year, n_ratings, mean_rating."""
        return self.catalog.movies()

    def users(self) -> pl.LazyFrame:
        """user_id, n_ratings, mean_rating, first_date, last_date."""
        return self.catalog.users()

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> QueryResult:
        """Run a SQL query over the views of the store; `.pl()` gives a Polars frame."""
        session = open_session(self.catalog.layout.root, budget=self.budget)
        return session.run(query, parameters)

    def split(self, name: str, **spec: Any) -> Split:
        """Create a split, or open it if it exists.

        Args:
            name: of the split.
            **spec: fields of SplitSpec; none to open a saved split.
        """
        if spec:
            saved = create_split(self.catalog, name, SplitSpec(**spec), budget=self.budget)
        else:
            saved = open_split(self.catalog, name)
        return Split(self, saved)


@dataclasses.dataclass(frozen=True)
class Split:
    """A saved split of a store."""

    store: Store
    saved: SavedSplit

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
        """The train side, lazily read from the store."""
        return self.saved.train

    @property
    def validation(self) -> pl.LazyFrame:
        """The validation side, likewise; without rows if the split has none."""
        return self.saved.validation

    @property
    def test(self) -> pl.LazyFrame:
        """The test side, lazily read from the store."""
        return self.saved.test

    @cached_property
    def training_data(self) -> TrainingData:
        """The split materialized for training."""
        return self.materialize()

    def materialize(self, *, with_days: bool = False) -> TrainingData:
        """Materialize the split unless it is; with the days of its ratings if a run needs them."""
        from bigrec.datasets.training_data import open_training_data

        return open_training_data(
            materialize_split(self.saved, with_days=with_days, budget=self.store.budget)
        )

    def train_batches(
        self, *, batch_size: int = 1024, seed: int = 0, epoch: int = 1
    ) -> tf.data.Dataset:
        """One epoch of shuffled (user_index, movie_index, rating) batches for TensorFlow."""
        from bigrec.datasets.pairs import PairFeed, unpack
        from bigrec.features import MOVIE_INDEX, PAIRS, RATING, USER_INDEX

        names = USER_INDEX, MOVIE_INDEX, RATING
        feed = PairFeed(self.training_data.shards(), batch_size=batch_size, seed=seed)
        return (
            feed.dataset(epoch)
            .unbatch()
            .map(lambda batch: dict(zip(names, unpack(batch[PAIRS]), strict=True)))
        )

    def run(self, runs: str | Path, name: str) -> Run:
        """Open a run that was trained on this split."""
        from bigrec.runs import open_run

        directory = open_run(Path(runs), name)
        directory.check_split(self.training_data)
        return Run(directory, self)


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run."""

    directory: RunDirectory
    split: Split

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @property
    def test_rmse(self) -> float:
        """RMSE on the test side, scores clipped to the scale, in stars."""
        return float(self.directory.metrics["test_rmse"])

    @property
    def test_mae(self) -> float:
        """Mean absolute error on the test side, likewise."""
        return float(self.directory.metrics["test_mae"])

    @cached_property
    def recommender(self) -> Any:
        """The loaded model (bigrec.models.scoring.Scorer)."""
        data = self.split.materialize(with_days=self.directory.needs_days)
        return self.directory.recommender(data)

    def recommend(self, user_id: int, *, top: int = 10) -> list[RecommendedMovie]:
        """The unseen movies with the highest scores for a user."""
        from bigrec.recommend.recommend import recommend_movies

        data = self.split.training_data
        catalog = self.split.store.catalog
        return recommend_movies(self.recommender, data, catalog, user_id, top=top)
