"""Every error that bigrec raises on purpose, with its message, its hint and its exit code.

A message says what was expected, what was found and where; the hint says what to do. The command
line prints both and exits with `exit_code`; anything that is not a BigrecError is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

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
    """A raw file breaks its grammar at one line."""

    def __init__(self, path: Path, line: int, found: str, expected: str, *, hint: str = "") -> None:
        shown = found if len(found) <= _SHOWN_TEXT_LENGTH else found[:_SHOWN_TEXT_LENGTH] + "…"
        super().__init__(
            f"{path}, line {line}: found {shown!r}, expected {expected}",
            hint=hint or "correct or remove that line; the store is as it was before",
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


def _choices(found: str, valid: Iterable[str]) -> str:
    names = list(valid)
    nearest = difflib.get_close_matches(found, names, n=1)
    guess = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{guess}valid: {', '.join(names)}"
