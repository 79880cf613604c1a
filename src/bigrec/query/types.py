"""How columns leave the engine: as they are where Python and Arrow hold them, else as text.

Python has no interval of months, no infinite day and no time zone without a package; Parquet has no
interval either, and Arrow cuts numbers of 39 digits. The engine writes these as text itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_PLAIN: Final = re.compile(
    r"(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)"
    r'|VARCHAR|"NULL")(\[\])*'
)
"""Types that Python holds as they are; lists of them too."""

_NESTED: Final = re.compile(r"STRUCT\(|MAP\(|UNION\(|.*\]$", re.DOTALL)

_WORDS: Final = re.compile(
    r"""
      "(?:[^"]|"")*" | '(?:[^']|'')*'  # names of fields and of values, which stay as they are
    | \b(?:TIMESTAMP|TIME)(?:_NS)?\ WITH\ TIME\ ZONE\b
    | \b\w+\b(?!\ )\(?  # behind a name without quotes comes a blank
    """,
    re.VERBOSE,
)
"""The words of a type as the engine writes it."""

_NO_PYTHON: Final = {
    "INTERVAL": "VARCHAR",
    "TIMESTAMP WITH TIME ZONE": "VARCHAR",
    "TIMESTAMP_NS WITH TIME ZONE": "VARCHAR",
    "TIMESTAMP_NS": "VARCHAR",
    "TIME_NS": "VARCHAR",
}
"""Types that Python has not, and what stands for them."""

_NO_ARROW: Final = {
    "INTERVAL": "VARCHAR",
    "BIT": "VARCHAR",
    "BIGNUM": "VARCHAR",
    "VARIANT": "VARCHAR",
    "TIME WITH TIME ZONE": "VARCHAR",
    "UHUGEINT": "DECIMAL(38,0)",
    "HUGEINT": "DECIMAL(38,0)",
}
"""Types that Arrow or Parquet have not, and what stands for them."""

_SHORT_INTEGER: Final = 100  # digits; Python refuses to read some thousands of them


def as_text(column: str, kind: str) -> tuple[str, bool]:
    """SQL that gives a column as text or as a plain value, and whether it is JSON text.

    Args:
        column: the column in SQL.
        kind: its type, as the engine writes it.
    """
    column, kind = _with_short_floats(column, kind)
    if _PLAIN.fullmatch(kind):
        return column, False
    if _NESTED.match(kind):
        return f"CAST(to_json({column}) AS VARCHAR)", True
    return f"CAST({column} AS VARCHAR)", False


def as_python(column: str, kind: str) -> str:
    """SQL that gives a column to Python as its own values; the arguments are those of `as_text`."""
    return _with_types(column, kind, _NO_PYTHON)


def as_arrow(column: str, kind: str) -> str:
    """SQL that gives a column to Arrow and Parquet; the arguments are those of `as_text`."""
    if "UNION(" in _WORDS.findall(kind) or 'MAP("NULL"' in kind:
        return f"CAST({column} AS VARCHAR)"
    return _with_types(column, kind, _NO_ARROW)


def read_json(text: str) -> Any:
    """A value from the JSON text of `as_text`; its numbers keep all of their digits."""
    return json.loads(text, parse_int=_exact_integer, parse_float=_exact_float)


def _exact_integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _SHORT_INTEGER else Decimal(digits)


def _exact_float(digits: str) -> float | Decimal:
    value = float(digits)
    return value if Decimal(repr(value)) == Decimal(digits) else Decimal(digits)


def _with_short_floats(column: str, kind: str) -> tuple[str, str]:
    """SQL with 0.1 where a FLOAT is 0.1, rather than the 0.10000000149011612 that it is nearest to.

    Python has numbers of double precision only; the engine writes the digits that tell a FLOAT.
    """
    as_digits = _with_types(column, kind, {"FLOAT": "VARCHAR"})
    doubles = _WORDS.sub(lambda found: {"FLOAT": "DOUBLE"}.get(found[0], found[0]), kind)
    return (column, kind) if as_digits == column else (f"CAST({as_digits} AS {doubles})", doubles)


def _with_types(column: str, kind: str, known: Mapping[str, str]) -> str:
    changed = _WORDS.sub(lambda found: known.get(found[0], found[0]), kind)
    return column if changed == kind else f"CAST({column} AS {changed})"
