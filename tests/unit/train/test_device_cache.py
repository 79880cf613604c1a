"""Pairs in the device's memory: every row once an epoch, in an order that is as good as any."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bigrec.datasets.pairs import PairFeed
from bigrec.errors import ResourceError, SettingsError
from bigrec.models.baseline.bias import Biases
from bigrec.models.options import override
from bigrec.models.registry import MODELS
from bigrec.rows import PAIRS, DataSpec
from bigrec.train.device_cache import CachedPairFeed, choose_cache, permute
from bigrec.train.device_options import DeviceOptions
from bigrec.train.devices import Devices
from bigrec.train.loop import PairLoop
from tests.support.gradient_models import gradient_model
from tests.support.packed_pairs import SHARDS, pack

Array = np.ndarray[Any, Any]

KEYS = st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6)


def naive_mix(bits: int) -> int:
    """The finalizer of MurmurHash3, on Python's integers."""
    bits = (bits ^ bits >> 16) * 0x85EBCA6B % 2**32
    bits = (bits ^ bits >> 13) * 0xC2B2AE35 % 2**32
    return bits ^ bits >> 16


def naive_permute(position: int, keys: list[int], n: int) -> int:
    a = math.ceil(math.sqrt(n))
    b = math.ceil(n / a)
    while True:
        left, right = divmod(position, b)
        for one, other in zip(keys[::2], keys[1::2], strict=True):
            left = (left + naive_mix((right + one) % 2**32) % a) % a
            right = (right + naive_mix((left + other) % 2**32) % b) % b
        position = left * b + right
        if position < n:
            return position


@given(n=st.integers(1, 3000), keys=KEYS)
@example(n=1, keys=[0] * 6)
@example(n=2, keys=[2**32 - 1] * 6)
@settings(max_examples=30, deadline=None)
def test_places_are_a_permutation(n: int, keys: list[int]) -> None:
    places = permute(tf.constant(np.arange(n), tf.uint32), tf.constant(keys, tf.uint32), n)
    np.testing.assert_array_equal(np.sort(places.numpy()), np.arange(n))


@given(n=st.integers(1, 2**31), keys=KEYS, data=st.data())
@settings(max_examples=30, deadline=None)
def test_places_agree_with_python_integers(n: int, keys: list[int], data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    places = permute(tf.constant(positions, tf.uint32), tf.constant(keys, tf.uint32), n)
    assert places.numpy().tolist() == [naive_permute(place, keys, n) for place in positions]


def test_a_position_goes_everywhere_equally_often() -> None:
    n, size = 200, 100_000
    keys = tf.constant(np.random.default_rng(0).integers(2**32, size=(6, size)), tf.uint32)
    one, other = (permute(tf.fill(size, tf.constant(p, tf.uint32)), keys, n) for p in (7, 8))
    assert chisquare(np.bincount(one, minlength=n)).pvalue > 1e-3
    # Neighbors go their own ways.
    steps = (other.numpy().astype(int) - one.numpy()) % n
    assert chisquare(np.bincount(steps, minlength=n)[1:]).pvalue > 1e-3


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """4,007 ratings of 50 users and 30 items with something to learn, in three files."""
    rng = np.random.default_rng(0)
    n = 4007
    user, item = rng.integers(50, size=n), rng.integers(30, size=n)
    taste, kind = rng.normal(0, 1, (50, 2)), rng.normal(0, 0.7, (30, 2))
    stars = np.clip(np.round(3 + (taste[user] * kind[item]).sum(1)), 1, 5)
    folder = tmp_path_factory.mktemp("shards")
    paths = [folder / f"{number:05d}.npy" for number in range(3)]
    for path, part in zip(paths, np.split(pack(user, item, stars), [1000, 1037]), strict=True):
        np.save(path, part)
    return paths


def cached(shards: list[Path], batch_size: int, seed: int = 1) -> CachedPairFeed:
    return CachedPairFeed(shards, batch_size=batch_size, seed=seed, device="/CPU:0")


@pytest.mark.parametrize("batch_size", [1, 50, 5000])
def test_an_epoch_is_every_pair_once_in_blocks_like_those_from_disk(
    shards: list[Path], batch_size: int
) -> None:
    feed = cached(shards, batch_size)
    streamed = PairFeed(shards, batch_size=batch_size, seed=1)
    assert feed.n_rows == streamed.n_rows == 4007
    blocks = [block[PAIRS].numpy() for block in feed.blocks(1)]
    assert [block.shape for block in blocks] == [block.shape for block in streamed.arrays(1)]
    everything = np.sort(np.concatenate([np.load(path) for path in shards]))
    np.testing.assert_array_equal(np.sort(np.concatenate([b.ravel() for b in blocks])), everything)
    for first in (0, 1, len(blocks) - 1, len(blocks)):
        rest = [block[PAIRS].numpy() for block in feed.blocks(1, first)]
        assert len(rest) == len(blocks) - first
        for one, other in zip(rest, blocks[first:], strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_order_is_a_function_of_seed_and_epoch(shards: list[Path]) -> None:
    def order(feed: CachedPairFeed, epoch: int) -> list[int]:
        blocks = [block[PAIRS].numpy().ravel() for block in feed.blocks(epoch)]
        pairs: list[int] = np.concatenate(blocks).tolist()
        return pairs

    feed, other = cached(shards, 500), cached(shards, 500, seed=2)
    assert order(feed, 1) == order(feed, 1)
    assert order(feed, 1) != order(feed, 2)
    assert order(feed, 1) != order(other, 1)


SPEC = DataSpec(50, 30, 3.0, 1.0, 5.0)


def test_training_from_the_cache_is_as_good_as_from_disk(shards: list[Path]) -> None:
    changes = {"embedding_size": "4", "implicit_l2": "0", "row_l2": "0"}
    options: Any = override(MODELS["matrix-factorization"].presets["tuned"], changes)
    zeros = np.zeros(50, np.float32)
    biases = Biases(3.0, zeros, zeros[:30], zeros[:30], zeros, zeros[:30])
    curves = []
    for feed in (cached(shards, 20), PairFeed(shards, batch_size=20, seed=1)):
        keras.utils.set_random_seed(1)
        # Batches of another size than the loop's own are not compiled, which saves seconds here.
        network = gradient_model("matrix-factorization").build(SPEC, options, biases)
        loop = PairLoop(network, options, SHARDS)
        curves.append(
            [
                math.sqrt(sum(loop.train_block(block)[0] for block in feed.blocks(epoch)) / 4007)
                for epoch in range(1, 6)
            ]
        )
    assert curves[0][-1] < curves[0][0] - 0.2  # it learns
    # The errors of the first epoch, when everything changes most, depend on the order.
    np.testing.assert_allclose(curves[0][1:], curves[1][1:], atol=0.02)
    assert curves[0] != curves[1]


def choose(cache: str, memory_bytes: int | None, kind: str = "gpu", model: str = "dnn") -> str:
    definition = gradient_model(model)
    options: Any = definition.presets["notebook"]
    devices = Devices(kind, (f"/{kind.upper()}:0",), memory_bytes)
    asked = DeviceOptions(cache=cache)
    return choose_cache(definition, SPEC, options, asked, devices, n_train=10**8).cache


def test_auto_keeps_pairs_on_a_gpu_that_has_room_for_them() -> None:
    assert choose("auto", 8 << 30) == "device"
    assert choose("auto", 900 << 20) == "off"  # 763 MiB of pairs, and the model
    assert choose("auto", None) == "off"
    assert choose("auto", 8 << 30, "cpu") == "off"
    assert choose("auto", 8 << 30, model="autorec") == "off"
    assert choose("off", 8 << 30) == "off"
    assert choose("device", 8 << 30, "cpu") == choose("device", None) == "device"


def test_a_cache_that_cannot_be_is_refused() -> None:
    with pytest.raises(ResourceError, match=r"which has 700\.0 MiB.*cached ratings 762\.9 MiB"):
        choose("device", 700 << 20)
    with pytest.raises(SettingsError, match="autorec, which takes rows"):
        choose("device", 8 << 30, model="autorec")
    with pytest.raises(SettingsError, match="unknown cache 'disk'"):
        DeviceOptions(cache="disk")
