"""The kinds of raw data that ingest understands: what a source offers, and recognising one.

To add a source, write a class with the members of `Source` and list it in `open_source`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bigrec.errors import DataError, SettingsError
from bigrec.ingest.movielens import MovieLensCsv
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.rows import Pairs, Rows, Titles
from bigrec.ingest.units import RawUnit

Array = np.ndarray[Any, Any]


class Source(Protocol):
    """One raw data set on disk."""

    name: str
    """What the manifest calls it."""
    movie_sorted: bool
    """Whether units hold whole movies in ascending order, each sorted by user."""
    min_rating: float
    """Lowest rating of the scale, in stars."""
    max_rating: float
    """Highest rating of the scale, in stars."""

    def files(self) -> list[Path]:
        """Every file that is read."""

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut into units."""

    def parse(self, unit: RawUnit) -> Rows:
        """The rows of one unit; raises RawFormatError."""

    def sample(self) -> tuple[Array, Array, int]:
        """Some movie ids and user ids (int32) from all over the files, and an estimate of rows."""

    def titles(self) -> Titles:
        """The movies."""

    def probe(self) -> Pairs | None:
        """The official probe, if there is one."""

    def qualifying(self) -> Pairs | None:
        """The qualifying pairs, if there are some."""


SOURCES: dict[str, type[NetflixFolder] | type[MovieLensCsv]] = {
    "netflix": NetflixFolder,
    "movielens": MovieLensCsv,
}


def open_source(raw: Path, kind: str = "auto") -> Source:
    """Open a raw folder as the source that it is.

    Args:
        raw: the folder.
        kind: a name of SOURCES, or auto to recognise it.

    Raises:
        SettingsError: there is no such kind.
        DataError: the folder is missing, or holds no such data.
    """
    if kind != "auto" and kind not in SOURCES:
        raise SettingsError.unknown_name("source", kind, ["auto", *SOURCES])
    if not raw.is_dir():
        raise DataError(f"{raw} is no folder", hint="give the folder that holds the raw files")
    for name, source in SOURCES.items():
        if kind in (name, "auto") and source.recognises(raw):
            return source(raw)
    expected = " or ".join(s.signature for n, s in SOURCES.items() if kind in (n, "auto"))
    found = ", ".join(sorted(path.name for path in raw.iterdir())[:5]) or "nothing"
    raise DataError(
        f"{raw} holds no ratings that bigrec knows: expected {expected}; found {found}",
        hint="make synthetic files to try with: bigrec synth raw --ratings 1000000",
    )
