"""The toolkit from Python: a Store, its Splits, their Runs.

    store = bigrec.ingest("raw", "store")
    split = store.split("large", min_item_ratings=10_001, min_user_ratings=231)
    run = bigrec.train(split, "matrix-factorization", preset="tuned")
    run.recommend(6, top=10)

The objects here only bring the stages together; each stage can be called on its own as well. What
cannot be used is a BigrecError, as on the command line.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Mapping
from functools import cached_property
from numbers import Integral
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from bigrec.errors import SettingsError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.query.session import QueryResult, Session, open_session
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
    from bigrec.recommend.recommend import RecommendedItem
    from bigrec.runs import RunDirectory

_MAYBE_BUDGET: Final = Budget | None


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

    Raises:
        BigrecError: see bigrec.ingest.ingest.ingest_ratings; or an argument is of another type.
    """
    _check_types(source=(source, str), overwrite=(overwrite, bool), budget=(budget, _MAYBE_BUDGET))
    options = IngestOptions(source=source, overwrite=overwrite)
    ingest_ratings(_path("raw", raw), _path("store", store), options=options, budget=budget)
    return open(store, budget=budget)


def open(store: str | Path, *, budget: Budget | None = None) -> Store:  # noqa: A001
    """Open a store. In a `with` block, or by `close`, what its queries opened is closed again.

    Raises:
        SettingsError: an argument is of another type.
        StoreError: there is none, or it cannot be read.
    """
    _check_types(budget=(budget, _MAYBE_BUDGET))
    return Store(open_catalog(_path("store", store)), budget or Budget())


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
        model: the name of one that `bigrec train --help` lists, or of a registered one (see
            bigrec.models.registry).
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
        BigrecError: see bigrec.train.train.train_model; or an argument is of another type.
        TrainingInterrupted: a KeyboardInterrupt, after what `resume` needs was saved.
    """
    from bigrec.models.options import override
    from bigrec.models.registry import find_model, find_preset
    from bigrec.runs import open_run
    from bigrec.train.checkpoints import CheckpointOptions
    from bigrec.train.device_options import DeviceOptions
    from bigrec.train.train import train_model

    _check_types(
        split=(split, Split), model=(model, str), preset=(preset, str), run=(run, str | None),
        device=(device, str), precision=(precision, str), cache=(cache, str),
        overwrite=(overwrite, bool), resume=(resume, bool), options=(options, Mapping | None),
    )  # fmt: skip
    folder = _path("runs", runs)
    chosen = override(
        find_preset(find_model(model), preset), {str(k): str(v) for k, v in (options or {}).items()}
    )
    placing = DeviceOptions(device, n_devices, precision, cache)
    checkpoints = CheckpointOptions(checkpoint_steps, checkpoint_minutes)
    name = run or f"{model}-{split.name}-{preset}"
    data = split.materialize(with_days=chosen.day_biases)
    train_model(
        data, model, chosen, preset=preset, runs=folder, run=name, seed=seed, device=placing,
        overwrite=overwrite, resume=resume, checkpoints=checkpoints, budget=split.store.budget,
        progress=progress,
    )  # fmt: skip
    return Run(open_run(folder, name), split)


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
        """All ratings: item_id INT32, user_id INT32, rating FLOAT32 (stars), date DATE."""
        return self.catalog.ratings()

    def items(self) -> pl.LazyFrame:
        """item_id, title, year, n_ratings, mean_rating."""
        return self.catalog.items()

    def users(self) -> pl.LazyFrame:
        """user_id, n_ratings, mean_rating, first_date, last_date."""
        return self.catalog.users()

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> QueryResult:
        """Run a SQL query over the views of the store; `.pl()` gives a Polars frame.

        The answer is computed while it is read, which must be before the store is closed.

        Raises:
            SettingsError: the query is no text, or the parameters are no mapping.
            QueryError: see bigrec.query.session.Session.run.
        """
        _check_types(query=(query, str), parameters=(parameters, Mapping | None))
        result = self._session.run(query, parameters)
        weakref.finalize(result, _release, self).atexit = False  # a store outlives its answers
        return result

    def close(self) -> None:
        """Close what queries opened; the store can be used again all the same."""
        session = self.__dict__.pop("_session", None)
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @cached_property
    def _session(self) -> Session:
        """One for all queries, closed with the store, or when nobody holds it any more."""
        session = open_session(self.catalog.layout.root, budget=self.budget)
        weakref.finalize(self, session.close)
        return session

    def split(self, name: str, **spec: Any) -> Split:
        """Create a split, or open it if it exists.

        Args:
            name: of the split.
            **spec: fields of SplitSpec; none to open a saved split.

        Raises:
            SettingsError: a field is none of SplitSpec, or has a value that cannot be.
            SplitError: see bigrec.splits.splits.
        """
        _check_types(name=(name, str))
        if spec:
            saved = create_split(self.catalog, name, _split_spec(spec), budget=self.budget)
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
        """One epoch of shuffled (user_index, item_index, rating) batches for TensorFlow."""
        from bigrec.datasets.pairs import PairFeed, unpack
        from bigrec.features import ITEM_INDEX, PAIRS, RATING, USER_INDEX
        from bigrec.models.options import check_seed

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
        """Open a run that was trained on this split."""
        from bigrec.runs import open_run

        _check_types(name=(name, str))
        directory = open_run(_path("runs", runs), name)
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

    def recommend(self, user_id: int, *, top: int = 10) -> list[RecommendedItem]:
        """The unseen items with the highest scores for a user.

        Raises:
            SettingsError: the id or the length is no whole number.
            RunError: see bigrec.recommend.recommend.recommend_items.
        """
        _check_types(user_id=(user_id, Integral))
        from bigrec.recommend.recommend import recommend_items

        data = self.split.training_data
        catalog = self.split.store.catalog
        return recommend_items(self.recommender, data, catalog, user_id, top=top)


def _check_types(**arguments: tuple[object, Any]) -> None:
    """Refuse arguments of other types; each is given by its name, with the type it shall have."""
    for name, (value, kind) in arguments.items():
        if not isinstance(value, kind):
            expected = getattr(kind, "__name__", str(kind))
            raise SettingsError(f"expected {name} as {expected}, found {value!r}")


def _release(_: Store) -> None:
    """Let a store go that an answer has held."""


def _path(name: str, value: object) -> Path:
    _check_types(**{name: (value, str | Path)})
    return Path(value)  # type: ignore[arg-type] # as was just checked


def _split_spec(fields: Mapping[str, Any]) -> SplitSpec:
    names = [field.name for field in dataclasses.fields(SplitSpec)]
    for name in fields:
        if name not in names:
            raise SettingsError.unknown_name("field of a split", name, names)
    try:
        return SplitSpec(**fields)
    except TypeError as error:  # a comparison of what cannot be compared
        shown = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        raise SettingsError(f"a field of the split has another type: {shown}: {error}") from error
