"""Made-up ratings of a large shop, of any number of rows.

Half of all users have a few ratings and some have thousands (log-normal), popularity falls about as
one over the rank (Zipf and Mandelbrot), most ratings are 5.0, times are spread over 20 years. Keys
are long and look like noise. No user has an item twice.

Every row is a function of its number. A bijection of all numbers finds its place among the rows
sorted by user, so the file is in no order. The nth of a user's k ratings is of an item from the nth
of k disjoint ranges of popularity, so none repeats though none is remembered. Memory is 8 bytes a
user and a few blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.compiled import compiled, compiled_part
from bigrec.resources import available_cores, map_in_order
from bigrec.splitmix import GOLDEN, mix64

Array = np.ndarray[Any, Any]

MIN_ROWS: Final = 100_000
"""Fewer rows would have too few items for the most active users."""
USER_LETTERS, ITEM_LETTERS = 14, 10

_BLOCK_ROWS: Final = 1_000_000
_SEED: Final = 20_040_101
_ACTIVITY_SIGMA: Final = 1.25  # of the logarithm of a user's ratings
_MOST_ACTIVE: Final = 4.0  # standard deviations above the median user
_POPULARITY: Final = 10_000.0  # how much more popular the first item is than the last
_FIRST_SECOND: Final = 1_072_915_200  # 2004-01-01
_N_SECONDS: Final = 20 * 365 * 86_400
_STARS: Final = np.repeat(np.arange(1, 6, dtype=np.uint8), (8, 5, 9, 18, 60))  # in 100 ratings
_LETTERS: Final = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", np.uint8)
_ITEM_BITS: Final = 40  # 8 letters of 5 bits


@dataclass(frozen=True)
class Shop:
    """Which rows are made."""

    n_rows: int
    """Rows, at least MIN_ROWS."""
    n_users: int
    """Distinct users; each has a row."""
    n_items: int
    """Items; a few in 100,000 have no row."""
    milliseconds: bool = False
    """Whether times are in milliseconds, not seconds."""

    @property
    def name(self) -> str:
        """A name that tells every field."""
        unit = "milliseconds" if self.milliseconds else "seconds"
        return f"{self.n_rows}-rows-{self.n_users}-users-{self.n_items}-items-{unit}"


@dataclass(frozen=True)
class _Block:
    users: Array  # (n, USER_LETTERS) uint8, text
    items: Array  # (n, ITEM_LETTERS) uint8, text
    stars: Array  # (n,) uint8, 1 to 5
    times: Array  # (n,) int64, since 1970


def write_csv(shop: Shop, path: Path) -> None:
    """Write the rows as csv with a header; ratings stand as `5.0`."""
    with path.open("wb") as file:
        file.write(b"user_id,item_id,rating,timestamp\n")
        for text in _blocks(shop, _csv_text):
            file.write(text.data)


def write_parquet(shop: Shop, path: Path) -> None:
    """Write the rows as pandas would: text, DOUBLE and INT64, row groups of a million."""
    writer = None
    for table in _blocks(shop, _arrow_table):
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=_BLOCK_ROWS)
    if writer:
        writer.close()


def _blocks(shop: Shop, form: Callable[[_Block], Any]) -> Iterator[Any]:
    """Every block of rows in the form that `form` gives it."""
    if shop.n_rows < MIN_ROWS:
        raise SystemExit(f"expected at least {MIN_ROWS:,} rows, found {shop.n_rows:,}")
    edges = _user_edges(shop)
    firsts = range(0, shop.n_rows, _BLOCK_ROWS)
    return map_in_order(lambda n: form(_make_block(shop, edges, n)), firsts, available_cores())


def _user_edges(shop: Shop) -> Array:
    """(n_users + 1,) float64: the rows before each user's but for one a user, not yet rounded."""
    edges = np.zeros(shop.n_users + 1)
    activity = edges[1:]
    np.random.default_rng(_SEED).standard_normal(out=activity)
    np.minimum(activity, _MOST_ACTIVE, out=activity)
    activity *= _ACTIVITY_SIGMA
    np.exp(activity, out=activity)
    np.cumsum(activity, out=activity)
    activity *= (shop.n_rows - shop.n_users) / activity[-1]
    activity[-1] = shop.n_rows - shop.n_users
    return edges


def _make_block(shop: Shop, edges: Array, first: int) -> _Block:
    n_rows = min(_BLOCK_ROWS, shop.n_rows - first)
    block = _Block(
        np.empty((n_rows, USER_LETTERS), np.uint8),
        np.empty((n_rows, ITEM_LETTERS), np.uint8),
        np.empty(n_rows, np.uint8),
        np.empty(n_rows, np.int64),
    )
    _fill_rows(
        first, shop.n_rows, shop.n_items, shop.milliseconds, edges,
        block.users, block.items, block.stars, block.times,
    )  # fmt: skip
    return block


@compiled_part
def _permuted(number, bits):  # type: ignore[no-untyped-def]
    """Another number of so many bits for each one: a bijection."""
    mask = (np.uint64(1) << bits) - np.uint64(1)
    half = bits // np.uint64(2) + np.uint64(1)
    for _ in range(3):
        number = (number * GOLDEN + np.uint64(_SEED)) & mask
        number ^= number >> half
    return number


@compiled
def _fill_rows(  # type: ignore[no-untyped-def]
    first, n_rows, n_items, milliseconds, edges, users, items, stars, times
):  # fmt: skip
    """Make rows `first` and on of all n_rows."""
    bits = np.uint64(1)
    while np.uint64(1) << bits < np.uint64(n_rows):
        bits += np.uint64(1)
    for row in range(len(stars)):
        word = _permuted(np.uint64(first + row), bits)
        while word >= np.uint64(n_rows):  # the bijection of 2^bits becomes one of n_rows
            word = _permuted(word, bits)
        place = np.int64(word)
        user, end = 0, len(edges) - 1
        while end - user > 1:
            middle = (user + end) // 2
            if middle + np.int64(edges[middle]) <= place:
                user = middle
            else:
                end = middle
        start = user + np.int64(edges[user])
        n_ratings = user + 1 + np.int64(edges[user + 1]) - start
        noise = mix64(word * GOLDEN + np.uint64(_SEED))
        nth = place - start
        fraction = (nth + np.float64(noise >> np.uint64(11)) / 2.0**53) / n_ratings
        share = (np.exp(fraction * np.log(_POPULARITY)) - 1) / (_POPULARITY - 1)
        n_free = n_items - n_ratings  # nth of the items before are those of the ratings before
        rank = nth + min(np.int64((n_free + 1) * share), n_free)

        key = mix64(np.uint64(user) + np.uint64(_SEED))
        users[row, 0] = 65
        for letter in range(1, USER_LETTERS):
            users[row, letter] = _LETTERS[np.int64(key & np.uint64(31))]
            key >>= np.uint64(5)
        key = _permuted(np.uint64(rank), np.uint64(_ITEM_BITS))
        items[row, 0] = 66
        items[row, 1] = 48
        for letter in range(2, ITEM_LETTERS):
            items[row, letter] = _LETTERS[np.int64(key & np.uint64(31))]
            key >>= np.uint64(5)
        noise = mix64(noise + GOLDEN)
        stars[row] = _STARS[np.int64(noise % np.uint64(100))]
        noise = mix64(noise + GOLDEN)
        if milliseconds:
            times[row] = _FIRST_SECOND * 1000 + np.int64(noise % np.uint64(_N_SECONDS * 1000))
        else:
            times[row] = _FIRST_SECOND + np.int64(noise % np.uint64(_N_SECONDS))


def _csv_text(block: _Block) -> Array:
    """The block's lines; all of one length, since times from 2004 have as many digits."""
    n_digits = len(str(block.times[0]))
    end = USER_LETTERS + ITEM_LETTERS + 6  # of the rating and its comma
    text = np.empty((len(block.stars), end + n_digits + 1), np.uint8)
    text[:] = np.frombuffer(f"{'':14},{'':10}, .0,{'':{n_digits}}\n".encode(), np.uint8)
    text[:, :USER_LETTERS] = block.users
    text[:, USER_LETTERS + 1 : USER_LETTERS + 1 + ITEM_LETTERS] = block.items
    text[:, end - 4] = 48 + block.stars
    rest = block.times
    for column in range(end + n_digits - 1, end - 1, -1):
        rest, digit = np.divmod(rest, 10)
        text[:, column] = 48 + digit
    return text


def _arrow_table(block: _Block) -> pa.Table:
    return pa.table(
        {
            "user_id": _arrow_texts(block.users),
            "item_id": _arrow_texts(block.items),
            "rating": block.stars.astype(np.float64),
            "timestamp": block.times,
        }
    )


def _arrow_texts(letters: Array) -> pa.Array:
    n_rows, width = letters.shape
    offsets = np.arange(n_rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(n_rows, pa.py_buffer(offsets), pa.py_buffer(letters))
