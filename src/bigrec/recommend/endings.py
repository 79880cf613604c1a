"""The ending of a file that is written decides its form, in whatever case it is given."""

from __future__ import annotations

from pathlib import Path

from bigrec.errors import SettingsError


def check_ending(output: Path, *endings: str) -> str:
    """The ending of an output, in small letters.

    Args:
        output: the file to write.
        endings: those that it may have, each with its dot.

    Raises:
        SettingsError: it has another, or none.
    """
    found = output.suffix.lower()
    if found not in endings:
        expected = (
            endings[0] if len(endings) == 1 else f"{', '.join(endings[:-1])} or {endings[-1]}"
        )
        raise SettingsError(
            f"expected a file that ends in {expected}, found {str(output)!r}",
            hint="the ending decides the form",
        )
    return found
