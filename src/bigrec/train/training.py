"""One training: what it is made of, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bigrec.datasets.training_data import TrainingData
from bigrec.models.baseline.bias import Biases
from bigrec.models.contract import Model
from bigrec.models.scoring import Scorer
from bigrec.resources import Budget, Progress
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

    def measure(self, scorer: Scorer) -> Measured:
        """Score the validation and the test subset."""
        scorer.use_threads(self.budget.threads)
        validation = self.data.validation
        return Measured(
            None if validation is None else scorer.errors_on(validation),
            scorer.errors_on(self.data.test),
        )


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
