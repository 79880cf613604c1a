"""Checkpoints: all that a training needs to go on as if it had never stopped.

One file, checkpoint.npz, replaced as a whole: every variable of the loop (weights, optimizer state,
counters, states of random generators), the weights of the best epoch where early stopping keeps
them, and a JSON text with the position in the data, the loss so far and the epochs behind. Arrays
are plain; nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from bigrec.errors import RunError, SettingsError
from bigrec.run_records import EpochSummary
from bigrec.store.publish import replacing_file

Array = np.ndarray[Any, Any]


_NUMBERS: Final = (
    "epoch", "n_blocks", "blocks_done", "squares", "n_rows", "seconds", "input_wait_seconds",
)  # fmt: skip


@dataclass
class BestEpoch:
    """The epoch that was best in the validation subset so far."""

    epoch: int
    """From 1."""
    value: float
    """Of the primary measure."""
    weights: list[Array]
    """The model's weights after it, as get_weights gives them."""


@dataclass
class TrainingState:
    """How far a training has come, beside the values of its variables."""

    epoch: int = 1
    """The epoch that is being trained, from 1."""
    n_blocks: int = 0
    """Blocks of it that are done."""
    blocks_done: bool = False
    """Whether all of them are, and the loop has ended the epoch."""
    squares: float = 0.0
    """Sum of its squared errors so far."""
    n_rows: int = 0
    """Its ratings so far."""
    seconds: float = 0.0
    """Its wall time so far."""
    input_wait_seconds: float = 0.0
    """Time of it spent waiting for input."""
    history: list[EpochSummary] = field(default_factory=list)
    """The epochs behind."""
    best: BestEpoch | None = None
    """None before the first validation, or without early stopping."""
    spent_seconds: float = 0.0
    """Wall time of the training up to the checkpoint that it was resumed from, if any."""
    started: float = field(default_factory=time.perf_counter)
    """When this process began to train, by perf_counter; not saved."""

    @property
    def elapsed_seconds(self) -> float:
        """Wall time of the training, tests included, pauses not."""
        return self.spent_seconds + time.perf_counter() - self.started

    def end_epoch(self, summary: EpochSummary) -> None:
        """Turn to the next epoch."""
        self.history.append(summary)
        self.epoch += 1
        self.blocks_done = False
        self.n_blocks = self.n_rows = 0
        self.squares = self.seconds = self.input_wait_seconds = 0.0


@dataclass(frozen=True)
class CheckpointOptions:
    """When the state of a training is saved, beside at Ctrl-C; what comes first counts."""

    steps: int | None = None
    """After this many steps, at the end of the block that is under way; at least 1. None: never."""
    minutes: float | None = 10.0
    """After this many minutes, likewise; 0 for every block. None: never."""

    def __post_init__(self) -> None:
        steps, minutes = self.steps, self.minutes
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise SettingsError(f"expected checkpoints every N steps, at least 1, found {steps}")
        if minutes is not None and not (
            isinstance(minutes, int | float) and 0 <= minutes < math.inf
        ):
            raise SettingsError(
                f"expected checkpoints every N minutes, at least 0, found {minutes}"
            )


class Checkpoints:
    """Saves a training's state to one file whenever it is due."""

    def __init__(self, path: Path, variables: Sequence[Any], options: CheckpointOptions) -> None:
        self._path = path
        self._variables = variables
        self._options = options
        self._steps = 0
        self._saved_at = time.monotonic()

    def count(self, n_steps: int, state: TrainingState) -> None:
        """Count finished steps, and save if it is due."""
        self._steps += n_steps
        steps, minutes = self._options.steps, self._options.minutes
        if (steps is not None and self._steps >= steps) or (
            minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes
        ):
            self.save(state)

    def save(self, state: TrainingState) -> None:
        """Save now."""
        best = state.best
        described = {
            **{name: getattr(state, name) for name in _NUMBERS},
            "spent_seconds": state.elapsed_seconds,
            "history": [dataclasses.asdict(epoch) for epoch in state.history],
            "best": best and {"epoch": best.epoch, "value": best.value},
        }
        arrays: dict[str, Any] = {f"variable_{n}": _value(v) for n, v in enumerate(self._variables)}
        arrays |= {f"best_{n}": value for n, value in enumerate(best.weights if best else [])}
        with replacing_file(self._path) as file:
            np.savez(file, state=np.array(json.dumps(described)), **arrays)
        self._steps = 0
        self._saved_at = time.monotonic()

    def discard(self) -> None:
        """Remove what was saved, which nobody shall go on from."""
        self._path.unlink(missing_ok=True)

    def restore(self) -> TrainingState:
        """Set the variables to their saved values and return the rest of the state.

        Raises:
            RunError: there is no checkpoint, it is damaged, or it holds other variables.
        """
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                fields = json.loads(str(arrays["state"]))
                saved = [arrays[f"variable_{n}"] for n in range(_count(arrays, "variable_"))]
                weights = [arrays[f"best_{n}"] for n in range(_count(arrays, "best_"))]
                history = [EpochSummary(**epoch) for epoch in fields.pop("history")]
                best = fields.pop("best")
                if best:
                    best = BestEpoch(**best, weights=weights)
                state = TrainingState(**fields, history=history, best=best)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise RunError(
                f"{self._path} cannot be read: {error}",
                hint="leave out --resume to train from the start",
            ) from error
        shapes = [value.shape for value in saved]
        expected = [tuple(variable.shape) for variable in self._variables]
        if shapes != expected:
            raise RunError(
                f"{self._path} holds variables of the shapes {shapes}, expected {expected}",
                hint="leave out --resume to train from the start",
            )
        for variable, value in zip(self._variables, saved, strict=True):
            variable.assign(value)
        return state


def _value(variable: Any) -> Array:
    return np.asarray(variable.numpy())


def _count(arrays: Any, prefix: str) -> int:
    return sum(name.startswith(prefix) for name in arrays.files)
