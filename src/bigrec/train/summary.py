"""What a training gives: errors after each epoch, and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bigrec.models.scoring import Errors


@dataclass(frozen=True)
class EpochSummary:
    """What one pass over the train side gave."""

    epoch: int
    """From 1."""
    train_mse: float | None
    """Mean squared error while training; None for a model without gradient steps."""
    validation_rmse: float | None
    """RMSE on the validation side after the epoch, in stars; None for a split without one."""
    test_rmse: float
    """RMSE on the test side after the epoch, in stars."""
    seconds: float
    """Wall time of the pass, without validation and test."""
    rows_per_second: float
    """Train ratings a second."""
    input_wait_seconds: float
    """Time of `seconds` in which training waited for input."""


OnEpoch = Callable[[EpochSummary], None]


@dataclass(frozen=True)
class Measured:
    """Errors after an epoch."""

    validation: Errors | None
    """None for a split without a validation side."""
    test: Errors

    @property
    def validation_rmse(self) -> float | None:
        """RMSE on the validation side, in stars; None without one."""
        return None if self.validation is None else self.validation.rmse


@dataclass(frozen=True)
class TrainSummary:
    """What a training gave."""

    run: str
    model: str
    split: str
    epochs: tuple[EpochSummary, ...]
    kept_epoch: int
    """The epoch whose weights the run holds: the last, or with early stopping the best."""
    validation_rmse: float | None
    """RMSE on the validation side, as below; None for a split without one."""
    test_rmse: float
    """RMSE on the test side, scores clipped to the scale, in stars."""
    test_mae: float
    """Mean absolute error, likewise."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or item has no train row, scored by the bias model."""
