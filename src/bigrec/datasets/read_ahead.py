"""Epochs one after the other from one tf.data pipeline, which reads ahead across their borders.

A pipeline of its own for every epoch would be built, and would read its first block, while the
training waits: a tenth of an epoch of a million ratings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

Elements = Callable[[int, int], Iterator[Any]]
"""An epoch and its first block to the elements of a pipeline from there on."""


class ReadAhead:
    """The blocks of epochs, read ahead into the next epoch while the last is measured."""

    def __init__(
        self,
        elements: Elements,
        pipeline: Callable[[Callable[[], Iterator[Any]]], tf.data.Dataset],
        n_blocks: int,
    ) -> None:
        """Take what a feed is made of; nothing is read yet.

        Args:
            elements: the elements of one epoch.
            pipeline: what makes blocks of the elements that a call gives.
            n_blocks: blocks of an epoch.
        """
        self._elements, self._n_blocks = elements, n_blocks
        self._start = 0, 0
        self._pipeline = pipeline(self._from_start)
        self._running: Iterator[Any] = iter(())
        self._next_place: tuple[int, int] | None = None

    def blocks(self, epoch: int, first_block: int = 0) -> Iterator[Any]:
        """Yield the blocks of an epoch from the given one on.

        An epoch that follows the last one, all of which was taken, is on its way already.
        """
        if self._next_place != (epoch, first_block):
            self._start = epoch, first_block  # read when the first block is asked for
            self._running = iter(self._pipeline)
        self._next_place = None
        for _ in range(first_block, self._n_blocks):
            yield next(self._running)
        self._next_place = epoch + 1, 0

    def close(self) -> None:
        """Stop reading ahead. TensorFlow would keep the pipeline's threads and memory for good."""
        self._running, self._next_place = iter(()), None

    def _from_start(self) -> Iterator[Any]:
        epoch, first_block = self._start
        yield from self._elements(epoch, first_block)
        for later in itertools.count(epoch + 1):
            yield from self._elements(later, 0)
