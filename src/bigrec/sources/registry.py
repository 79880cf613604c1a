"""Which sources there are, and recognising what a folder holds.

A source of bigrec's own is a file beside this one and a line in SOURCES. One of another package is
an entry point of the group `bigrec.sources`, by the source's name, and is loaded only when it is
asked for by that name or when no source in SOURCES recognises the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from bigrec.errors import DataError, ResourceError, SettingsError
from bigrec.sources.contract import BatchSource, Source, TextSource
from bigrec.sources.movielens import MovieLensSource
from bigrec.sources.netflix import NetflixSource
from bigrec.sources.raw import RawFolder

SOURCES: Final[dict[str, type[Source]]] = {
    NetflixSource.name: NetflixSource,
    MovieLensSource.name: MovieLensSource,
}
ENTRY_POINTS: Final = "bigrec.sources"

_SHOWN: Final = 5
_DEPTH, _MOST_FOLDERS = 2, 50  # how far below a folder a set is looked for
_PACKED: Final = (".zip", ".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2")


def open_source(raw: Path, kind: str = "auto") -> Source:
    """Open a raw folder or zip archive as the source that it is.

    Args:
        raw: the folder or archive.
        kind: the name of a source, or auto to recognise it.

    Raises:
        SettingsError: there is no such kind.
        ResourceError: the package that adds it is broken.
        DataError: the folder is missing, or holds no such data.
    """
    sources = list(SOURCES.values()) if kind == "auto" else [find_source(kind)]
    folder = RawFolder(raw)
    broken: list[ResourceError] = []
    if kind == "auto" and not any(source.recognises(folder) for source in sources):
        for entry in _entries().values():
            try:
                sources.append(_load(entry))
            except ResourceError as error:
                broken.append(error)
    for source in sources:
        if source.recognises(folder):
            return source(folder)
    folder.require_readable()
    expected = " or ".join(source.signature for source in sources)
    names = [*folder.names, *(path.name for path in folder.archives)]
    found = ", ".join(names[:_SHOWN]) or "nothing"
    raise DataError(
        f"{raw} holds no ratings that bigrec knows: expected {expected}; found {found}"
        + "".join(f"; {error.message}" for error in broken),
        hint=_what_to_give(raw, folder, sources),
    )


def find_source(name: str) -> type[Source]:
    """The source of a name.

    Raises:
        SettingsError: there is none.
        ResourceError: the package that adds it is broken.
    """
    if name in SOURCES:
        return SOURCES[name]
    entries = _entries()
    if name not in entries:
        raise SettingsError.unknown_name("source", name, ["auto", *SOURCES, *entries])
    return _load(entries[name])


def _entries() -> dict[str, EntryPoint]:
    """The sources of other packages by name; a name in SOURCES stays bigrec's own."""
    found = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    return {entry.name: entry for entry in found if entry.name not in SOURCES}


def _load(entry: EntryPoint) -> type[Source]:
    package = entry.dist.name if entry.dist else entry.value.partition(":")[0]
    hint = f"mend, update or uninstall {package}"
    try:
        source = entry.load()
    except Exception as error:  # whatever the code of others raises
        raise ResourceError(
            f"the source {entry.name!r} of the package {package} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            hint=hint,
        ) from error
    if not (isinstance(source, type) and issubclass(source, BatchSource | TextSource)):
        raise ResourceError(
            f"the source {entry.name!r} of the package {package} is {source!r}, expected a "
            "subclass of BatchSource or TextSource",
            hint=hint,
        )
    if getattr(source, "name", None) != entry.name:
        raise ResourceError(
            f"the source {entry.name!r} of the package {package} calls itself "
            f"{getattr(source, 'name', None)!r}, expected the name of its entry point",
            hint=hint,
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
