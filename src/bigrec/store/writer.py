"""Publishing what was written, all at once or not at all.

`publishing` gives a hidden sibling folder to write into. When the block ends well, its files are
fsynced and the folder takes the target's place in one system call; when it fails or the process
dies, the target is untouched. A lock keeps two writers apart.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from bigrec.errors import ResourceError, StoreError

_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100


@contextmanager
def writer_lock(target: Path) -> Iterator[None]:
    """Hold the only right to write `target`, across processes; released even by SIGKILL.

    Raises:
        StoreError: another process holds it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f".{target.name}.lock")
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise StoreError(
                f"{target} is being written by another process (process id {owner})",
                hint="wait until it is done, or stop it",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def publishing(target: Path) -> Iterator[Path]:
    """Give an empty sibling folder that takes the place of `target` if the block ends well.

    Raises:
        StoreError: another process is writing `target`.
        ResourceError: the disk is full.
    """
    with writer_lock(target), telling_of_a_full_disk(target.parent):
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            publish_folder(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def publish_folder(partial: Path, target: Path) -> None:
    """Put a finished folder where `target` is, all at once; what was there before is removed."""
    _sync_folder(partial)
    _replace_folder(partial, target)
    shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def telling_of_a_full_disk(folder: Path) -> Iterator[None]:
    """Turn the system's word for a full disk into a ResourceError."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise ResourceError(
            f"the disk of {folder.absolute()} is full",
            hint="free some space or choose another folder; nothing was changed",
        ) from error


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


def _sync_folder(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
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
        # sees no store, never half a store.
        previous = target.with_name(f".{target.name}.previous")
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


@contextmanager
def publishing_file(target: Path) -> Iterator[Path]:
    """Give the path of a hidden sibling file that takes the place of `target` if all goes well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
