"""The forms in which a result can be written, and the endings of files that stand for them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError

TEXT_FORMATS: Final = ("table", "csv", "tsv", "json", "ndjson")
ARROW_FORMATS: Final = ("parquet", "arrow")
FORMATS: Final = TEXT_FORMATS + ARROW_FORMATS

_ENDINGS: Final = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".parquet": "parquet", ".arrow": "arrow",
}  # fmt: skip
_OTHER_FORMS: Final = (".gz", ".bz2", ".xz", ".zst", ".zip", ".xlsx", ".xls", ".feather", ".duckdb")


def choose_format(given: str | None, output: Path | None, *, limited: bool = False) -> str:
    """The form of a result.

    Args:
        given: its name; None to go by the ending, or a table where there is no file.
        output: the file to write; None for stdout.
        limited: whether a number of rows was asked for.

    Raises:
        SettingsError: there is no such form, the ending is that of another or of none, or a table
            of all rows was asked for in a file.
    """
    if given is not None and given not in FORMATS:
        raise SettingsError.unknown_name("format", given, FORMATS)
    if output is None:
        return given or "table"
    ending = output.suffix.lower()
    by_ending = _ENDINGS.get(ending)
    if ending in _OTHER_FORMS or (given is None and by_ending is None):
        raise SettingsError(
            f"expected a file that ends in {', '.join(_ENDINGS)}, found {str(output)!r}",
            hint="name another, or say what to write with --format"
            if ending not in _OTHER_FORMS
            else "bigrec does not write that form; write another and convert it",
        )
    if given is not None and by_ending not in (None, given):
        raise SettingsError(
            f"--format {given} and a file that ends in {ending} say different things",
            hint="leave out one, or name the file otherwise",
        )
    if given == "table" and not limited:
        raise SettingsError(
            "a table is for people and shows some rows only",
            hint="write csv or parquet for all rows, or say how many with --limit",
        )
    return given or by_ending or "table"
