"""How columns leave the engine: as they are where Python and Arrow hold them, else as text.

Python has no interval of months, no infinite day and no time zone without a package; Parquet has no
interval either, and Arrow cuts numbers of 39 digits. The engine writes these as text itself.
"""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = re.compile(
    r"(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)"
    r'|VARCHAR|"NULL")(\[\])*'
)
"""Types that Python holds as they are; lists of them too."""

_NESTED: Final = re.compile(r"STRUCT\(|MAP\(|UNION\(|.*\]$", re.DOTALL)

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
_NO_ARROW_NAMES: Final = re.compile(rf'"(?:[^"]|"")*"|\b(?:{"|".join(_NO_ARROW)})\b')


def as_text(column: str, kind: str) -> tuple[str, bool]:
    """SQL that gives a column to Python, and whether it does so as JSON text.

    Args:
        column: the column in SQL.
        kind: its type, as the engine writes it.
    """
    if _PLAIN.fullmatch(kind):
        return column, False
    if _NESTED.match(kind):
        return f"CAST(to_json({column}) AS VARCHAR)", True
    return f"CAST({column} AS VARCHAR)", False


def as_arrow(column: str, kind: str) -> str:
    """SQL that gives a column to Arrow and Parquet; the arguments are those of `as_text`."""
    if "UNION(" in kind:
        return f"CAST({column} AS VARCHAR)"
    # Quoted names of fields stay as they are.
    known = _NO_ARROW_NAMES.sub(lambda found: _NO_ARROW.get(found[0], found[0]), kind)
    return column if known == kind else f"CAST({column} AS {known})"
