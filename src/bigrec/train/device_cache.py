"""The train pairs in the memory of the device: an epoch is a permutation and a gather.

The order of an epoch is a pseudorandom permutation of 0 … n - 1 which (seed, epoch) decides. It is
computed place by place, so it needs no memory and no sorting and can begin anywhere: a Feistel
network of six rounds (Luby, Rackoff, "How to Construct Pseudorandom Permutations", 1988) on pairs
of a residue modulo a and one modulo b, where a · b is hardly more than n. The few that it sends to
n or beyond pass it again until they are below (Black, Rogaway, "Ciphers with Arbitrary Finite
Domains", 2002).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from bigrec.datasets.pairs import BLOCK_BATCHES
from bigrec.errors import SettingsError
from bigrec.models.gradient_model import GradientModel
from bigrec.models.layers import mix_bits
from bigrec.models.options import GradientOptions
from bigrec.rows import PAIRS, DataSpec
from bigrec.train.device_options import DeviceOptions
from bigrec.train.devices import Devices
from bigrec.train.loop import Block
from bigrec.train.memory import estimate_need, too_little_memory

_PAIR_BYTES: Final = 8
_FULL: Final = 0.8
"""Share of a device's memory that an estimate may fill: it knows nothing of working buffers."""
_ROUNDS: Final = 6


def cache_bytes(options: DeviceOptions, n_train: int) -> int:
    """What the cache takes, if these options, of which no cache is auto, have one."""
    return _PAIR_BYTES * n_train if options.cache == "device" else 0


def choose_cache(
    model: GradientModel,
    spec: DataSpec,
    options: GradientOptions,
    asked: DeviceOptions,
    devices: Devices,
    *,
    n_train: int,
) -> DeviceOptions:
    """Decide on a cache that is auto, and refuse one that cannot be.

    Args:
        model, spec, options: what is trained.
        asked: what to decide on.
        devices: where to train.
        n_train: ratings of the train subset.

    Returns:
        The options with the cache device or off.

    Raises:
        SettingsError: a cache of pairs for a model of rows.
        ResourceError: the device is too small.
    """
    off = dataclasses.replace(asked, cache="off")
    if model.plan(options).loop != "pairs":
        if asked.cache == "device":
            raise SettingsError(
                f"--cache device is for models of pairs, found {model.name}, which takes rows",
                hint="leave it out: rows are read from disk",
            )
        return off
    if asked.cache == "off" or (asked.cache == "auto" and devices.kind == "cpu"):
        return off
    cached = dataclasses.replace(asked, cache="device")
    need = estimate_need(
        model, spec, options, n_train=n_train, cache_bytes=cache_bytes(cached, n_train)
    )
    if asked.cache == "auto":
        fits = devices.memory_bytes is not None and need.total <= _FULL * devices.memory_bytes
        return cached if fits else off
    if devices.memory_bytes is not None and need.total > devices.memory_bytes:
        raise too_little_memory(model, need, options, devices)
    return cached


class CachedPairFeed:
    """A PairFeed that reads its shards once; its batches are others, drawn from all the rows."""

    def __init__(self, shards: list[Path], *, batch_size: int, seed: int, device: str) -> None:
        """Read the shards into the device's memory; while it is copied, the host has it as well.

        Args:
            shards: (n,) int64 pairs each.
            batch_size: rows of a batch.
            seed: with the epoch, decides the order.
            device: as TensorFlow names it.
        """
        lengths = [len(np.load(shard, mmap_mode="r")) for shard in shards]
        self.n_rows = sum(lengths)
        pairs = np.empty(self.n_rows, np.int64)
        for shard, stop, length in zip(shards, np.cumsum(lengths).tolist(), lengths, strict=True):
            pairs[stop - length : stop] = np.load(shard, mmap_mode="r")
        self._batch_size, self._seed, self._device = batch_size, seed, device
        with tf.device(device):
            self._pairs = tf.constant(pairs)
        self._take = tf.function(self._gather, jit_compile=True, autograph=False)

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[Block]:
        """The blocks of an epoch from the given one on, of the shapes that PairFeed's have."""
        keys = np.random.default_rng([self._seed, epoch]).integers(2**32, size=_ROUNDS)
        starts = range(0, self.n_rows, BLOCK_BATCHES * self._batch_size)
        whole = self.n_rows // self._batch_size * self._batch_size
        parts = [(start, min(start + starts.step, whole)) for start in starts]
        parts = [part for part in (*parts, (whole, self.n_rows)) if part[0] < part[1]]
        for start, stop in parts[first_block:]:
            with tf.device(self._device):
                pairs = self._take(tf.constant(start, tf.int64), tf.constant(keys, tf.uint32))
                n_rows = stop - start
                pairs = tf.reshape(pairs[:n_rows], (-1, min(self._batch_size, n_rows)))
            yield {PAIRS: pairs}

    def close(self) -> None:
        """Nothing is read ahead."""

    def _gather(self, start: Any, keys: Any) -> Any:
        """As many pairs as a block has, from a position on; the last one again where they end."""
        positions = start + tf.range(BLOCK_BATCHES * self._batch_size, dtype=tf.int64)
        positions = tf.cast(tf.minimum(positions, self.n_rows - 1), tf.uint32)
        return tf.gather(self._pairs, tf.cast(permute(positions, keys, self.n_rows), tf.int64))


def permute(positions: Any, keys: Any, n: int) -> Any:
    """Where a permutation of 0 … n - 1 sends positions.

    Args:
        positions: (size,) uint32, below n.
        keys: (6,) uint32, which choose the permutation.
        n: from 1 to 2^31.

    Returns:
        (size,) uint32, below n.
    """
    n_left = math.isqrt(n - 1) + 1
    n_right = -(-n // n_left)

    def encipher(values: Any) -> Any:
        left, right = values // n_right, values % n_right
        for number in range(0, _ROUNDS, 2):
            left = (left + mix_bits(right + keys[number]) % n_left) % n_left
            right = (right + mix_bits(left + keys[number + 1]) % n_right) % n_right
        return left * n_right + right

    def is_outside(values: Any) -> Any:
        return tf.cast(values, tf.int64) >= n

    (places,) = tf.while_loop(
        lambda values: tf.reduce_any(is_outside(values)),
        lambda values: (tf.where(is_outside(values), encipher(values), values),),
        (encipher(positions),),
    )
    return places
