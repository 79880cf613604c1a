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
from bigrec.recommend.csv_file import parse_whole
from bigrec.schema import ITEM_ID
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

_SHOWN_CANDIDATES: Final = 12


@dataclass(frozen=True)
class Items:
    """The items of a split, by item_index."""

    ids: Array
    """(n_items,) int32, ascending."""
    titles: tuple[str | None, ...]
    """None for an item that the source names nowhere."""
    years: tuple[int | None, ...]

    def name(self, item_index: int) -> str:
        """An item for people: its title and year, or its id."""
        title, year = self.titles[item_index], self.years[item_index]
        if title is None:
            return f"item {self.ids[item_index]}"
        return f"{title} ({year})" if year else title

    def find(self, text: str) -> int | None:
        """The item_index of an item by its id, its title with or without year, or a part of it.

        Case does not matter. What is an id of the split is taken for one; a whole title goes before
        a part of a longer one.

        Returns:
            None if nothing fits.

        Raises:
            DataError: several items fit; it lists them.
        """
        item_id = parse_whole(text)
        item_index = None if item_id is None else self.find_id(item_id)
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

    def find_id(self, item_id: int) -> int | None:
        """The item_index of an item_id; None if the split does not have it."""
        position = int(np.searchsorted(self.ids, item_id))
        return position if position < len(self.ids) and self.ids[position] == item_id else None

    def require(self, text: str) -> int:
        """As `find`, for an item that must be there.

        Raises:
            DataError: no item fits, or several do.
        """
        found = self.find(text)
        if found is None:
            near = difflib.get_close_matches(text.strip().casefold(), self._by_title, n=3)
            positions = [position for title in near for position in self._by_title[title]]
            raise DataError(
                f"no item of the split has the id or the title {text!r}",
                hint=f"did you mean {self._list(dict.fromkeys(positions))}?"
                if near
                else "find titles with: bigrec sql \"FROM items WHERE title ILIKE '%…%'\"",
            )
        return found

    def _list(self, found: Iterable[int]) -> str:
        positions = list(found)
        shown = [
            f"{self.ids[position]} {self.name(position)}"
            for position in positions[:_SHOWN_CANDIDATES]
        ]
        more = len(positions) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")

    @cached_property
    def _titles(self) -> list[str]:
        return [
            (title or self.name(position)).casefold() for position, title in enumerate(self.titles)
        ]

    @cached_property
    def _by_title(self) -> dict[str, list[int]]:
        by_title = defaultdict(list)
        for position, title in enumerate(self._titles):
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
    return Items(data.item_ids, tuple(found["title"]), tuple(found["year"]))
