"""What a training gives: measures after each epoch, and in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bigrec.models.list_measures import ListQuality
from bigrec.models.scoring import Errors
from bigrec.run_records import EpochSummary

OnEpoch = Callable[[EpochSummary], None]


@dataclass(frozen=True)
class Measured:
    """Errors after an epoch, or how good the lists are of a model that ranks."""

    validation: Errors | ListQuality | None
    """None for a split without a validation subset."""
    test: Errors | ListQuality

    @property
    def validation_measures(self) -> dict[str, float] | None:
        """By name; None without a validation subset."""
        return None if self.validation is None else self.validation.measures


@dataclass(frozen=True)
class TrainSummary:
    """What a training gave."""

    run: str
    model: str
    split: str
    epochs: tuple[EpochSummary, ...]
    kept_epoch: int
    """The epoch whose weights the run holds: the last, or with early stopping the best."""
    primary: str
    """The measure that the run is judged by first."""
    validation: Mapping[str, float] | None
    """Measures in the validation subset, by name; None for a split without one."""
    test: Mapping[str, float]
    """Measures in the test subset."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or item has no train row."""
