"""Arguments as callers give them, refused where they are of another type."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from bigrec.errors import SettingsError
from bigrec.opened import ShowProgress
from bigrec.resources import Budget, Progress

MAYBE_BUDGET: Final = Budget | None


def check_types(**arguments: tuple[object, Any]) -> None:
    """Refuse arguments of other types; each is given by its name, with the type it shall have.

    Raises:
        SettingsError: one has another type.
    """
    for name, (value, kind) in arguments.items():
        if not isinstance(value, kind):
            expected = getattr(kind, "__name__", str(kind))
            raise SettingsError(f"expected {name} as {expected}, found {value!r}")


def check_flags(flags: Mapping[str, object], known: type) -> None:
    """Refuse arguments that a TypedDict does not have, or has with another type.

    Args:
        flags: the arguments by name.
        known: the TypedDict.

    Raises:
        SettingsError: one is unknown, or has another type.
    """
    hints = get_type_hints(known)
    for name, value in flags.items():
        if name not in hints:
            raise SettingsError.unknown_name("argument", name, hints)
        kinds = (get_origin(kind) or kind for kind in get_args(hints[name]) or (hints[name],))
        check_types(**{name: (value, functools.reduce(operator.or_, kinds))})


def as_path(name: str, value: object) -> Path:
    """The path that an argument of this name gives.

    Raises:
        SettingsError: it is neither text nor a path.
    """
    check_types(**{name: (value, str | Path)})
    return Path(value)  # type: ignore[arg-type] # as was just checked


def shown_by(progress: Progress) -> ShowProgress:
    """What tells one Progress, whenever there is something to show."""

    def show() -> AbstractContextManager[Progress]:
        return nullcontext(progress)

    return show
