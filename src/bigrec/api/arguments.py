"""Arguments as callers give them, refused where they are of another type."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

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
