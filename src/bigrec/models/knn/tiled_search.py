"""Neighbors by dense tiles: float32 products pick the pairs that float64 then compares.

A tile holds some rows made dense. The product of two tiles serves the rows of the one and of the
other, so half of all tiles will do. Memory is that of two tiles and their products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from bigrec.models.knn.kernels import STRIP_ROWS, fill_tile, select_from_tile
from bigrec.models.knn.profiles import Neighbors, Profiles
from bigrec.models.knn.search_progress import SearchProgress
from bigrec.resources import pool

Array = np.ndarray[Any, Any]
Multiply = Callable[[Array, Array, Array], None]
"""(n, k) and (m, k) float32, and an (n, m) buffer to fill with the products of their rows."""

_TILE_ROWS: Final = 2048
_TILE_BYTES: Final = 96 << 20


def tile_bytes(n_rows: int, n_columns: int, needs_counts: bool) -> int:
    """The memory that a search by tiles takes at a time, in bytes."""
    tile = min(_tile_rows(n_columns), n_rows)
    kinds = 2 if needs_counts else 1
    return kinds * 4 * tile * (2 * n_columns + tile)


def blas_product(one: Array, other: Array, products: Array) -> None:
    """Fill in the products of the rows, by NumPy's BLAS."""
    np.matmul(one, other.T, out=products)


def search_all(
    profiles: Profiles, state: SearchProgress, *, multiply: Multiply, threads: int,
    progress: Callable[[int], object],
) -> None:  # fmt: skip
    """Fill the lists of all rows: each product on or above the diagonal once, for both its sides.

    A unit of the state is one product.
    """
    n, tile = profiles.n_rows, _tile_rows(len(profiles.levels.column))
    edges = [*range(0, n, tile), n]
    n_tiles = len(edges) - 1
    products = [(i, j) for i in range(n_tiles) for j in range(i, n_tiles)]
    n_reported = n * state.n_done // len(products)
    progress(n_reported)
    left, room = _Tile(profiles, tile), _Tile(profiles, tile)
    with _Selection(profiles, tile, multiply, threads) as selection:
        for number in range(state.n_done, len(products)):
            i, j = products[number]
            if (left.start, left.stop) != (edges[i], edges[i + 1]):
                left.fill(edges[i], edges[i + 1])
            right = left if j == i else room
            if j > i:
                right.fill(edges[j], edges[j + 1])
            selection.multiply(left, right)
            selection.select(left, right, state, same=True)
            if j > i:
                selection.select(right, left, state, same=True, flipped=True)
            state.finish(number + 1)
            n_done = n * (number + 1) // len(products)
            progress(n_done - n_reported)
            n_reported = n_done


def search_for(targets: Profiles, others: Profiles, lists: Neighbors, *, threads: int) -> None:
    """Fill the lists of the targets with the nearest of the others."""
    tile = _tile_rows(len(others.levels.column))
    left, right = _Tile(targets, min(tile, targets.n_rows)), _Tile(others, tile)
    with _Selection(others, tile, blas_product, threads) as selection:
        for start in range(0, targets.n_rows, tile):
            left.fill(start, min(start + tile, targets.n_rows))
            for begin in range(0, others.n_rows, tile):
                right.fill(begin, min(begin + tile, others.n_rows))
                selection.multiply(left, right)
                selection.select(left, right, lists, same=False)


class _Tile:
    """Some rows made dense: scaled deviations, and rated-or-not where a term needs it."""

    def __init__(self, profiles: Profiles, n_rows: int) -> None:
        """Make room for so many rows."""
        self.profiles = profiles
        self.start = self.stop = 0
        shape = (n_rows, len(profiles.levels.column))
        self._values = np.empty(shape, np.float32)
        self._mask = np.empty(shape if profiles.needs_counts else (0, 0), np.float32)

    def fill(self, start: int, stop: int) -> None:
        """Take these rows."""
        self.start, self.stop = start, stop
        self.values, self.mask = self._values[: stop - start], self._mask[: stop - start]
        profiles = self.profiles
        fill_tile(
            profiles.ratings, profiles.levels, profiles.norms.scale, start, self.values, self.mask
        )


class _Selection:
    """The products of two tiles at a time, and threads that select from them."""

    def __init__(self, profiles: Profiles, tile: int, multiply: Multiply, threads: int) -> None:
        self._room = np.empty(tile * tile, np.float32)
        self._count_room = np.empty(tile * tile if profiles.needs_counts else 0, np.float32)
        self._multiply, self._threads = multiply, threads
        self._dots = self._counts = np.empty((0, 0), np.float32)

    def __enter__(self) -> _Selection:
        self._pool = pool(self._threads)
        self._limits = threadpool_limits(self._threads, user_api="blas")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._limits.restore_original_limits()

    def multiply(self, left: _Tile, right: _Tile) -> None:
        """Multiply the deviations, and the masks if there are any."""
        shape = (len(left.values), len(right.values))
        # Parts of one flat array, so that the products of smaller tiles are contiguous too.
        self._dots = self._room[: shape[0] * shape[1]].reshape(shape)
        self._multiply(left.values, right.values, self._dots)
        if left.profiles.needs_counts:
            self._counts = self._count_room[: shape[0] * shape[1]].reshape(shape)
            self._multiply(left.mask, right.mask, self._counts)

    def select(
        self, rows: _Tile, others: _Tile, lists: Neighbors | SearchProgress, *, same: bool,
        flipped: bool = False,
    ) -> None:  # fmt: skip
        """Insert near others into the lists of the rows, which are the right side if flipped."""
        n = rows.stop - rows.start
        step = -(-n // (self._threads * STRIP_ROWS)) * STRIP_ROWS
        one, other = rows.profiles, others.profiles

        def select(start: int) -> None:
            select_from_tile(
                self._dots, self._counts, flipped, start, min(start + step, n),
                rows.start, others.start, same, one.ratings, one.levels, one.norms,
                other.ratings, other.levels, other.norms, one.terms, lists.index, lists.similarity,
            )  # fmt: skip

        list(self._pool.map(select, range(0, n, step)))


def _tile_rows(n_columns: int) -> int:
    fitting = _TILE_BYTES // (8 * max(n_columns, 1))
    return max(min(_TILE_ROWS, fitting) // STRIP_ROWS * STRIP_ROWS, STRIP_ROWS)
