"""Values, names and paths as SQL text."""

from __future__ import annotations

import re
from pathlib import Path


def quote_text(text: object) -> str:
    """Write a value as a string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """Write the name of a column."""
    return '"' + name.replace('"', '""') + '"'


def escape_pattern(path: Path) -> str:
    """A path as a pattern that nothing but itself fits."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(path))


def select_files(paths: list[Path]) -> str:
    """The SELECT of Parquet files by their names.

    The engine would take a * or a [ in a path for a pattern, and a folder called key=value for a
    column.
    """
    files = ", ".join(quote_text(escape_pattern(path)) for path in paths)
    return f"SELECT * FROM read_parquet([{files}], hive_partitioning = false)"  # noqa: S608
