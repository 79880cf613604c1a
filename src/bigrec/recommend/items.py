"""The items of a split with their titles, found by id or by title."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import DataError
from bigrec.schema import ITEM_ID, KEY
from bigrec.store.catalog import Catalog
from bigrec.store.vocabulary import Key, items_of, parse_key

Array = np.ndarray[Any, Any]

_SHOWN_CANDIDATES: Final = 12


@dataclass(frozen=True)
class Items:
    """The items of a split, by item_index."""

    ids: Array
    """(n_items,) int32, ascending: the store's."""
    titles: tuple[str | None, ...]
    """None for an item that the source names nowhere."""
    years: tuple[int | None, ...]
    texts: pl.Series | None = None
    """(n_items,) texts, the keys of the items; None where their ids are the source's own."""

    def key(self, item_index: int) -> Key:
        """An item as the source calls it."""
        if self.texts is None:
            return int(self.ids[item_index])
        key: str = self.texts[item_index]
        return key

    def parse(self, text: str) -> Key | None:
        """The key that somebody wrote; None if it is none, of which not one is known.

        Args:
            text: as it was written.
        """
        return parse_key(text, is_text=self.texts is not None)

    def name(self, item_index: int) -> str:
        """An item for people: its title and year, or its key."""
        return item_name(self.titles[item_index], self.years[item_index], self.key(item_index))

    def find(self, text: str) -> int | None:
        """The item_index of an item by its key, its title with or without year, or a part of it.

        Case does not matter in titles. What is a key of the split is taken for one; a whole title
        goes before a part of a longer one.

        Returns:
            None if nothing fits.

        Raises:
            DataError: several items fit; it lists them.
        """
        key = self.parse(text)
        item_index = None if key is None else self.find_key(key)
        if item_index is not None:
            return item_index
        wanted = text.strip().casefold()
        found = self._by_title.get(wanted) or [
            position for position, title in enumerate(self._titles) if wanted and wanted in title
        ]
        if len(found) > 1:
            raise DataError(
                f"{len(found)} items are called {text!r}: {self._list(found)}",
                hint="give the item's id, or its whole title with the year as it stands here",
            )
        return found[0] if found else None

    def find_key(self, key: Key) -> int | None:
        """The item_index of a key, exactly so; None if the split does not have it."""
        if self.texts is not None:
            return next(iter((self.texts == str(key)).arg_true()), None)
        position = int(np.searchsorted(self.ids, int(key)))
        return position if position < len(self.ids) and self.ids[position] == int(key) else None

    def require(self, text: str) -> int:
        """As `find`, for an item that must be there.

        Raises:
            DataError: no item fits, or several do.
        """
        found = self.find(text)
        if found is None:
            near = difflib.get_close_matches(text.strip().casefold(), self._by_title, n=3)
            positions = [position for title in near for position in self._by_title[title]]
            column = "title" if self.texts is None else KEY
            raise DataError(
                f"no item of the split has the id or the title {text!r}",
                hint=f"did you mean {self._list(dict.fromkeys(positions))}?"
                if near
                else f"find {column}s with: bigrec sql \"FROM items WHERE {column} ILIKE '%…%'\"",
            )
        return found

    def _list(self, found: Iterable[int]) -> str:
        positions = list(found)
        shown = [
            f"{self.key(position)} {self.name(position)}"
            for position in positions[:_SHOWN_CANDIDATES]
        ]
        more = len(positions) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")

    @cached_property
    def _titles(self) -> list[str]:
        """In small letters; empty for an item that is found by its key alone, which has case."""
        if self.texts is not None:
            return [(title or "").casefold() for title in self.titles]
        return [
            (title or self.name(position)).casefold() for position, title in enumerate(self.titles)
        ]

    @cached_property
    def _by_title(self) -> dict[str, list[int]]:
        by_title = defaultdict(list)
        for position, title in enumerate(self._titles):
            if title or self.texts is None:
                for text in {title, self.name(position).casefold()}:
                    by_title[text].append(position)
        return dict(by_title)


def read_items(catalog: Catalog, data: TrainingData) -> Items:
    """Read the titles of a split's items."""
    wanted = pl.LazyFrame({ITEM_ID: data.item_ids})
    found = (
        wanted.join(catalog.items(), on=ITEM_ID, how="left", maintain_order="left")
        .select("title", "year")
        .collect()
    )
    vocabulary = items_of(catalog)
    texts = vocabulary.keys_of(data.item_ids) if vocabulary.has_keys else None
    return Items(data.item_ids, tuple(found["title"]), tuple(found["year"]), texts)


def item_name(title: str | None, year: int | None, key: Key) -> str:
    """An item for people: its title and year if it has them, or its key.

    Args:
        title: None if it has none.
        year: likewise.
        key: as the source calls it; a number says that it is one of an item.
    """
    if title is None:
        return key if isinstance(key, str) else f"item {key}"
    return f"{title} ({year})" if year else title
