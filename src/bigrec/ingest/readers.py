"""How each source is read: what a reader offers, and the reader of each source.

They stand apart from `sources` because they bring the compiled parsers along, which take half a
second to load; to see that there is nothing to read, none is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import numpy as np

from bigrec.ingest.movielens_reader import MovieLensReader
from bigrec.ingest.netflix_reader import NetflixReader
from bigrec.ingest.rows import BadLine, Pairs, Rows, Titles
from bigrec.ingest.sources import Source
from bigrec.ingest.units import RawUnit
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]


class Reader(Protocol):
    """Reads one source."""

    item_sorted: bool
    """Whether units hold whole items in ascending order, each sorted by user."""

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings in a file."""

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut into units."""

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> Rows:
        """The rows of one unit; raises RawFormatError unless bad lines are to be skipped."""

    def repeated_lines(
        self, unit: RawUnit | None, pairs: set[tuple[int, int]]
    ) -> Iterator[BadLine]:
        """The lines on which users rate items again, for (item, user) pairs.

        They are sought in the unit if the source is item-sorted, else in all files.
        """

    def sample(self) -> tuple[Array, Array, int]:
        """Some item ids and user ids (int32) from all over the files, and an estimate of rows."""

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """The items; bad lines are added to the list, or raise RawFormatError without one."""

    def probe(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The official probe in runs, if there is one."""

    def qualifying(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The qualifying pairs in runs, if there are some."""


READERS: Final[Mapping[str, Callable[[Any], Reader]]] = {
    "netflix": NetflixReader,
    "movielens": MovieLensReader,
}
"""The reader of each source in SOURCES, by its name."""


def open_reader(source: Source) -> Reader:
    """The reader of a source."""
    return READERS[source.name](source)
