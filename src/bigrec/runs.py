"""The run directory: everything that one training leaves behind, readable a year later.

    runs/NAME/config.json        model, preset, options, seed, split with spec, versions, device
    runs/NAME/history.jsonl      one line an epoch
    runs/NAME/tensorboard/       the same as curves, of a model that is trained by steps
    runs/NAME/metrics.json       errors on the test side, times, memory
    runs/NAME/biases.npz         the bias model of the split's train side: fallback and baselines
    runs/NAME/model.keras        the model, loaded without executing code. Neighbours have none,
                                 but arrays; a blend has weights and components in its config
    runs/NAME/representation/    arrays of it that are read without Keras (see ModelDefinition)

While it is trained, a run is the hidden folder runs/.NAME.unfinished, with the history so far and
perhaps a checkpoint.npz to go on from. A run appears when it is complete, by one rename.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.models.bias import Biases
from bigrec.models.blend import BLEND, Blend, BlendWeights
from bigrec.models.factors import Factors, FactorScorer
from bigrec.models.scoring import Scorer
from bigrec.models.similarity import (
    MOVIE_VECTORS,
    NEIGHBOUR_INDEX,
    NEIGHBOUR_SIMILARITY,
    ListSimilarity,
    MovieSimilarity,
    RatingSimilarity,
    VectorSimilarity,
)
from bigrec.store.writer import publish_folder, telling_of_a_full_disk, writer_lock

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]

CHECKPOINT: Final = "checkpoint.npz"
HISTORY: Final = "history.jsonl"
TENSORBOARD: Final = "tensorboard"


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
        text = (self.folder / HISTORY).read_text()
        return [json.loads(line) for line in text.splitlines()]

    def biases(self) -> Biases:
        """The bias model of the split's train side.

        Raises:
            RunError: it cannot be read.
        """
        path = self.folder / "biases.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return Biases.from_arrays(arrays)
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise RunError(f"{path} cannot be read: {error}") from error

    @cached_property
    def representation(self) -> dict[str, Array]:
        """Arrays of the model by name, memory-mapped; empty for a model that has none."""
        paths = sorted((self.folder / "representation").glob("*.npy"))
        return {path.stem: np.load(path, mmap_mode="r") for path in paths}

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
        return not all(run.has_factors or run.has_lists for run in runs)

    def similarity(self, data: TrainingData) -> MovieSimilarity:
        """What compares movies as the model does.

        Args:
            data: the split that the run was trained on.

        Raises:
            RunError: `data` is another split.
            StoreError: scores depend on the day, and the split's days are not there.
        """
        self.check_split(data)
        if self.needs_days:
            data.check_days()
        for name in (MOVIE_VECTORS, "movie_factors"):
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
            from bigrec.models import neighbour_scores as neighbours

            lists = self._arrays(neighbours.NeighbourLists)
            rule = neighbours.NeighbourRule.of(self.config["options"])
            return neighbours.NeighbourScorer(lists, rule, data.train, data.spec, self.biases())
        import keras

        from bigrec.models.recommender import Recommender
        from bigrec.models.registry import MODELS

        fold_in = MODELS[self.config["model"]].fold_in  # its module registers its layers
        try:
            model = keras.models.load_model(
                self.folder / "model.keras", compile=False, safe_mode=True
            )
        except (OSError, EOFError, ValueError, TypeError, BadZipFile) as error:
            raise RunError(f"the model of run {self.name!r} cannot be read: {error}") from error
        return Recommender(model, data.train, data.spec, self.biases(), fold_in)

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
        """SHA-256 of the config and of all weights: another training has another digest."""
        digest = hashlib.sha256()
        names = ("config.json", "biases.npz", "model.keras", "representation/*")
        for path in sorted(path for name in names for path in self.folder.glob(name)):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

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

    def _read(self, name: str) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{self.folder / name} cannot be read: {error}") from error
        return fields


def list_runs(runs: Path) -> list[RunDirectory]:
    """All complete runs of a folder, by name."""
    return [RunDirectory(path.parent) for path in sorted(runs.glob("[!.]*/metrics.json"))]


def open_run(runs: Path, name: str) -> RunDirectory:
    """The run of this name.

    Raises:
        RunError: there is none.
    """
    found = {run.name: run for run in list_runs(runs)}
    if name not in found:
        raise RunError.unknown(name, found)
    return found[name]


def _check_run_name(name: str) -> None:
    """Refuse a name that cannot be a folder's.

    Raises:
        SettingsError: the name has other characters.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingsError(
            f"{name!r} cannot name a run", hint="use letters, digits, '-', '_', '.'"
        )


def has_checkpoint(runs: Path, name: str) -> bool:
    """Whether there is an unfinished run of this name that can be resumed."""
    return (_unfinished(runs, name) / CHECKPOINT).exists()


@contextmanager
def writing_run(
    runs: Path, name: str, config: dict[str, Any], *, overwrite: bool, resume: bool
) -> Iterator[Path]:
    """Give the folder of an unfinished run, which becomes the run if the block ends well.

    If the block fails, or its process dies, the folder stays where it holds a checkpoint.

    Args:
        runs: the folder of runs.
        name: of the run.
        config: what config.json shall hold.
        overwrite: whether a complete run of this name is replaced.
        resume: whether to go on with the unfinished run of this name, instead of discarding it.

    Raises:
        SettingsError: the name cannot be a folder's.
        RunError: the run exists already; there is nothing to resume, or it has another config.
        StoreError: another process is training a run of this name.
        ResourceError: the disk is full.
    """
    _check_run_name(name)
    target = runs / name
    if target.exists() and not overwrite:
        raise RunError(
            f"the run {name!r} exists already",
            hint="name another with --run, or replace it with --overwrite",
        )
    folder = _unfinished(runs, name)
    with writer_lock(target), telling_of_a_full_disk(runs):
        if resume:
            _check_resumable(folder, name, config)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _write_json(folder / "config.json", config)
        try:
            yield folder
            publish_folder(folder, target)
            (target / CHECKPOINT).unlink(missing_ok=True)
        finally:
            if not (folder / CHECKPOINT).exists():
                shutil.rmtree(folder, ignore_errors=True)


def _unfinished(runs: Path, name: str) -> Path:
    return runs / f".{name}.unfinished"


def _check_resumable(folder: Path, name: str, config: dict[str, Any]) -> None:
    anew = "leave out --resume to train from the start"
    if not (folder / CHECKPOINT).exists():
        raise RunError(f"there is no checkpoint of an unfinished run {name!r}", hint=anew)
    begun, now = RunDirectory(folder).config, json.loads(json.dumps(config))
    # Elsewhere, say on another machine, a training may go on, if not to the same bits.
    differences = _differences(begun, {**now, "environment": begun["environment"]})
    if differences:
        raise RunError(
            f"the unfinished run {name!r} was begun otherwise: {'; '.join(differences)}",
            hint=f"give what it was begun with, or {anew}",
        )


def _differences(begun: Any, now: Any, path: str = "") -> list[str]:
    """The leaves in which two JSON values differ, in words."""
    if isinstance(begun, dict) and isinstance(now, dict):
        found = []
        for key in {**begun, **now}:
            below = f"{path}.{key}" if path else key
            found += _differences(begun.get(key), now.get(key), below)
        return found
    return [] if begun == now else [f"{path} was {begun}, is now {now}"]


def write_run(
    folder: Path,
    *,
    config: dict[str, Any],
    history: list[dict[str, Any]],
    metrics: dict[str, Any],
    biases: Biases,
    model: keras.Model | None = None,
    representation: Mapping[str, Array] | None = None,
) -> None:
    """Fill a run's folder; without a model for a blend."""
    if model is not None:
        model.save(folder / "model.keras")
    (folder / "representation").mkdir(exist_ok=True)
    for name, values in (representation or {}).items():
        np.save(folder / "representation" / f"{name}.npy", values)
    np.savez(folder / "biases.npz", **biases.to_arrays())
    lines = "".join(json.dumps(line) + "\n" for line in history)
    (folder / HISTORY).write_text(lines)
    _write_json(folder / "config.json", config)
    _write_json(folder / "metrics.json", metrics)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
