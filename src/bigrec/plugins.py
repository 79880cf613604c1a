"""What installed packages offer: objects behind entry points, loaded when they are asked for."""

from __future__ import annotations

from typing import Any

from bigrec.errors import SettingsError


def offered_names(group: str) -> set[str]:
    """The names of all that is offered.

    Args:
        group: of entry points.
    """
    from importlib.metadata import entry_points  # late: most commands ask for nothing

    return {point.name for point in entry_points(group=group)}


def load_offered(group: str, kind: str, name: str) -> tuple[Any, str] | None:
    """What is offered under a name, and where it is from in words; None where nothing is.

    Whatever its import raises is told with the name of its package.

    Args:
        group: of entry points.
        kind: of what is offered, in a word.
        name: of the entry point.

    Raises:
        SettingsError: it cannot be loaded, or several packages offer it.
    """
    from importlib.metadata import entry_points

    points = tuple(entry_points(group=group, name=name))
    if not points:
        return None
    packages = sorted({point.dist.name if point.dist else "?" for point in points})
    if len(packages) > 1:
        raise SettingsError(
            f"the packages {', '.join(packages)} each offer a {kind} {name!r}",
            hint="uninstall all but one of them",
        )
    where = f"the {kind} {name!r} of the package {packages[0]!r}"
    try:
        return points[0].load(), where
    except Exception as error:  # whatever the code of others raises
        raise SettingsError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"update or uninstall {packages[0]}; other {kind}s work without it",
        ) from error
