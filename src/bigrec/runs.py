"""The run directory: everything that one training leaves behind, readable a year later.

runs/NAME/config.json        model, preset, options, seed, split with spec, versions, device
runs/NAME/history.jsonl      one line an epoch
runs/NAME/tensorboard/       the same as curves, of a model that is trained by steps
runs/NAME/metrics.json       errors on the test side, times, memory
runs/NAME/biases.npz         the bias model of the split's train side: fallback and baselines
runs/NAME/model.keras        the model, loaded without executing code. Neighbours have none,
but arrays; a blend has weights and components in its config
runs/NAME/representation/    arrays of it that are read without Keras (see ModelDefinition)

runs/NAME/bigrec.json        digests of all these files (see bigrec.store.seal)
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError
from bigrec.models.baseline.bias import Biases
from bigrec.models.blend import BLEND, Blend, BlendWeights
from bigrec.models.factorization.scorer import Factors, FactorScorer
from bigrec.models.scoring import Scorer
from bigrec.models.similarity import (
    ITEM_VECTORS,
    NEIGHBOUR_INDEX,
    NEIGHBOUR_SIMILARITY,
    ItemSimilarity,
    ListSimilarity,
    RatingSimilarity,
    VectorSimilarity,
)
from bigrec.splits.array_file import check_indices, open_array
from bigrec.store.layout import run_folders
from bigrec.store.seal import SEAL, Kind, Seal, damaged, open_sealed, read_object

if TYPE_CHECKING:
    pass

Array = np.ndarray[Any, Any]

HISTORY: Final = "history.jsonl"
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

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    @cached_property
    def config(self) -> dict[str, Any]:
        """Model, preset, options, seed, split, versions, device."""
        return self._read("config.json")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Errors on the test side (see Errors.test_metrics), seconds, peak_rss_bytes.

        The peak is that of the process that trained; None where something else that the process
        did before took more.
        """
        return self._read("metrics.json")

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """One object an epoch: epoch, train_mse, test_rmse, seconds, rows_per_second."""
        path = self._verified / HISTORY
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            return [dict(json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise damaged(Kind.RUN, path, f"it cannot be read ({error})") from error

    def biases(self) -> Biases:
        """The bias model of the split's train side.

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
        paths = sorted((self._verified / "representation").glob("*.npy"))
        return {path.stem: open_array(path, None, None, Kind.RUN) for path in paths}

    @property
    def has_factors(self) -> bool:
        """Whether scores are dot products."""
        return "user_factors" in self.representation

    @property
    def has_lists(self) -> bool:
        """Whether scores are made from lists of neighbours."""
        return NEIGHBOUR_INDEX in self.representation

    @property
    def needs_days(self) -> bool:
        """Whether scores depend on the day, so that the split must come with days."""
        return self.metrics.get("day_penalty") is not None

    @property
    def protocol(self) -> str:
        """What its errors mean, in one line: the split, and whether scores know the day."""
        protocol = str(self.config["split"]["protocol"])
        return f"{protocol}; scores know the day of each rating" if self.needs_days else protocol

    @property
    def needs_keras(self) -> bool:
        """Whether a Keras model must be loaded for scores."""
        names = [own["run"] for own in self.config.get("components", ())] or [self.name]
        runs = [RunDirectory(self.folder.parent / name) for name in names]
        # A component that is missing is told of when scores are asked for.
        return not all(run.has_factors or run.has_lists for run in runs if run.folder.exists())

    def similarity(self, data: TrainingData) -> ItemSimilarity:
        """What compares items as the model does.

        Args:
            data: the split that the run was trained on.

        Raises:
            RunError: `data` is another split.
            StoreError: scores depend on the day, and the split's days are not there.
        """
        self.check_split(data)
        if self.needs_days:
            data.check_days()
        for name in (ITEM_VECTORS, "item_factors"):
            if name in self.representation:
                return VectorSimilarity(self.representation[name])
        if self.has_lists and self.config["options"]["basis"] == "item":
            return ListSimilarity(
                self.representation[NEIGHBOUR_INDEX], self.representation[NEIGHBOUR_SIMILARITY]
            )
        return RatingSimilarity(data.train, self.biases())

    def recommender(self, data: TrainingData) -> Scorer:
        """The trained model, ready to score.

        Args:
            data: the split that the run was trained on.

        Raises:
            RunError: `data` is another split, the model cannot be read, or a component of a blend
                is missing or has been trained again.
            StoreError: scores depend on the day, and the split's days are not there.
        """
        self.check_split(data)
        if self.needs_days:
            data.check_days()
        if self.config["model"] == BLEND:
            components = [one.recommender(data) for one in self._components()]
            weights = BlendWeights.from_json(self.config["weights"])
            return Blend(components, weights, data.train, data.spec, self.biases())
        if self.has_factors:
            return FactorScorer(self._arrays(Factors), data.train, data.spec, self.biases())
        # Compiled loops and Keras take time to load; what has factors is ready before.
        if self.has_lists:
            from bigrec.models.knn import scorer as neighbours

            lists = self._arrays(neighbours.NeighbourLists)
            rule = neighbours.NeighbourRule.of(self.config["options"])
            by_item = self.config["options"]["basis"] == "item"
            check_indices(
                lists.neighbour_index,
                -1,
                data.spec.n_items if by_item else data.spec.n_users,
                self.folder / "representation" / f"{NEIGHBOUR_INDEX}.npy",
                Kind.RUN,
            )
            return neighbours.NeighbourScorer(lists, rule, data.train, data.spec, self.biases())
        import keras

        from bigrec.models.keras_scorer import KerasScorer
        from bigrec.models.registry import MODELS

        fold_in = MODELS[self.config["model"]].fold_in  # its module registers its layers
        try:
            model = keras.models.load_model(
                self._verified / "model.keras", compile=False, safe_mode=True
            )
        except (*UNREADABLE_ARRAYS, AttributeError, IndexError) as error:
            raise RunError(
                f"the model of run {self.name!r} cannot be read: {error}", hint=Kind.RUN.remedy
            ) from error
        return KerasScorer(model, data.train, data.spec, self.biases(), fold_in)

    def check_split(self, data: TrainingData) -> None:
        """Refuse a split that is not the one that the run was trained on.

        Raises:
            RunError: the digests differ.
        """
        if data.split_digest != self.config["split"]["digest"]:
            raise RunError(
                f"run {self.name!r} was trained on another state of split "
                f"{self.config['split']['name']!r}",
                hint="train again on the split as it is now",
            )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the digests of all files: another training has another one."""
        return self.seal.digest

    def _arrays(self, kind: type[Any]) -> Any:
        """The representation as the dataclass whose fields it is."""
        names = [field.name for field in dataclasses.fields(kind)]
        missing = [name for name in names if name not in self.representation]
        if missing:
            raise RunError(
                f"run {self.name!r} was saved by another version of bigrec: expected the arrays "
                f"{', '.join(names)}, found no {', '.join(missing)}",
                hint="train it again with --overwrite",
            )
        return kind(*(self.representation[name] for name in names))

    def _components(self) -> list[RunDirectory]:
        """The runs that this blend is made of, as they were when it was made."""
        names = " ".join(own["run"] for own in self.config["components"])
        hint = f"blend again: bigrec blend {names} --run {self.name} --overwrite"
        runs = {run.name: run for run in list_runs(self.folder.parent)}
        components = []
        for own in self.config["components"]:
            if own["run"] not in runs:
                raise RunError(
                    f"run {own['run']!r}, of which {self.name!r} is a blend, is missing",
                    hint="put it back, or blend others",
                )
            if runs[own["run"]].digest != own["digest"]:
                raise RunError(
                    f"run {own['run']!r}, of which {self.name!r} is a blend, has been trained "
                    "again since",
                    hint=hint,
                )
            components.append(runs[own["run"]])
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

    def _read(self, name: str) -> dict[str, Any]:
        return read_object(self._verified / name, Kind.RUN)


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
