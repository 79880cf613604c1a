"""The kinds of raw data that ingest understands: what a source is, and recognising one.

To add a source, write a class with the members of `Source` and list it in SOURCES; `readers` then
asks for the one that reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bigrec.errors import DataError, SettingsError
from bigrec.ingest.movielens import MovieLensFolder
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.raw import RawFile, RawFolder


class Source(Protocol):
    """One raw data set on disk."""

    name: str
    """What the manifest calls it."""
    max_rating: float
    """Highest rating of the scale, in stars."""

    @property
    def min_rating(self) -> float:
        """Lowest rating of the scale, in stars."""

    @property
    def form(self) -> str:
        """Which form of the data set this is, in words."""

    def files(self) -> list[list[RawFile]]:
        """Every file that is read, in groups of which each is one entry of the manifest."""

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
