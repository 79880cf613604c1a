"""The right to write one path, and what killed writers left beside it.

A lock is a hidden file beside its target, held by the system's `flock`: the death of a process
releases it, its file then stays, and is removed with all unfinished work by the next writer in that
folder. Hidden names hold `.bigrec-`, so that none is a user's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bigrec.errors import BigrecError, SettingsError, StoreError, system_errors
from bigrec.store.seal import TEMPORARY

LOCK: Final = "lock"
PARTIAL: Final = "partial"
PREVIOUS: Final = "previous"
"""Endings of hidden names: of a lock, of what is being written, of what gives way to it."""

_SWEEP_SECONDS: Final = 2.0  # of somebody else who removes leftovers
_LONGEST_NAME: Final = 200  # bytes; most file systems take 255, and the hidden names are longer


def hidden_sibling(target: Path, ending: str) -> Path:
    """The path of a lock or of unfinished work beside its target."""
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return target.with_name(f".{name}{TEMPORARY}{ending}")


@contextmanager
def writer_lock(
    target: Path,
    *,
    wait: Callable[[str], None] | None = None,
    error: type[BigrecError] = SettingsError,
) -> Iterator[None]:
    """Hold the only right to write `target`, across processes; released even by SIGKILL.

    Leftovers of killed processes beside it are removed.

    Args:
        target: what will be written.
        wait: told in words that another process has the right, which is then waited for. None
            raises instead.
        error: which is raised where the folder of `target` cannot be written to.

    Raises:
        StoreError: another process holds it, and `wait` is None.
        ResourceError: the disk is full.
        BigrecError: see `error`.
    """
    path = hidden_sibling(target, LOCK)
    with system_errors(target.parent, error):
        descriptor = _lock(path, wait, target)
    try:
        os.ftruncate(descriptor, 0)
        with suppress(OSError):  # on a full disk nobody is told the number
            os.write(descriptor, str(os.getpid()).encode())
        _clear(target)
        _sweep(target.parent)
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held, so that nobody locks a removed file
        os.close(descriptor)


def sweep_beside(target: Path) -> None:
    """Remove what killed writers left beside a target that is as it should be, so is not written.

    Where there is no right to, it stays: it does no harm.
    """
    with suppress(OSError):
        _sweep(Path(os.path.realpath(target)).parent)


def _lock(path: Path, wait: Callable[[str], None] | None, target: Path) -> int:
    """Lock a file, which is made; its descriptor."""
    deadline = time.monotonic() + _SWEEP_SECONDS
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            is_held = _try_to_lock(descriptor)
            if not is_held:
                owner = os.pread(descriptor, 20, 0).decode("ascii", "replace") or "unknown"
                if wait is not None:
                    wait(f"waiting for process {owner}, which is writing {target}")
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    is_held = True
                elif Path("/proc", owner).exists() or time.monotonic() > deadline:
                    raise StoreError(
                        f"{target} is being written by another process (process id {owner})",
                        hint="wait until it is done, or stop it",
                    )
                else:  # its holder has not said who it is, or is sweeping
                    time.sleep(_SWEEP_SECONDS / 100)
            if is_held and _is_open_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it, or removes a dead one's leftovers


def _try_to_lock(descriptor: int) -> bool:
    """Lock an open file if nobody holds it; whether it is locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_open_at(descriptor: int, path: Path) -> bool:
    """Whether a locked file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder: everything whose lock nobody holds."""
    for path in folder.glob(f".*{TEMPORARY}{LOCK}"):
        with suppress(OSError):  # of other users, or swept by somebody else
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not _is_open_at(descriptor, path):
                    continue
                _clear(folder / path.name.removeprefix(".").removesuffix(TEMPORARY + LOCK))
                path.unlink()
            finally:
                os.close(descriptor)


def _clear(target: Path) -> None:
    """Remove what a killed writer of `target` left, whose lock is held.

    What one killed between two renames had set aside is put back.
    """
    shutil.rmtree(hidden_sibling(target, PARTIAL), ignore_errors=True)
    previous = hidden_sibling(target, PREVIOUS)
    if previous.exists() and not target.exists():
        previous.rename(target)
    shutil.rmtree(previous, ignore_errors=True)
