"""Publishing what was written, all at once or not at all.

`publishing` gives a hidden sibling folder to write into. When the block ends well, its files are
marked (see `seal`) and fsynced, and the folder takes the target's place in one system call; when
the block fails or the process dies, the target is untouched. `publishing_file` does the same for
one file. A lock keeps two writers of one target apart. What a killed process leaves, under names
that hold `.bigrec-`, is removed by the next one that publishes beside it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from bigrec.errors import BigrecError, SettingsError, full_disk, is_full_disk, system_errors
from bigrec.scratch import scratch_folder
from bigrec.store.locks import PARTIAL, PREVIOUS, hidden_sibling, writer_lock
from bigrec.store.seal import (
    TEMPORARY,
    Kind,
    enclosing_folder,
    require_replaceable,
    require_text_path,
    write_seal,
)

_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
_INSIDE: Final = (Kind.SPLIT, Kind.SHARDS, Kind.DAYS)  # what is part of a store


@dataclass(frozen=True)
class Draft:
    """A folder that is being written."""

    folder: Path
    """Empty at first."""
    digests: dict[Path, str] = field(default_factory=dict)
    """SHA-256 of files whose writer knows it, in hexadecimal digits: they are not read again."""


@contextmanager
def publishing(target: Path, kind: Kind | None) -> Iterator[Draft]:
    """Give an empty sibling folder that takes the place of `target` if the block ends well.

    What was there before is removed if it bears bigrec's mark of this kind. A link to a folder
    stays, and the folder that it leads to is replaced.

    Args:
        target: the folder to make; folders above it are made too.
        kind: what it will be; None for a folder without a mark, which replaces nothing.

    Raises:
        SettingsError: something that bigrec did not write is there, or the path cannot be used.
        StoreError: another process is writing `target`.
        ResourceError: the disk is full.
    """
    real = Path(os.path.realpath(target))
    check_target(real, kind)
    with made_parents(real.parent), writer_lock(real), drafting(real, kind) as draft:
        yield draft


@contextmanager
def drafting(target: Path, kind: Kind | None) -> Iterator[Draft]:
    """`publishing` for a caller that holds the writer_lock of `target`, a path without links."""
    check_target(target, kind)
    with telling_of_a_full_disk(target.parent):
        draft = Draft(hidden_sibling(target, PARTIAL))
        draft.folder.mkdir()
        try:
            yield draft
            publish_folder(draft, target, kind)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)


def check_target(target: Path, kind: Kind | None) -> None:
    """Refuse a folder that may not be made or replaced; see `publishing`.

    Raises:
        SettingsError: it lies in a folder of bigrec, or something that is not to be replaced is
            there.
    """
    if kind not in _INSIDE and (outer := enclosing_folder(target)):
        raise _inside_error(target, *outer)
    require_replaceable(target, kind)


def publish_folder(draft: Draft, target: Path, kind: Kind | None) -> None:
    """Put a finished folder where `target` is, all at once; what was there before is removed."""
    if kind is not None:
        write_seal(draft.folder, kind, draft.digests)
    _sync_folder(draft.folder)
    require_replaceable(target, kind)  # it may have changed since the beginning
    _replace_folder(draft.folder, target)
    _sync(target.parent)
    shutil.rmtree(draft.folder, ignore_errors=True)


@contextmanager
def publishing_file(target: Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give the path of a hidden file that takes the place of `target` if all goes well.

    A link stays, and the file that it leads to is replaced. What is no regular file, such as a
    pipe, is written to when all is done.

    Args:
        target: the file to write.
        inputs: files that are read meanwhile, which it must not be.

    Raises:
        SettingsError: the path cannot be used; see `check_output`.
        StoreError: another process is writing `target`.
        ResourceError: the disk is full.
    """
    check_output(target, inputs=inputs)
    if target.exists() and not target.is_file():
        with scratch_folder(Path(tempfile.gettempdir())) as folder:
            written = folder / target.name
            yield written
            with (
                telling_of_a_full_disk(target),
                target.open("wb") as out,
                written.open("rb") as file,
            ):
                shutil.copyfileobj(file, out)
        return
    real = Path(os.path.realpath(target))
    partial = hidden_sibling(real, PARTIAL)  # a folder, for what libraries put beside a file
    with writer_lock(real), telling_of_a_full_disk(real.parent):
        partial.mkdir()
        try:
            written = partial / real.name
            yield written
            if real.exists():
                shutil.copymode(real, written)
            _sync(written)
            written.replace(real)
            _sync(real.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file that replaces one in unfinished work, whose folder one process alone writes."""
    partial = path.with_name(f"{path.name}{TEMPORARY}{PARTIAL}")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def check_output(target: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Refuse a path that `publishing_file` could not write, before any work is done.

    Args:
        target: the file to write.
        inputs: files and folders that are read meanwhile.

    Raises:
        SettingsError: it is a folder, lies below a file, in no folder or in a folder of bigrec, is
            one of the inputs, has too long a name, or there is no right to write it.
    """
    if target == Path():
        raise SettingsError("expected the name of a file to write, found none")
    require_text_path(target)
    with system_errors(target, SettingsError):
        there = target.stat() if os.path.lexists(target) and target.exists() else None
        if there and not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode):
            return
        real = Path(os.path.realpath(target))
        if there and stat.S_ISDIR(there.st_mode):
            raise SettingsError(f"{target} is a folder", hint="name a file")
        if not real.parent.is_dir():
            what = "is no folder" if os.path.lexists(real.parent) else "does not exist"
            raise SettingsError(
                f"{target} cannot be written: {real.parent} {what}", hint="make it first"
            )
        if outer := enclosing_folder(real):
            raise _inside_error(target, *outer)
        for given in inputs:
            if there and given.exists() and given.samefile(real):
                raise SettingsError(
                    f"{target} is read by this very command", hint="write to another file"
                )
        real.stat() if os.path.lexists(real) else _check_name(real)  # links may run in a circle
        if not os.access(real if there else real.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextmanager
def telling_of_a_full_disk(path: Path) -> Iterator[None]:
    """Turn the system's and the libraries' words for a full disk into a ResourceError."""
    try:
        yield
    except BigrecError:
        raise
    except Exception as error:
        if not is_full_disk(error):
            raise
        raise full_disk(path) from error


def start_writing(file: BinaryIO, start: int = 0) -> None:
    """Let the system begin to write a file to the disk, so that a later sync is short.

    Args:
        file: open for writing.
        start: the byte to begin at; those before have been begun already.
    """
    file.flush()
    os.posix_fadvise(file.fileno(), start, 0, os.POSIX_FADV_DONTNEED)  # Linux begins here


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    return sum(
        Path(parent, name).stat().st_size for parent, _, names in os.walk(folder) for name in names
    )


def _check_name(path: Path) -> None:
    if len(os.fsencode(path.name)) > os.pathconf(path.parent, "PC_NAME_MAX"):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _inside_error(target: Path, folder: Path, label: str) -> SettingsError:
    return SettingsError(f"{target} lies in the {label} {folder}", hint="write to another folder")


@contextmanager
def made_parents(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; if the block fails, those that were made go again.

    Raises:
        SettingsError: one cannot be made.
    """
    made = []
    with system_errors(folder, SettingsError):
        for path in reversed([folder, *folder.parents]):
            if not path.exists():
                path.mkdir(exist_ok=True)
                made.append(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # somebody else put something there
            for path in reversed(made):
                path.rmdir()
        raise


def _sync_folder(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace_folder(partial: Path, target: Path) -> None:
    """Put `partial` where `target` is; afterwards `partial` holds what was there before, if any."""
    if not target.exists():
        partial.rename(target)
    elif not _exchange(partial, target):
        # Without an atomic exchange there is an instant without a target; a reader of that instant
        # sees no store, never half a store. The next writer restores it if this one is killed.
        previous = hidden_sibling(target, PREVIOUS)
        target.rename(previous)
        partial.rename(target)
        shutil.rmtree(previous)


def _exchange(one: Path, two: Path) -> bool:
    """Swap two paths atomically with Linux's renameat2; False where the system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(two), _RENAME_EXCHANGE)
    return bool(done == 0)
