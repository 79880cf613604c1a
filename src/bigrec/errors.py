"""Every error that bigrec raises on purpose, with its message, its hint and its exit code.

A message says what was expected, what was found and where; the hint says what to do. The command
line prints both and exits with `exit_code`; anything that is not a BigrecError is a bug.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)
# Libraries raise errors of their own, which have the system's words in their text; NumPy only says
# how far it came.
_FULL_DISK_WORDS: Final = re.compile(
    r"No space left on device|Disk quota exceeded|\berrno = 28\b|\d+ requested and \d+ written"
)
_SHOWN_TEXT_LENGTH = 60


class BigrecError(Exception):
    """The root of all errors raised on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(BigrecError):
    """A flag, an option or a line of bigrec.toml has a value that cannot be used."""

    exit_code = 2

    @classmethod
    def unknown_name(cls, kind: str, found: str, valid: Iterable[str]) -> SettingsError:
        """An error for a name that is none of the valid ones, offering the nearest."""
        return cls(f"unknown {kind} {found!r}", hint=_choices(found, valid))


class DataError(BigrecError):
    """Input data, or a store on disk, is not what it should be."""

    exit_code = 3


class RawFormatError(DataError):
    """A raw file breaks its grammar at one line, or at one row where it is no text."""

    def __init__(
        self,
        path: Path,
        line: int,
        found: str,
        expected: str,
        *,
        word: str = "line",
        hint: str = "",
    ) -> None:
        shown = found if len(found) <= _SHOWN_TEXT_LENGTH else found[:_SHOWN_TEXT_LENGTH] + "…"
        super().__init__(
            f"{path}, {word} {line}: found {shown!r}, expected {expected}",
            hint=hint or f"correct or remove that {word}; the store is as it was before",
        )
        self.path = path
        self.line = line
        self.found = found
        self.expected = expected


class StoreError(DataError):
    """A store is missing, damaged, locked, or of another schema version."""


class SplitError(DataError):
    """A split is missing, exists already with another description, or selects nothing."""

    @classmethod
    def unknown(cls, found: str, valid: Iterable[str]) -> SplitError:
        """An error for a split name that the store does not hold."""
        names = list(valid)
        hint = _choices(found, names) if names else "make one with: bigrec split create NAME"
        return cls(f"the store has no split {found!r}", hint=hint)


class QueryError(BigrecError):
    """The engine refused the SQL, or the SQL is not a plain query."""

    exit_code = 4


class ResourceError(BigrecError):
    """The memory budget, the disk or the device does not suffice, or a package is missing."""

    exit_code = 5

    @classmethod
    def missing_extra(cls, extra: str, module: str) -> ResourceError:
        """An error for a command whose optional packages are not installed."""
        return cls(
            f"this command needs the package {module!r}, which is not installed",
            hint=f"pip install 'bigrec[{extra}]'",
        )


class RunError(BigrecError):
    """A run is missing, unreadable, or does not fit the store or the split."""

    exit_code = 6

    @classmethod
    def unknown(cls, found: str, valid: Iterable[str]) -> RunError:
        """An error for a run name that the runs folder does not hold."""
        names = list(valid)
        hint = (
            _choices(found, names) if names else "train one with: bigrec train MODEL --split NAME"
        )
        return cls(f"there is no run {found!r}", hint=hint)


def full_disk(path: Path) -> ResourceError:
    """The error for a disk without room."""
    return ResourceError(
        f"the disk of {_absolute(path)} is full",
        hint="free some space or choose another folder; nothing was changed",
    )


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that a disk has no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            return True
        if _FULL_DISK_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def of_the_system(
    error: OSError, path: Path | None = None, kind: type[BigrecError] = DataError
) -> BigrecError:
    """The error that bigrec raises in place of one of the operating system.

    Args:
        error: what the system said.
        path: where; the path that the system named if None.
        kind: of the error, where it is no lack of a resource.
    """
    if error.errno == errno.ENOENT and not _has_working_folder():
        return kind("the folder that you are in is gone", hint="change into another")
    where = _absolute(Path(path or error.filename or "."))
    if is_full_disk(error):
        return full_disk(where)
    if error.errno in (errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN):
        return ResourceError(
            f"the system has no more of what {where} needs: {error.strerror}",
            hint="end other programs, or raise the limit (ulimit)",
        )
    reason = error.strerror or str(error)
    return kind(f"{where} cannot be used: {reason}", hint=_SYSTEM_HINTS.get(error.errno or 0, ""))


_SYSTEM_HINTS: Final = {
    errno.EACCES: "take the right to it, or choose another path",
    errno.EPERM: "take the right to it, or choose another path",
    errno.EROFS: "it is read-only; choose another path",
    errno.ENOTDIR: "a file stands where a folder is expected; choose another path",
    errno.EISDIR: "a folder stands where a file is expected; choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "links lead in a circle; remove one",
    errno.ENOENT: "make it first, or correct the path",
    errno.EBUSY: "something else uses it, or a disk is mounted there; choose another path",
}


@contextmanager
def system_errors(path: Path, kind: type[BigrecError]) -> Iterator[None]:
    """Turn every error of the system into one of bigrec: a full disk as such, others of a kind."""
    try:
        yield
    except OSError as error:
        raise of_the_system(error, path, kind) from error


def _has_working_folder() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _absolute(path: Path) -> Path:
    """A path as it is shown; as it is where the working folder is gone."""
    try:
        return path.absolute()
    except OSError:
        return path


def _choices(found: str, valid: Iterable[str]) -> str:
    names = list(valid)
    nearest = difflib.get_close_matches(found, names, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{guess}valid: {', '.join(names)}"
