"""What somebody says of a table in words, as on a command line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError
from bigrec.sources.table.base import TableSettings
from bigrec.sources.table.items_file import ITEM_ROLES
from bigrec.sources.table.plan import ENCODINGS, ROLES, TIME_UNITS, TableOptions

ZERO: Final = ("keep", "drop", "implicit")
"""What a rating of 0 is: a rating, or none, of which the row is left out, or all ratings are."""
_PART: Final = re.compile(r"\s*([a-z]+)\s*=\s*(.*?)\s*")


def read_options(
    *,
    columns: str | None = None,
    separator: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    time_unit: str | None = None,
    zero: str | None = None,
) -> TableOptions:
    """What was said, as options.

    Args:
        columns: `user=NAME,item=NAME,rating=NAME,time=NAME`, each a name, a position, or none.
        separator: see TableOptions.
        header: see TableOptions.
        encoding: see TableOptions.
        time_unit: see TableOptions.
        zero: one of ZERO.

    Raises:
        SettingsError: it is not of this form.
    """
    for kind, found, valid in (
        ("encoding", encoding, ENCODINGS),
        ("time unit", time_unit, TIME_UNITS),
        ("choice for zero", zero, ZERO),
    ):
        if found is not None and found not in valid:
            raise SettingsError.unknown_name(kind, found, valid)
    drops = zero in ("drop", "implicit")
    return TableOptions(
        columns=read_columns(columns),
        separator=separator,
        header=header,
        encoding=encoding,
        time_unit=time_unit,
        no_rating=(0.0,) if drops else (),
        no_rating_rows=zero if drops and zero else "drop",
    )


def read_columns(text: str | None) -> dict[str, str]:
    """The column of each role.

    Args:
        text: `user=…,item=…`; a comma in a name is written as its position.

    Raises:
        SettingsError: it is not of this form, or names a role twice.
    """
    example = "user=reviewer,item=asin,rating=stars,time=none"
    return _read_pairs(text, ROLES, "--columns", example)


def _read_pairs(text: str | None, roles: Sequence[str], flag: str, example: str) -> dict[str, str]:
    columns: dict[str, str] = {}
    for part in text.split(",") if text else ():
        match = _PART.fullmatch(part)
        if not match or match[1] not in roles or not match[2] or match[1] in columns:
            raise SettingsError(
                f"{flag} {text!r}: expected {', '.join(f'{role}=…' for role in roles)}, each at "
                f"most once, found {part!r}",
                hint=f"for example {flag} {example}",
            )
        columns[match[1]] = match[2]
    return columns


def read_settings_of_table(
    *,
    scale: str | None = None,
    time: str | None = None,
    items: Path | None = None,
    item_columns: str | None = None,
) -> TableSettings:
    """What is to be kept of a table.

    Args:
        scale: `MIN:MAX`.
        time: see TableSettings.
        items: see TableSettings.
        item_columns: `key=…,title=…,year=…`, as `columns` of read_options.

    Raises:
        SettingsError: it is not of this form.
    """
    ends = None
    if scale is not None:
        low, _, high = scale.partition(":")
        try:
            ends = float(low), float(high)
        except ValueError:
            ends = math.nan, math.nan
        if not (math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] < ends[1]):
            raise SettingsError(
                f"--scale {scale!r}: expected MIN:MAX, two numbers", hint="for example --scale 1:10"
            )
    if item_columns and items is None:
        raise SettingsError("--item-columns was given without --items", hint="add --items FILE")
    said = _read_pairs(item_columns, ITEM_ROLES, "--item-columns", "key=asin,title=name")
    return TableSettings(ends, time, items, said)
