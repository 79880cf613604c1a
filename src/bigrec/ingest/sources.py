"""The kinds of raw data that ingest understands: what a source is, and recognising one.

To add a source, write a class with the members of `Source` and list it in SOURCES; `readers` then
asks for the one that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from bigrec.errors import DataError, SettingsError
from bigrec.ingest.movielens import MovieLensFolder
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.raw import RawFile, RawFolder
from bigrec.interactions import Scale


class Source(Protocol):
    """One raw data set on disk."""

    name: str
    """What the manifest calls it."""
    item_name: str
    """What it calls an item; SQL knows both words."""

    @property
    def scale(self) -> Scale:
        """The ratings that it may hold."""

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

_SHOWN: Final = 5
_DEPTH, _MOST_FOLDERS = 2, 50  # how far below a folder a set is looked for
_PACKED: Final = (".zip", ".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2")


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
    kinds = [kind] if kind in SOURCES else list(SOURCES)
    folder = RawFolder(raw)
    for name in kinds:
        if SOURCES[name].recognises(folder):
            return SOURCES[name](folder)
    folder.require_readable()
    expected = " or ".join(SOURCES[name].signature for name in kinds)
    names = [*folder.names, *(path.name for path in folder.archives)]
    found = ", ".join(names[:_SHOWN]) or "nothing"
    raise DataError(
        f"{raw} holds no ratings that bigrec knows: expected {expected}; found {found}",
        hint=_what_to_give(raw, folder, kinds),
    )


def _what_to_give(raw: Path, folder: RawFolder, kinds: Iterable[str]) -> str:
    """What to do about a folder without ratings."""
    above = raw.parent if raw.name else raw.absolute().parent
    for near in ([*folder.archives, *_folders_below(raw)], [above]):
        if sets := [str(path) for path in near if _holds_a_set(path, kinds)]:
            return f"did you mean {' or '.join(sets[:_SHOWN])}?"
    if others := [name for name in SOURCES if SOURCES[name].recognises(folder)]:
        return f"its files are those of the source {others[0]}: leave out --source"
    if packed := [name for name in folder.names if name.endswith(_PACKED)]:
        return f"unpack {packed[0]}, and give the folder that it makes"
    return "make synthetic files to try with: bigrec synth raw --ratings 1000000"


def _holds_a_set(path: Path, kinds: Iterable[str]) -> bool:
    with suppress(DataError):
        folder = RawFolder(path)
        return any(SOURCES[name].recognises(folder) for name in kinds)
    return False


def _folders_below(folder: Path) -> Iterator[Path]:
    """The nearest folders below a folder, as many as are looked through without a pause."""
    level = [folder]
    for _ in range(_DEPTH):
        level = [path for parent in level for path in _subfolders(parent)][:_MOST_FOLDERS]
        yield from level


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.is_dir() and not path.is_symlink()
        )
    except OSError:
        return []
