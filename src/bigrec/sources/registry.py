"""Which sources there are, and recognising what a folder holds.

A source of bigrec's own is a file beside this one and a line in SOURCES. One of another package is
an entry point, by the source's name, and is loaded only when it is asked for by that name or when
no source in SOURCES recognises the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bigrec.errors import DataError, SettingsError
from bigrec.plugins import load_offered, offered_names
from bigrec.sources.contract import BatchSource, Source, TextSource
from bigrec.sources.movielens import MovieLensSource
from bigrec.sources.netflix import NetflixSource, looks_like_netflix
from bigrec.sources.raw import RawFolder
from bigrec.sources.table.base import TableSettings, TableSource
from bigrec.sources.table.named_sets import NAMED_SETS
from bigrec.sources.table.open_table import open_table
from bigrec.sources.table.plan import TableOptions
from bigrec.store.item_names import is_item_name

SOURCES: Final[dict[str, type[Source]]] = {
    NetflixSource.name: NetflixSource,
    MovieLensSource.name: MovieLensSource,
}
"""Those of bigrec."""
GROUP: Final = "bigrec.sources"
"""The group of entry points by which packages offer sources."""

_registered: dict[str, type[Source]] = {}
_NOTHING_SAID: Final = TableOptions()
_NOTHING_KEPT: Final = TableSettings()

_SHOWN: Final = 5
_DEPTH, _MOST_FOLDERS = 2, 50  # how far below a folder a set is looked for
_PACKED: Final = (".zip", ".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2")


def open_source(
    raw: Path,
    kind: str = "auto",
    options: TableOptions = _NOTHING_SAID,
    kept: TableSettings = _NOTHING_KEPT,
) -> Source:
    """Open a raw folder, file or zip archive as the source that it is.

    Args:
        raw: the folder, file or archive.
        kind: the name of a source, or auto to recognise it: by bigrec's own first, then as a table.
        options: how a table is written; what is said of one makes it a table.
        kept: what is kept of a table.

    Raises:
        SettingsError: there is no such kind, or the package that offers it is broken.
        DataError: the folder is missing, or holds no such data.
    """
    said = options != _NOTHING_SAID or kept != _NOTHING_KEPT
    if kind == TableSource.name or kind in NAMED_SETS or (kind == "auto" and said):
        return open_table(raw, options, kept, NAMED_SETS.get(kind))
    if said:
        raise SettingsError(
            f"--source {kind} has one form, so nothing is to be said of its columns or values",
            hint="to read the files as any table: --source table",
        )
    sources = list(SOURCES.values()) if kind == "auto" else [find_source(kind)]
    folder = RawFolder(raw)
    if kind == "auto" and folder.is_single and not looks_like_netflix(folder):
        sources = []  # a file alone is a table, whatever its name
    broken: list[SettingsError] = []
    if kind == "auto" and not any(source.recognises(folder) for source in sources):
        for name in sorted({*_registered, *offered_names(GROUP)} - {*SOURCES}):
            try:
                sources.append(find_source(name))
            except SettingsError as error:
                broken.append(error)
    for source in sources:
        if source.recognises(folder):
            return source(folder)
    folder.require_readable()
    if kind == "auto":
        known = list(SOURCES.values())
        is_near = not folder.is_single and _what_to_give(raw, folder, known).startswith("did you")
        try:
            if not is_near:
                return open_table(raw, options, kept, None)
        except DataError as error:
            # A question about a table is one for people; else it is said what could be here.
            if folder.is_single or "hich " in error.message:
                raise
        sources = known
    expected = " or ".join(source.signature for source in sources)
    names = [*folder.names, *(path.name for path in folder.archives)]
    found = ", ".join(names[:_SHOWN]) or "nothing"
    raise DataError(
        f"{raw} holds no ratings that bigrec knows: expected {expected}; found {found}"
        + "".join(f"; {error.message}" for error in broken),
        hint=_what_to_give(raw, folder, sources),
    )


def find_set_around(file: Path) -> Source | None:
    """The set of a source of bigrec's own of which a file is a part, with the others beside it.

    Args:
        file: whatever is to be ingested; a folder is part of no set.
    """
    if not file.is_file():
        return None
    with suppress(DataError):
        folder = RawFolder(file.parent)
        for source in SOURCES.values():
            if source.recognises(folder):
                found = source(folder)
                if any(file == part.path for group in found.files() for part in group):
                    return found
    return None


def source_names() -> list[str]:
    """The names of all sources: bigrec's own first, then others by name."""
    own = [*SOURCES, TableSource.name, *NAMED_SETS]
    others = {*_registered, *offered_names(GROUP)}
    return [*own, *sorted(others - {*own})]


def register_source(source: type[Source]) -> None:
    """Make a source known in this process, as an installed package's would be.

    Raises:
        SettingsError: bigrec has one of this name, or it is no source.
    """
    _check_source(source, getattr(source, "name", ""), "the source")
    if SOURCES.get(source.name, source) is not source:
        raise SettingsError(f"bigrec has a source {source.name!r} itself", hint="name it otherwise")
    _registered[source.name] = source


def find_source(name: str) -> type[Source]:
    """The source of this name.

    Raises:
        SettingsError: there is none, or the package that offers it is broken.
    """
    if name in SOURCES:
        return SOURCES[name]
    if name in _registered:
        return _registered[name]
    offered = load_offered(GROUP, "source", name)
    if offered is None:
        raise SettingsError.unknown_name("source", name, ["auto", *source_names()])
    return _check_source(offered[0], name, offered[1])


def _check_source(source: Any, name: str, where: str) -> type[Source]:
    if not (isinstance(source, type) and issubclass(source, BatchSource | TextSource)):
        raise SettingsError(
            f"{where} is no subclass of BatchSource or TextSource: found {source!r:.80}",
            hint="see bigrec.sources.contract, and docs/adding-a-source.md",
        )
    if missing := sorted(source.__abstractmethods__):
        raise SettingsError(f"{where} lacks {', '.join(missing)}")
    if getattr(source, "name", "") != name:
        raise SettingsError(f"{where} calls itself {getattr(source, 'name', '')!r}")
    if not is_item_name(source.item_name):
        raise SettingsError(
            f"{where} calls an item {source.item_name!r:.60}, expected a small word of a to z"
        )
    return source


def _what_to_give(raw: Path, folder: RawFolder, sources: Iterable[type[Source]]) -> str:
    """What to do about a folder without ratings."""
    above = raw.parent if raw.name else raw.absolute().parent
    for near in ([*folder.archives, *_folders_below(raw)], [above]):
        if sets := [str(path) for path in near if _holds_a_set(path, sources)]:
            return f"did you mean {' or '.join(sets[:_SHOWN])}?"
    if others := [name for name, source in SOURCES.items() if source.recognises(folder)]:
        return f"its files are those of the source {others[0]}: leave out --source"
    if packed := [name for name in folder.names if name.endswith(_PACKED)]:
        return f"unpack {packed[0]}, and give the folder that it makes"
    return "make synthetic files to try with: bigrec synth raw --ratings 1000000"


def _holds_a_set(path: Path, sources: Iterable[type[Source]]) -> bool:
    with suppress(DataError):
        folder = RawFolder(path)
        return any(source.recognises(folder) for source in sources)
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
