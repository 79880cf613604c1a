"""One training: what it is made of, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigrec.datasets.training_data import TrainingData
from bigrec.measures import RANKING_OBJECTIVE
from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import Model
from bigrec.models.list_measures import check_relevant, measure_quality
from bigrec.models.scoring import Scorer
from bigrec.resources import Budget, Progress
from bigrec.rows import Rows
from bigrec.run_records import EpochSummary
from bigrec.train.checkpoints import CheckpointOptions
from bigrec.train.device_options import DeviceOptions
from bigrec.train.summary import Measured, OnEpoch

if TYPE_CHECKING:
    from bigrec.train.devices import Devices


@dataclass(frozen=True)
class Training:
    """All that a training is made of; see train_model."""

    data: TrainingData
    model: Model
    options: Any
    """Of the model: its kind of ModelOptions."""
    biases: Biases
    seed: int
    device: DeviceOptions
    """How to compute; its cache is not auto any more."""
    devices: Devices | None
    """Where to train; None for the CPU without TensorFlow."""
    folder: Path
    """Of the unfinished run."""
    started: float
    """When it began, by perf_counter."""
    checkpoints: CheckpointOptions
    resume: bool
    budget: Budget
    progress: Progress
    on_epoch: OnEpoch

    def check_measures(self) -> None:
        """Make sure, before a model is fitted, that there is something to measure.

        Raises:
            SplitError: the model ranks, and nobody in a subset has anything to be ranked.
        """
        if self._ranks:
            for name, subset, _ in self._subsets():
                check_relevant(subset, self.biases.user_count, self.data.spec, name)

    def measure(self, scorer: Scorer) -> Measured:
        """Measure errors, or lists, in the validation and the test subset."""
        scorer.use_threads(self.budget.threads)
        measured = {
            name: measure_quality(scorer, subset, known, name=name, budget=self.budget)
            if self._ranks
            else scorer.errors_on(subset)
            for name, subset, known in self._subsets()
        }
        return Measured(measured.get("validation"), measured["test"])

    @property
    def _ranks(self) -> bool:
        return self.model.objectives[0] == RANKING_OBJECTIVE

    def _subsets(self) -> Iterator[tuple[str, Rows, list[Rows]]]:
        """Those to measure in, by name, each with what its users have seen before."""
        data, known = self.data, [self.data.train]
        if data.validation is not None:
            yield "validation", data.validation, known
            known = [*known, data.validation]
        yield "test", data.test, known


@dataclass(frozen=True)
class Fitted:
    """What a training gives."""

    scorer: Scorer
    """What it has learned, ready to score."""
    epochs: list[EpochSummary]
    kept_epoch: int
    """The epoch whose weights the model has."""
    measured: Measured
    seconds: float
    """Wall time since the training began, without pauses."""
