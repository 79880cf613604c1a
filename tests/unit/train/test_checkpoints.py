"""A checkpoint gives back every bit of a training's state, and nothing but plain arrays."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bigrec.errors import RunError
from bigrec.train.checkpoints import BestEpoch, CheckpointOptions, Checkpoints, TrainingState
from tests.support.runs import make_epoch

NEVER = CheckpointOptions(steps=None, minutes=None)


def make_variables(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [
        tf.Variable(rng.normal(size=(5, 3)).astype(np.float32)),
        tf.Variable(rng.integers(0, 2**62), dtype=tf.int64),
        tf.Variable(rng.integers(0, 2**32, 2, dtype=np.uint32)),
        tf.Variable(0.1, dtype=tf.float64),
    ]


def make_state() -> TrainingState:
    weights = [np.arange(3, dtype=np.float32), np.array(math.pi)]
    return TrainingState(
        epoch=2,
        n_blocks=7,
        blocks_done=True,
        squares=1 / 3,
        n_rows=12_345,
        seconds=0.1 + 0.2,
        input_wait_seconds=1e-17,
        history=[make_epoch(1, 0.7, None, 0.9, 1.5, 1e6, 0.25)],
        best=BestEpoch(1, 2 / 3, weights),
        spent_seconds=100.0,
    )


def test_every_bit_comes_back(tmp_path: Path) -> None:
    variables, state = make_variables(1), make_state()
    Checkpoints(tmp_path / "c.npz", variables, NEVER).save(state)
    others = make_variables(2)
    restored = Checkpoints(tmp_path / "c.npz", others, NEVER).restore()
    for one, two in zip(variables, others, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert restored.best is not None
    assert state.best is not None
    for array, again in zip(state.best.weights, restored.best.weights, strict=True):
        np.testing.assert_array_equal(array, again)
    for name in (
        "epoch",
        "n_blocks",
        "blocks_done",
        "squares",
        "n_rows",
        "seconds",
        "input_wait_seconds",
    ):
        assert getattr(restored, name) == getattr(state, name)
    assert restored.history == state.history
    assert (restored.best.epoch, restored.best.value) == (1, 2 / 3)
    assert restored.spent_seconds >= 100
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def test_a_checkpoint_is_saved_when_it_is_due(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    by_steps = Checkpoints(path, [], CheckpointOptions(steps=100, minutes=None))
    saved = []
    for _ in range(5):
        by_steps.count(40, TrainingState())
        saved.append(path.exists())
        path.unlink(missing_ok=True)
    assert saved == [False, False, True, False, False]
    at_every_block = Checkpoints(path, [], CheckpointOptions(minutes=0))
    at_every_block.count(1, TrainingState())
    assert path.exists()
    path.unlink()
    Checkpoints(path, [], CheckpointOptions()).count(10**9, TrainingState())
    Checkpoints(path, [], NEVER).count(10**9, TrainingState())
    assert not path.exists()


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_refused(keep: float, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    Checkpoints(path, make_variables(1), NEVER).save(make_state())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(RunError, match="cannot be read"):
        Checkpoints(path, make_variables(1), NEVER).restore()


def test_a_checkpoint_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    np.savez(path, state=np.array([object()], dtype=object))
    with pytest.raises(RunError, match="cannot be read"):
        Checkpoints(path, [], NEVER).restore()


def test_other_variables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    Checkpoints(path, make_variables(1), NEVER).save(make_state())
    for others in (make_variables(1)[:3], [tf.Variable([1.0]), *make_variables(1)[1:]]):
        with pytest.raises(RunError, match="of the shapes"):
            Checkpoints(path, others, NEVER).restore()
    with pytest.raises(RunError, match="cannot be read"):
        Checkpoints(tmp_path / "none.npz", [], NEVER).restore()
