"""What somebody says of raw files and of the store to make, as the flags of `bigrec ingest`.

The command line and the Python API both turn what they were given into options here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict, Unpack

from bigrec.errors import SettingsError
from bigrec.ingest.options import IngestOptions
from bigrec.sources.table.base import TableSettings
from bigrec.sources.table.items_file import ITEM_ROLES
from bigrec.sources.table.plan import ENCODINGS, ROLES, TIME_UNITS, TableOptions

ZERO: Final = ("keep", "drop", "implicit")
"""What a rating of 0 is: a rating, or none, of which the row is left out, or all ratings are."""
_PART: Final = re.compile(r"\s*([a-z]+)\s*=\s*(.*?)\s*")


class TableFlags(TypedDict, total=False):
    """What may be said of raw files. What is not said, or is None, is recognised."""

    source: str
    """auto, netflix, movielens, table, a published set such as yelp, or a source of a package."""
    columns: str | Mapping[str, str | int] | None
    """The column of user, item, rating and time: a name, a position from 1, or `none` for a rating
    or a time that is to be left out. As a mapping, or as text: `user=who,item=2,time=none`."""
    separator: str | None
    """Between the fields of text: one or two characters, tab, or blanks."""
    header: bool | None
    """Whether the first line of text names the columns."""
    encoding: str | None
    """utf-8, latin-1 or cp1252."""
    time_unit: str | None
    """How times are written: seconds, milliseconds, microseconds or days since 1970, or iso."""
    scale: str | Sequence[float] | None
    """The lowest and the highest rating, as two numbers or as `MIN:MAX`."""
    zero: str | None
    """What a rating of 0 is: keep (a rating), drop (its row is left out), or implicit (every row is
    kept and all ratings are forgotten)."""
    time: str | None
    """What is kept of times: seconds or days."""
    items: str | Path | None
    """A table that says what items are."""
    item_columns: str | Mapping[str, str | int] | None
    """Its columns of key, title and year, as `columns`."""


class IngestFlags(TableFlags, total=False):
    """What may be said of raw files and of the store that is made of them."""

    repeats: str
    """What becomes of rows in which a user meets an item again: error, last, first, mean, max, sum
    or count."""
    by_user: bool
    """Whether the store has its ratings in the order by user as well."""
    on_error: str
    """What a bad line does: stop, or skip."""
    rejects: str | Path | None
    """A csv file that takes the skipped lines."""
    overwrite: bool
    """Whether a store that exists is replaced, its splits included."""


def read_flags(**flags: Unpack[IngestFlags]) -> IngestOptions:
    """What was said, as options of the ingest.

    Args:
        **flags: see IngestFlags.

    Raises:
        SettingsError: a flag has a value that cannot be, or one that does not go with another.
    """
    rejects = flags.get("rejects")
    usual = IngestOptions()
    return IngestOptions(
        source=flags.get("source", usual.source),
        table=_read_table_options(flags),
        kept=_read_table_settings(flags),
        overwrite=flags.get("overwrite", usual.overwrite),
        by_user=flags.get("by_user", usual.by_user),
        on_error=flags.get("on_error", usual.on_error),
        repeats=flags.get("repeats", usual.repeats),
        rejects=None if rejects is None else Path(rejects),
    )


def _read_table_options(flags: IngestFlags) -> TableOptions:
    """What was said of how a table is written."""
    encoding, time_unit, zero = flags.get("encoding"), flags.get("time_unit"), flags.get("zero")
    for kind, found, valid in (
        ("encoding", encoding, ENCODINGS),
        ("time unit", time_unit, TIME_UNITS),
        ("choice for zero", zero, ZERO),
    ):
        if found is not None and found not in valid:
            raise SettingsError.unknown_name(kind, found, valid)
    drops = zero in ("drop", "implicit")
    example = "user=reviewer,item=asin,rating=stars,time=none"
    return TableOptions(
        columns=_read_pairs(flags.get("columns"), ROLES, "--columns", example),
        separator=flags.get("separator"),
        header=flags.get("header"),
        encoding=encoding,
        time_unit=time_unit,
        no_rating=(0.0,) if drops else (),
        no_rating_rows=zero if drops and zero else "drop",
    )


def _read_table_settings(flags: IngestFlags) -> TableSettings:
    """What was said of what is kept of a table."""
    items, columns = flags.get("items"), flags.get("item_columns")
    if columns and items is None:
        raise SettingsError("--item-columns was given without --items", hint="add --items FILE")
    return TableSettings(
        _read_ends(flags.get("scale")),
        flags.get("time"),
        None if items is None else Path(items),
        _read_pairs(columns, ITEM_ROLES, "--item-columns", "key=asin,title=name"),
    )


def _read_pairs(
    said: str | Mapping[str, str | int] | None, roles: Sequence[str], flag: str, example: str
) -> dict[str, str]:
    """The column of each role; in text, a comma in a name is written as its position."""
    if isinstance(said, Mapping):
        parts = [f"{role}={name}" for role, name in said.items()]
    else:
        parts = said.split(",") if said else []
    columns: dict[str, str] = {}
    for part in parts:
        match = _PART.fullmatch(part)
        if not match or match[1] not in roles or not match[2] or match[1] in columns:
            raise SettingsError(
                f"{flag} {said!r}: expected {', '.join(f'{role}=…' for role in roles)}, each at "
                f"most once, found {part!r}",
                hint=f"for example {flag} {example}",
            )
        columns[match[1]] = match[2]
    return columns


def _read_ends(scale: str | Sequence[float] | None) -> tuple[float, float] | None:
    """The ends of a scale, as two numbers or as text with a colon between them."""
    if scale is None:
        return None
    try:
        low, high = map(float, scale.split(":") if isinstance(scale, str) else scale)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SettingsError(
            f"--scale {scale!r}: expected MIN:MAX, two numbers", hint="for example --scale 1:10"
        )
    return low, high
