"""What the users and items of a store are called: keys to ids and back, in this one place.

A key is the id as the source has it. Where a source numbers its users by small whole numbers, these
are the ids of the store, and keys are numbers. Where it does not, the store gives ids of its own,
which nobody outside has to know, and keys are texts: of any letters, and `007` is another than `7`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from bigrec.schema import ITEM_ID, KEY, USER_ID
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

Key = int | str
"""A user or an item as the source calls it: a text where the store keeps keys, else its id."""

UNKNOWN: Final = 0
"""In place of the id of a key that the store does not have; no id is 0."""

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class Vocabulary:
    """What the users, or the items, of a store are called."""

    table: pl.LazyFrame
    """The store's table of them: a column of ids, and one of keys if it keeps any."""
    id_column: str
    """user_id or item_id."""
    has_keys: bool
    """Whether keys are texts; else they are the ids."""

    def parse(self, text: str) -> Key | None:
        """The key that somebody wrote; None if it is none, of which not one is known.

        Args:
            text: as it was written. Of a key that is a text nothing is trimmed.
        """
        return parse_key(text, is_text=self.has_keys)

    def id_of(self, key: Key) -> int:
        """The id of one key; UNKNOWN if the store keeps keys and has no such one.

        Args:
            key: where keys are texts, a number is one by its decimal digits.
        """
        if not self.has_keys:
            return int(key)
        return int(self.ids_of([key])[0])

    def key_of(self, one: int) -> Key:
        """The key of one id of the store."""
        key: Key = self.keys_of(np.array([one]))[0]
        return key

    def ids_of(self, keys: pl.Series | Sequence[Key]) -> Array:
        """The id of each key, UNKNOWN for one that the store does not have.

        Without texts the keys are the ids, known or not. The table is read some thousand rows at a
        time, and no more is held of it than is asked for.

        Args:
            keys: (n,) texts or whole numbers, in any order, perhaps repeated.

        Returns:
            (n,) int64.
        """
        wanted = (
            keys if isinstance(keys, pl.Series) else pl.Series(map(_as_text, keys), dtype=pl.String)
        )
        if not self.has_keys:
            return wanted.cast(pl.Int64).to_numpy()
        wanted = wanted.cast(pl.String).alias(KEY)
        found = self._read(pl.col(KEY).is_in(wanted.unique().implode()))
        ids = wanted.to_frame().join(found, on=KEY, how="left", maintain_order="left")
        return ids[self.id_column].cast(pl.Int64).fill_null(UNKNOWN).to_numpy()

    def has(self, ids: Array) -> Array:
        """Whether the store has each id.

        Args:
            ids: (n,) int, in any order, perhaps repeated.

        Returns:
            (n,) bool.
        """
        column = pl.col(self.id_column).cast(pl.Int64)
        wanted = pl.Series(np.asarray(ids, np.int64)).unique()
        found = self.table.select(column).filter(column.is_in(wanted.implode()))
        return np.isin(ids, found.collect(engine="streaming")[self.id_column].to_numpy())

    def keys_of(self, ids: Array) -> pl.Series:
        """The key of each id of the store.

        Args:
            ids: (n,) int, in any order, perhaps repeated.

        Returns:
            (n,) texts; the ids themselves where the store keeps no keys.
        """
        wanted = pl.Series(self.id_column, np.asarray(ids, np.int32))
        if not self.has_keys or not len(wanted):
            return wanted.cast(pl.String if self.has_keys else pl.Int32)
        # By the range whole groups of rows are left out.
        column = pl.col(self.id_column)
        within = column.is_between(wanted.min(), wanted.max())
        found = self._read(within & column.is_in(wanted.unique().implode()))
        keys = wanted.to_frame().join(found, on=self.id_column, how="left", maintain_order="left")
        return keys[KEY]

    def _read(self, condition: pl.Expr) -> pl.DataFrame:
        columns = self.table.select(pl.col(self.id_column).cast(pl.Int32), KEY)
        return columns.filter(condition).collect(engine="streaming")


def users_of(catalog: Catalog) -> Vocabulary:
    """What the users of a store are called."""
    return Vocabulary(catalog.users(), USER_ID, catalog.manifest.user_keys)


def items_of(catalog: Catalog) -> Vocabulary:
    """What the items of a store are called."""
    return Vocabulary(catalog.items(), ITEM_ID, catalog.manifest.item_keys)


def parse_key(text: str, *, is_text: bool) -> Key | None:
    """The key that somebody wrote; None if it is none, of which not one is known.

    Args:
        text: as it was written. Of a key that is a text nothing is trimmed.
        is_text: whether keys are texts.
    """
    return (_as_text(text) or None) if is_text else parse_whole(text)


def _as_text(key: Key) -> str:
    """A key as text; none, as no key is, of one that cannot be written in UTF-8."""
    text = str(key)
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a command line that are no text
        return ""
    return text


def parse_whole(text: str) -> int | None:
    """A whole number of at most 18 digits, as ids are; None if the text is none."""
    text = text.strip()
    return int(text) if _WHOLE.fullmatch(text) else None
