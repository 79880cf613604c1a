"""The ending of a file that is written decides its form, in whatever case it is given."""

from __future__ import annotations

from pathlib import Path

from bigrec.errors import DataError, SettingsError


def check_ending(output: Path, *endings: str) -> str:
    """The ending of an output, in small letters.

    Args:
        output: the file to write.
        endings: those that it may have, each with its dot.

    Raises:
        SettingsError: it names no file.
        DataError: it has another ending, or none.
    """
    if not output.name:
        raise SettingsError("expected the name of a file to write, found none")
    found = output.suffix.lower()
    if found not in endings:
        expected = (
            endings[0] if len(endings) == 1 else f"{', '.join(endings[:-1])} or {endings[-1]}"
        )
        raise DataError(
            f"{output} ends in {output.suffix!r}, expected {expected}",
            hint="the ending decides the form",
        )
    return found
