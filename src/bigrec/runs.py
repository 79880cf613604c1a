"""The run directory: everything that one training leaves behind, readable a year later.

runs/NAME/config.json        model, preset, options, seed, split with spec, versions, device
runs/NAME/history.jsonl      one line an epoch
runs/NAME/tensorboard/       the same as curves, of a model that is trained by steps
runs/NAME/metrics.json       errors in the test subset, times, memory
runs/NAME/biases.npz         the bias model of the split's train subset: fallback and baselines
runs/NAME/model.keras        the network of a model that has one, loaded without executing code
runs/NAME/representation/    what else the model keeps, as arrays (see bigrec.models.contract)
runs/NAME/bigrec.json        digests of all these files (see bigrec.store.seal)
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar
from zipfile import BadZipFile

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import RunModel, TrainSubset
from bigrec.models.options import ModelOptions
from bigrec.models.registry import find_run_model
from bigrec.models.scoring import Scorer
from bigrec.models.similarity import ItemSimilarity
from bigrec.run_records import EpochSummary, RunConfig, RunMetrics
from bigrec.splits.array_file import check_indices, open_array
from bigrec.store.layout import run_folders
from bigrec.store.seal import SEAL, Kind, Seal, damaged, open_sealed, read_object

Array = np.ndarray[Any, Any]
Record = TypeVar("Record", RunConfig, RunMetrics)

HISTORY: Final = "history.jsonl"
NETWORK: Final = "model.keras"
REPRESENTATION: Final = "representation"
TENSORBOARD: Final = "tensorboard"
UNREADABLE_ARRAYS: Final = (
    OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError,
    BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy and zipfile raise at a damaged file of arrays."""


@dataclass(frozen=True)
class RunDirectory:
    """One run on disk."""

    folder: Path
    """Where it is; its name is the run's."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    @cached_property
    def config(self) -> RunConfig:
        """What decided it: model, options, seed, split, versions, device.

        Raises:
            RunError: it cannot be read, or is of another version.
        """
        return self._read("config.json", RunConfig)

    @cached_property
    def metrics(self) -> RunMetrics:
        """What came of it: measures in the test subset, seconds, memory.

        Raises:
            RunError: see config.
        """
        return self._read("metrics.json", RunMetrics)

    @cached_property
    def history(self) -> list[EpochSummary]:
        """What each epoch gave.

        Raises:
            RunError: it cannot be read.
        """
        path = self._verified / HISTORY
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [EpochSummary(**json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise damaged(Kind.RUN, path, f"it cannot be read ({error})") from error

    def biases(self) -> Biases:
        """The bias model of the split's train subset.

        Raises:
            RunError: it cannot be read.
        """
        path = self._verified / "biases.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return Biases.from_arrays(arrays)
        except UNREADABLE_ARRAYS as error:
            raise damaged(Kind.RUN, path, f"it cannot be read ({error})") from error

    @cached_property
    def representation(self) -> dict[str, Array]:
        """Arrays of the model by name, memory-mapped; empty for a model that has none."""
        paths = sorted((self._verified / REPRESENTATION).glob("*.npy"))
        return {path.stem: open_array(path, None, None, Kind.RUN) for path in paths}

    @property
    def needs_days(self) -> bool:
        """Whether scores depend on the day, so that the split must come with days."""
        return self.metrics.day_penalty is not None

    @property
    def protocol(self) -> str:
        """What its errors mean, in one line: the split, and whether scores know the day."""
        protocol = self.config.split.protocol
        return f"{protocol}; scores know the day of each rating" if self.needs_days else protocol

    @cached_property
    def model(self) -> RunModel:
        """The model that made it.

        Raises:
            RunError: it is none that can be used here.
        """
        try:
            return find_run_model(self.config.model)
        except SettingsError as error:
            raise RunError(
                f"run {self.name!r} cannot be used here: {error.message}", hint=error.hint
            ) from error

    @cached_property
    def options(self) -> ModelOptions:
        """The hyper-parameters, of the model's own class.

        Raises:
            RunError: they are not those of the model as it is here.
        """
        try:
            return self.model.options_class(**self.config.options)
        except (TypeError, SettingsError) as error:
            raise RunError(
                f"run {self.name!r} was saved by another version of its model "
                f"{self.config.model!r}: {error}",
                hint="train it again with --overwrite",
            ) from error

    @property
    def needs_keras(self) -> bool:
        """Whether a Keras model must be loaded for scores."""
        names = [own.run for own in self.config.components] or [self.name]
        runs = [RunDirectory(self.folder.parent / name) for name in names]
        return any(run._loads_network() for run in runs)

    def similarity(self, data: TrainingData) -> ItemSimilarity:
        """What compares items as the model does.

        Args:
            data: the split that the run was trained on.

        Raises:
            RunError: `data` is another split, or the model cannot be read.
            StoreError: scores depend on the day, and the split's days are not there.
        """
        return self.model.similarity(_Saved(self, data), self._train_subset(data))

    def recommender(self, data: TrainingData) -> Scorer:
        """The trained model, ready to score.

        Args:
            data: the split that the run was trained on.

        Raises:
            RunError: `data` is another split, the model cannot be read, or a component of a blend
                is missing or has been trained again.
            StoreError: scores depend on the day, and the split's days are not there.
        """
        return self.model.load(_Saved(self, data), self._train_subset(data))

    def _loads_network(self) -> bool:
        try:
            return self.model.needs_keras(self.options)
        except RunError:  # what cannot be used is told of when scores are asked for
            return False

    def _train_subset(self, data: TrainingData) -> TrainSubset:
        """What its scorer stands on, once it is known that these are the data of the run."""
        self.check_split(data)
        if self.needs_days:
            data.check_days()
        return TrainSubset(data.train, data.spec, self.biases())

    def check_split(self, data: TrainingData) -> None:
        """Refuse a split that is not the one that the run was trained on.

        Args:
            data: the split.

        Raises:
            RunError: the digests differ.
        """
        if data.split_digest != self.config.split.digest:
            raise RunError(
                f"run {self.name!r} was trained on another state of split "
                f"{self.config.split.name!r}",
                hint="train again on the split as it is now",
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the digests of all files: another training has another one."""
        return self.seal.digest

    def components(self) -> list[RunDirectory]:
        """The runs that this one is made of, as they were when it was made; none if it is no blend.

        Raises:
            RunError: one of them is missing, or has been trained again.
        """
        names = " ".join(own.run for own in self.config.components)
        hint = f"blend again: bigrec blend {names} --run {self.name} --overwrite"
        runs = {run.name: run for run in list_runs(self.folder.parent)}
        components = []
        for own in self.config.components:
            if own.run not in runs:
                raise RunError(
                    f"run {own.run!r}, of which {self.name!r} is a blend, is missing",
                    hint="put it back, or blend others",
                )
            if runs[own.run].digest != own.digest:
                raise RunError(
                    f"run {own.run!r}, of which {self.name!r} is a blend, has been trained "
                    "again since",
                    hint=hint,
                )
            components.append(runs[own.run])
        return components

    @cached_property
    def seal(self) -> Seal:
        """What the folder should hold; it is verified as far as that is done at opening.

        Raises:
            RunError: a file is damaged.
        """
        try:
            return open_sealed(self.folder, Kind.RUN)
        except FileNotFoundError:
            raise RunError(
                f"{self.folder} is no run of this version of bigrec: it lacks {SEAL}",
                hint=Kind.RUN.remedy,
            ) from None

    @property
    def _verified(self) -> Path:
        """The folder, once its files are known to be those that were written."""
        return self.seal.folder

    def _read(self, name: str, kind: type[Record]) -> Record:
        path = self._verified / name
        fields = read_object(path, Kind.RUN)
        try:
            return kind.from_json(fields)
        except RunError as error:
            raise RunError(
                f"run {self.name!r} cannot be read here: {error.message}", hint=error.hint
            ) from error
        except (KeyError, TypeError, ValueError, SettingsError) as error:
            raise damaged(Kind.RUN, path, f"a field lacks or is wrong ({error})") from error


@dataclass(frozen=True)
class _Saved:
    """What a run keeps of its model, as bigrec.models.contract.SavedModel says."""

    run: RunDirectory
    data: TrainingData
    """The split that it was trained on, for the components of a blend."""

    @property
    def options(self) -> ModelOptions:
        """The hyper-parameters."""
        return self.run.options

    @property
    def details(self) -> dict[str, Any]:
        """The config."""
        return self.run.config.to_json()

    def arrays(self, *names: str) -> tuple[Array, ...]:
        """Those of the representation."""
        there = self.run.representation
        missing = [name for name in names if name not in there]
        if missing:
            raise RunError(
                f"run {self.run.name!r} was saved by another version of bigrec: expected the "
                f"arrays {', '.join(names)}, found no {', '.join(missing)}",
                hint="train it again with --overwrite",
            )
        return tuple(there[name] for name in names)

    def indices(self, name: str, stop: int) -> Array:
        """One of them that holds indices."""
        (values,) = self.arrays(name)
        path = self.run.folder / REPRESENTATION / f"{name}.npy"
        check_indices(values, -1, stop, path, Kind.RUN)
        return values

    def network(self) -> Any:
        """The Keras model."""
        import keras

        path = self.run.seal.folder / NETWORK
        try:
            return keras.models.load_model(path, compile=False, safe_mode=True)
        except (*UNREADABLE_ARRAYS, AttributeError, IndexError) as error:
            raise RunError(
                f"the model of run {self.run.name!r} cannot be read: {error}",
                hint=Kind.RUN.remedy,
            ) from error

    def components(self) -> list[Scorer]:
        """Those of a blend, ready to score."""
        return [run.recommender(self.data) for run in self.run.components()]


def list_runs(runs: Path) -> list[RunDirectory]:
    """All complete runs of a folder, by name; they are verified when they are read."""
    return [RunDirectory(folder) for folder in run_folders(runs)]


def open_run(runs: Path, name: str) -> RunDirectory:
    """The run of this name.

    Raises:
        RunError: there is none.
    """
    found = {run.name: run for run in list_runs(runs)}
    if name not in found:
        raise RunError.unknown(name, found)
    return found[name]
