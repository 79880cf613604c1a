"""Pipelines deliver every train row once an epoch, in an order that (seed, epoch) decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tests.support.packed_pairs import HALF_STARS, PACKING, pack
from tests.support.rows import make_rows

from bigrec.datasets.pairs import PairFeed, unpack
from bigrec.datasets.read_ahead import ReadAhead
from bigrec.datasets.user_rows import RowFeed
from bigrec.rows import ITEM_INDEX, PAIRS, RATING, ROW_LENGTHS, USER_INDEX


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for number, n in enumerate((1000, 37, 2500)):
        user = rng.permutation(n) + 10_000 * number
        paths.append(tmp_path / f"{number:05d}.npy")
        np.save(paths[-1], pack(user, user % 97, 1 + user % 9 / 2))
    return paths


def flat(blocks: Iterable[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return np.concatenate([block.ravel() for block in blocks])


@pytest.mark.parametrize("batch_size", [1, 16, 50, 5000])
def test_every_row_comes_once_in_whole_batches(shards: list[Path], batch_size: int) -> None:
    blocks = list(PairFeed(shards, batch_size=batch_size, seed=1).arrays(1))
    expected = np.concatenate([np.load(path) for path in shards])
    np.testing.assert_array_equal(np.sort(flat(blocks)), np.sort(expected))
    widths = [block.shape[1] for block in blocks]
    assert all(width == batch_size for width in widths[:-1])


def test_order_is_a_function_of_seed_and_epoch(shards: list[Path]) -> None:
    def order(seed: int, epoch: int) -> list[int]:
        blocks = PairFeed(shards, batch_size=8, seed=seed).arrays(epoch)
        pairs: list[int] = flat(blocks).tolist()
        return pairs

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


def test_tensorflow_gets_the_same_blocks(shards: list[Path]) -> None:
    feed = PairFeed(shards, batch_size=16, seed=1)
    assert feed.n_rows == 3537
    expected = list(feed.arrays(3))
    for given in (feed.dataset(3).as_numpy_iterator(), feed.blocks(3)):
        for one, two in zip(given, expected, strict=True):
            np.testing.assert_array_equal(one[PAIRS], two)


@pytest.mark.parametrize("batch_size", [1, 16, 27, 5000])  # 27 leaves no rest, 5000 no batch
def test_epochs_follow_each_other_and_start_anywhere(shards: list[Path], batch_size: int) -> None:
    feed = PairFeed(shards, batch_size=batch_size, seed=1)
    assert next(feed.blocks(7)) is not None  # begun and left
    for epoch, first in ((1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (2, 0)):
        expected = list(feed.arrays(epoch, first))
        for one, two in zip(feed.blocks(epoch, first), expected, strict=True):
            np.testing.assert_array_equal(one[PAIRS].numpy(), two)


def test_one_pipeline_carries_all_epochs() -> None:
    n_made = 0

    def make(elements: Callable[[], Iterator[int]]) -> tf.data.Dataset:
        nonlocal n_made
        n_made += 1
        return tf.data.Dataset.from_generator(
            elements, output_signature=tf.TensorSpec((), tf.int32)
        )

    ahead = ReadAhead(lambda epoch, first: iter(range(10 * epoch + first, 10 * epoch + 3)), make, 3)
    taken = [[int(block) for block in ahead.blocks(epoch)] for epoch in (1, 2, 3)]
    assert taken == [[10, 11, 12], [20, 21, 22], [30, 31, 32]]
    assert [int(block) for block in ahead.blocks(3, 1)] == [31, 32]
    assert n_made == 1


def test_a_closed_feed_leaves_no_thread_and_can_begin_again(shards: list[Path]) -> None:
    def take_an_epoch() -> int:
        feed = PairFeed(shards, batch_size=1, seed=1)
        assert len(list(feed.blocks(1))) == len(list(feed.arrays(1)))
        feed.close()
        assert len(list(feed.blocks(1, 2))) == len(list(feed.arrays(1, 2)))
        feed.close()
        return len(list(Path("/proc/self/task").iterdir()))

    take_an_epoch()  # starts TensorFlow's own threads
    first = take_an_epoch()
    assert max(take_an_epoch() for _ in range(4)) <= first + 1


@pytest.mark.parametrize("batch_size", [1, 16, 50, 5000])
def test_an_epoch_goes_on_from_any_block(shards: list[Path], batch_size: int) -> None:
    feed = PairFeed(shards, batch_size=batch_size, seed=1)
    whole = list(feed.arrays(2))
    for first in range(len(whole) + 1):
        part = list(feed.arrays(2, first))
        assert len(part) == len(whole) - first
        for one, two in zip(part, whole[first:], strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("user", [0, 1, 2**31 - 1])
@pytest.mark.parametrize("item", [0, 1, 2**24 - 1])
@pytest.mark.parametrize("rating", [0.5, 3.0, 5.0])
def test_unpacking_gives_back_what_was_packed(user: int, item: int, rating: float) -> None:
    pairs = pack(np.array([[user]]), np.array([[item]]), np.array([[rating]]))
    unpacked = unpack(tf.constant(pairs), PACKING, HALF_STARS)
    assert [tensor.numpy().tolist() for tensor in unpacked] == [[[user]], [[item]], [[rating]]]
    assert [tensor.dtype for tensor in unpacked] == [tf.int32, tf.int32, tf.float32]


def test_user_rows_travel_whole() -> None:
    rows, _ = make_rows(2, n_users=30, n_items=12, density=0.3)
    feed = RowFeed(rows, batch_size=7, seed=0)
    batches = list(feed.arrays(1))
    assert [len(batch[USER_INDEX]) for batch in batches] == [7, 7, 7, 7, 2]
    for batch in batches:
        ends = np.cumsum(batch[ROW_LENGTHS])
        for user, end, n in zip(batch[USER_INDEX], ends, batch[ROW_LENGTHS], strict=True):
            expected = slice(rows.indptr[user], rows.indptr[user + 1])
            np.testing.assert_array_equal(batch[ITEM_INDEX][end - n : end], rows.column[expected])
            np.testing.assert_array_equal(batch[RATING][end - n : end], rows.rating[expected])
    seen = np.sort(np.concatenate([batch[USER_INDEX] for batch in batches]))
    np.testing.assert_array_equal(seen, np.arange(30))
    for one, two in zip(feed.blocks(1), batches, strict=True):
        np.testing.assert_array_equal(one[RATING].numpy(), two[RATING])
    np.testing.assert_array_equal(next(feed.arrays(1, 3))[RATING], batches[3][RATING])
