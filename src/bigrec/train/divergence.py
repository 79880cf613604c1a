"""Noticing that a training has run away, and saying what to lower."""

from __future__ import annotations

import math
from typing import Final

from bigrec.errors import RunError
from bigrec.models.options import GradientOptions
from bigrec.rows import DataSpec

_FACTOR: Final = 4
_MAX_SCALES: Final = 10


def check_loss(
    squares: float, n_rows: int, spec: DataSpec, options: GradientOptions, epoch: int
) -> None:
    """Refuse an error that no useful model makes.

    The worst score on the scale is one scale off. A block of batches whose RMSE is ten times that
    does not come back; most often it is on its way to infinity.

    Args:
        squares: sum of squared errors of a block.
        n_rows: its ratings.
        spec: the scale.
        options: the hyper-parameters, for advice.
        epoch: the epoch, from 1, for the message.

    Raises:
        RunError: the error is not a number, or above ten times the scale.
    """
    rmse = math.sqrt(squares / n_rows) if squares >= 0 else math.nan
    if rmse <= _MAX_SCALES * (spec.max_rating - spec.min_rating):
        return
    rates = {"learning_rate": options.learning_rate}
    if options.optimizer != "sgd":
        rates["dense_learning_rate"] = options.dense_learning_rate
    lower = " ".join(f"--set {name}={rate / _FACTOR:g}" for name, rate in rates.items() if rate)
    found = (
        f"has reached {rmse:.3g} {spec.unit}" if math.isfinite(rmse) else "is not a number any more"
    )
    raise RunError(
        f"training has diverged: in epoch {epoch} the error in the train subset {found}",
        hint=f"lower the step size with {lower}, or raise it gently with --set warmup=2",
    )
