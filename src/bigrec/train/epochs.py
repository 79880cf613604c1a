"""The epochs of a training by gradient steps, from any state to the end or to Ctrl-C.

Nothing here grows with the number of ratings: one block is in hand at a time, and sums of it stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import keras

from bigrec.errors import RunError
from bigrec.measures import Measure
from bigrec.models.options import GradientOptions
from bigrec.resources import Progress
from bigrec.rows import PAIRS, DataSpec
from bigrec.run_records import EpochSummary
from bigrec.train.checkpoints import BestEpoch, Checkpoints, TrainingState
from bigrec.train.divergence import check_loss
from bigrec.train.interrupts import TrainingInterrupted, uninterrupted
from bigrec.train.loop import Block, Loop
from bigrec.train.schedule import learning_rate_factor
from bigrec.train.summary import Measured, OnEpoch


class Feed(Protocol):
    """The train subset as blocks; an epoch is a function of (seed, epoch)."""

    n_rows: int
    """Ratings of an epoch."""

    def blocks(self, epoch: int, first_block: int = 0) -> Iterable[Block]:
        """The blocks of an epoch from the given one on."""

    def close(self) -> None:
        """Stop reading ahead, after the last epoch."""


@dataclass
class EpochFit:
    """One training, with all that it is made of."""

    model: keras.Model
    loop: Loop
    feed: Feed
    spec: DataSpec
    options: GradientOptions
    measure: Callable[[], Measured]
    """Scores the validation and the test subset with the model as it is."""
    state: TrainingState
    """Where to start from; kept up to date."""
    checkpoints: Checkpoints
    progress: Progress
    on_epoch: OnEpoch
    """Called after each epoch."""
    primary: Measure
    """What tells the best epoch, in the validation subset."""

    def run(self) -> Measured:
        """Train to the end and return the errors of the model that is kept.

        Raises:
            RunError: the training has diverged.
            TrainingInterrupted: by Ctrl-C; the state is saved.
        """
        measured = None
        try:
            while not self._is_done():
                self._train_epoch()
                measured = self.measure()
                with uninterrupted():
                    self._end_epoch(measured)
        except KeyboardInterrupt:
            with uninterrupted():
                self.checkpoints.save(self.state)
            raise TrainingInterrupted(
                f"stopped in epoch {min(self.state.epoch, self.options.epochs)} of "
                f"{self.options.epochs}"
            ) from None
        except RunError:
            self.checkpoints.discard()  # from there it would only diverge again
            raise
        if self.kept_epoch != len(self.state.history):
            assert self.state.best is not None  # noqa: S101 - it has been kept
            self.model.set_weights(self.state.best.weights)
            measured = None
        return measured or self.measure()

    @property
    def kept_epoch(self) -> int:
        """The epoch whose weights the model has after training."""
        return self.state.best.epoch if self.state.best else len(self.state.history)

    def _is_done(self) -> bool:
        n_done = len(self.state.history)
        best, patience = self.state.best, self.options.patience
        is_stale = best is not None and n_done - best.epoch >= patience
        return n_done >= self.options.epochs or is_stale

    def _train_epoch(self) -> None:
        state, n_rows = self.state, self.feed.n_rows
        self.loop.learning_rate_factor.assign(learning_rate_factor(self.options, state.epoch))
        self.progress.start(f"epoch {state.epoch}/{self.options.epochs}", n_rows, "ratings")
        self.progress.advance(state.n_rows)
        asked = time.perf_counter()
        for block in self.feed.blocks(state.epoch, state.n_blocks):
            received = time.perf_counter()
            with uninterrupted():
                self._train_block(block, asked, received)
            asked = time.perf_counter()

        if not state.blocks_done:
            with uninterrupted():
                self.loop.end_epoch()
                state.blocks_done = True
                state.seconds += time.perf_counter() - asked

    def _train_block(self, block: Block, asked: float, received: float) -> None:
        state = self.state
        if state.epoch > 1 and not state.n_blocks:
            self.loop.between_epochs()
        squares, n_rows = self.loop.train_block(block)
        check_loss(squares, n_rows, self.spec, self.options, state.epoch)
        state.n_blocks += 1
        state.squares += squares
        state.n_rows += n_rows
        state.seconds += time.perf_counter() - asked
        state.input_wait_seconds += received - asked
        self.progress.advance(n_rows, n_rows)
        # A block of pairs has an axis of batches; a block of rows is one batch of users.
        self.checkpoints.count(block[PAIRS].shape[0] if PAIRS in block else 1, state)

    def _end_epoch(self, measured: Measured) -> None:
        state = self.state
        validation = measured.validation_measures
        summary = EpochSummary(
            epoch=state.epoch,
            train_loss=state.squares / state.n_rows,
            validation=validation,
            test=measured.test.measures,
            seconds=state.seconds,
            rows_per_second=state.n_rows / state.seconds,
            input_wait_seconds=state.input_wait_seconds,
        )
        if self.options.patience and validation is not None:
            value = validation[self.primary.name]
            if state.best is None or self.primary.is_better(value, state.best.value):
                state.best = BestEpoch(state.epoch, value, self.model.get_weights())
        state.end_epoch(summary)
        self.on_epoch(summary)
