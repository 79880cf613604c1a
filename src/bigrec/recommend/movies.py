"""The movies of a split with their titles, found by id or by title."""

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
from bigrec.schema import MOVIE_ID
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

_SHOWN_CANDIDATES: Final = 12


@dataclass(frozen=True)
class Movies:
    """The movies of a split, by movie_index."""

    ids: Array
    """(n_movies,) int32, ascending."""
    titles: tuple[str | None, ...]
    """None for a movie that the source names nowhere."""
    years: tuple[int | None, ...]

    def name(self, movie_index: int) -> str:
        """A movie for people: its title and year, or its id."""
        title, year = self.titles[movie_index], self.years[movie_index]
        if title is None:
            return f"movie {self.ids[movie_index]}"
        return f"{title} ({year})" if year else title

    def find(self, text: str) -> int | None:
        """The movie_index of a movie by its id, its title with or without year, or a part of it.

        Case does not matter. What is an id of the split is taken for one; a whole title goes before
        a part of a longer one.

        Returns:
            None if nothing fits.

        Raises:
            DataError: several movies fit; it lists them.
        """
        movie_id = parse_whole(text)
        movie_index = None if movie_id is None else self.find_id(movie_id)
        if movie_index is not None:
            return movie_index
        wanted = text.strip().casefold()
        found = self._by_title.get(wanted) or [
            place for place, title in enumerate(self._titles) if wanted and wanted in title
        ]
        if len(found) > 1:
            raise DataError(
                f"{len(found)} movies are called {text!r}: {self._list(found)}",
                hint="give the movie's id, or its whole title with the year as it stands here",
            )
        return found[0] if found else None

    def find_id(self, movie_id: int) -> int | None:
        """The movie_index of a movie_id; None if the split does not have it."""
        place = int(np.searchsorted(self.ids, movie_id))
        return place if place < len(self.ids) and self.ids[place] == movie_id else None

    def require(self, text: str) -> int:
        """As `find`, for a movie that must be there.

        Raises:
            DataError: no movie fits, or several do.
        """
        found = self.find(text)
        if found is None:
            near = difflib.get_close_matches(text.strip().casefold(), self._by_title, n=3)
            places = [place for title in near for place in self._by_title[title]]
            raise DataError(
                f"no movie of the split has the id or the title {text!r}",
                hint=f"did you mean {self._list(dict.fromkeys(places))}?"
                if near
                else "find titles with: bigrec sql \"FROM movies WHERE title ILIKE '%…%'\"",
            )
        return found

    def _list(self, found: Iterable[int]) -> str:
        places = list(found)
        shown = [f"{self.ids[place]} {self.name(place)}" for place in places[:_SHOWN_CANDIDATES]]
        more = len(places) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")

    @cached_property
    def _titles(self) -> list[str]:
        return [(title or self.name(place)).casefold() for place, title in enumerate(self.titles)]

    @cached_property
    def _by_title(self) -> dict[str, list[int]]:
        by_title = defaultdict(list)
        for place, title in enumerate(self._titles):
            for text in {title, self.name(place).casefold()}:
                by_title[text].append(place)
        return dict(by_title)


def read_movies(catalog: Catalog, data: TrainingData) -> Movies:
    """Read the titles of a split's movies."""
    wanted = pl.LazyFrame({MOVIE_ID: data.movie_ids})
    found = (
        wanted.join(catalog.movies(), on=MOVIE_ID, how="left", maintain_order="left")
        .select("title", "year")
        .collect()
    )
    return Movies(data.movie_ids, tuple(found["title"]), tuple(found["year"]))
