"""The kinds of raw data that ingest understands: what a source offers, and recognising one.

To add a source, write a class with the members of `Source` and list it in SOURCES.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bigrec.errors import DataError, SettingsError
from bigrec.ingest.movielens import MovieLensFolder
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.raw import RawFile, RawFolder
from bigrec.ingest.rows import BadLine, Pairs, Rows, Titles
from bigrec.ingest.units import RawUnit
from bigrec.ingest.workspace import Workspace

Array = np.ndarray[Any, Any]


class Source(Protocol):
    """One raw data set on disk."""

    name: str
    """What the manifest calls it."""
    movie_sorted: bool
    """Whether units hold whole movies in ascending order, each sorted by user."""
    max_rating: float
    """Highest rating of the scale, in stars."""

    @property
    def min_rating(self) -> float:
        """Lowest rating of the scale, in stars."""

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings in a file."""

    @property
    def form(self) -> str:
        """Which form of the data set this is, in words."""

    def files(self) -> list[list[RawFile]]:
        """Every file that is read, in groups of which each is one entry of the manifest."""

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut into units."""

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> Rows:
        """The rows of one unit; raises RawFormatError unless bad lines are to be skipped."""

    def repeated_lines(
        self, unit: RawUnit | None, pairs: set[tuple[int, int]]
    ) -> Iterator[BadLine]:
        """The lines on which users rate movies again, for (movie, user) pairs.

        They are sought in the unit if the source is movie-sorted, else in all files.
        """

    def sample(self) -> tuple[Array, Array, int]:
        """Some movie ids and user ids (int32) from all over the files, and an estimate of rows."""

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """The movies; bad lines are added to the list, or raise RawFormatError without one."""

    def probe(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The official probe in runs, if there is one."""

    def qualifying(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The qualifying pairs in runs, if there are some."""

    def coverage(self, counts: dict[str, int | None]) -> str:
        """How much of the published data set the counts of a store are, in words; may be empty."""


SOURCES: dict[str, type[NetflixFolder] | type[MovieLensFolder]] = {
    "netflix": NetflixFolder,
    "movielens": MovieLensFolder,
}


def open_source(raw: Path, kind: str = "auto") -> Source:
    """Open a raw folder or zip archive as the source that it is.

    Args:
        raw: the folder or archive.
        kind: a name of SOURCES, or auto to recognise it.

    Raises:
        SettingsError: there is no such kind.
        DataError: the folder is missing, or holds no such data.
    """
    if kind != "auto" and kind not in SOURCES:
        raise SettingsError.unknown_name("source", kind, ["auto", *SOURCES])
    folder = RawFolder(raw)
    for name, source in SOURCES.items():
        if kind in (name, "auto") and source.recognises(folder):
            return source(folder)
    expected = " or ".join(s.signature for n, s in SOURCES.items() if kind in (n, "auto"))
    found = ", ".join(folder.names[:5]) or "nothing"
    raise DataError(
        f"{raw} holds no ratings that bigrec knows: expected {expected}; found {found}",
        hint="make synthetic files to try with: bigrec synth raw --ratings 1000000",
    )
