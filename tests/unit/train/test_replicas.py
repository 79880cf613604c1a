"""Parts of a batch, and trainings on several devices; those need a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bigrec.rows import ITEM_INDEX, PAIRS, RATING, ROW_LENGTHS, USER_INDEX
from bigrec.train.feeds import EvenFeed
from bigrec.train.loop import Block
from bigrec.train.replicas import run_step, sum_gradients, take_part, take_rows_part

RUN_WITH_TWO_CPUS = """
import sys
import pytest
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_training_on_two_devices() -> None:
    """How many devices a CPU is can only be said before TensorFlow starts."""
    tests = str(Path(__file__).parent / "two_devices.py")
    command = [sys.executable, "-c", RUN_WITH_TWO_CPUS, "-q", "-x", "-p", "no:cacheprovider", tests]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr
    assert "passed" in child.stdout


def test_on_one_device_a_part_is_the_whole() -> None:
    slices = tf.IndexedSlices(tf.ones((2, 3)), tf.constant([4, 4]))

    def step(row: tf.Tensor, lengths: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        for given, part in zip((row, lengths), take_part(row, lengths), strict=True):
            tf.debugging.assert_equal(given, part)
        rows_part = take_rows_part(row, lengths, value)
        for given, part in zip((row, lengths, value), rows_part, strict=True):
            tf.debugging.assert_equal(given, part)
        one, other = sum_gradients([slices, tf.constant([1.0, 2.0])])
        tf.debugging.assert_equal(one.values, slices.values)
        tf.debugging.assert_equal(one.indices, slices.indices)
        return tf.reduce_sum(other)

    total = tf.function(lambda *batch: run_step(step, *batch))
    assert total(tf.range(3), tf.constant([2, 0, 1]), tf.constant([1.0, 2.0, 3.0])) == 3


class ListFeed:
    def __init__(self, blocks: list[Block]) -> None:
        self._blocks = blocks
        self.n_rows = 10

    def close(self) -> None:
        """Nothing is read ahead."""

    def blocks(self, epoch: int, first_block: int = 0) -> list[Block]:
        return self._blocks[first_block:]


@pytest.mark.parametrize(("n_rest", "n_kept"), [(9, 9), (7, 6), (4, 3), (2, 0)])
def test_rows_left_over_after_dealing_wait(n_rest: int, n_kept: int) -> None:
    whole = {PAIRS: tf.reshape(tf.range(24, dtype=tf.int64), (2, 12))}
    rest = {PAIRS: tf.range(n_rest, dtype=tf.int64)[None, :]}
    feed = EvenFeed(ListFeed([whole, rest]), 3)
    given = [block[PAIRS].numpy().tolist() for block in feed.blocks(1)]
    expected = [whole[PAIRS].numpy().tolist(), [list(range(n_kept))]]
    assert given == expected[: 1 + (n_kept > 0)]
    assert len(list(feed.blocks(1, 1))) == (n_kept > 0)


def test_users_left_over_go_with_their_ratings() -> None:
    lengths = np.array([2, 3, 1, 0, 4], np.int32)
    block = {
        USER_INDEX: tf.range(5),
        ROW_LENGTHS: tf.constant(lengths),
        ITEM_INDEX: tf.range(10),
        RATING: tf.range(10, dtype=tf.float32),
    }
    (given,) = EvenFeed(ListFeed([block]), 3).blocks(1)
    assert given[USER_INDEX].numpy().tolist() == [0, 1, 2]
    assert given[ROW_LENGTHS].numpy().tolist() == [2, 3, 1]
    assert given[ITEM_INDEX].numpy().tolist() == given[RATING].numpy().tolist() == list(range(6))
