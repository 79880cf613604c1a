"""What tables of ratings and of items were taken for, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bigrec.sources.table.items_file import ItemsPlan
from bigrec.sources.table.plan import (
    BLANKS,
    DAYS,
    ISO,
    MICROSECONDS,
    MILLISECONDS,
    RATING,
    SECONDS,
    Dialect,
    TablePlan,
)

_SHOWN_LENGTH: Final = 32
_SHOWN_COLUMNS: Final = 40
_SEPARATORS: Final = {
    "\t": "a tab",
    ",": "a comma",
    ";": "a semicolon",
    BLANKS: "blanks",
    "\x01": "the byte 1",
}
_TIME_UNITS: Final = {
    SECONDS: "seconds since 1970",
    MILLISECONDS: "milliseconds since 1970",
    MICROSECONDS: "microseconds since 1970",
    DAYS: "days since 1970",
    ISO: "ISO 8601, as UTC where no zone is said",
}


@dataclass(frozen=True)
class TableDescription:
    """What a table was taken for, in words."""

    fields: Mapping[str, str]
    """Names and values, for the whole table: the files and how they are written; of ratings, what
    times and ratings are as well."""
    headings: tuple[str, ...]
    """Of the columns of `rows`."""
    rows: tuple[tuple[str, ...], ...]
    """For each column of the table its name, what it was taken for, and up to three examples. Of
    more than 40 columns the first are described."""


def describe_plan(plan: TablePlan) -> TableDescription:
    """Say what a table of ratings was taken for.

    Args:
        plan: of the table.
    """
    taken = {position: role for role, position in plan.columns.items()}
    taken |= {position: f"only {text!r}" for position, text in plan.only.items()}
    return _described(_fields(plan), plan.names, taken, plan.examples)


def describe_items(plan: ItemsPlan) -> TableDescription:
    """Say what a file of items was taken for.

    Args:
        plan: of the file.
    """
    taken = {
        position: "kept" if plan.names[position] == name else f"kept as {name}"
        for position, name in plan.attributes.items()
    }
    taken |= {position: role for role, position in plan.roles.items()}
    fields = {"items": f"{plan.file.label}", **_written(plan.form, plan.dialect)}
    return _described(fields, plan.names, taken, plan.examples)


def _described(
    fields: Mapping[str, str],
    names: Sequence[str],
    taken: Mapping[int, str],
    examples: Sequence[Sequence[str]],
) -> TableDescription:
    rows = (
        (name, taken.get(position, ""), *(_shortened(row[position]) for row in examples))
        for position, name in enumerate(names[:_SHOWN_COLUMNS])
    )
    headings = ("column", "taken for", *(f"row {n + 1}" for n in range(len(examples))))
    return TableDescription(fields, headings, tuple(rows))


def _fields(plan: TablePlan) -> dict[str, str]:
    first, last = plan.files[0].label, plan.files[-1].label
    shown = f"{len(plan.files):,} files, {first} to {last.name}"
    fields = {
        "file": f"{first}" if len(plan.files) == 1 else shown,
        **_written(plan.form, plan.dialect),
    }
    if plan.wide:
        fields["rows"] = "a user each: how many ratings, then one for each item"
    fields["times"] = _TIME_UNITS[plan.time_unit] if plan.time_unit else "none"
    fields["ratings"] = _ratings(plan)
    return fields


def _written(form: str, dialect: Dialect | None) -> dict[str, str]:
    """How files are written."""
    if dialect is None:
        return {"form": form}
    return {
        "form": form,
        "separator": _SEPARATORS.get(dialect.separator, dialect.separator),
        "encoding": dialect.encoding,
        "header": "yes" if dialect.has_header else "no",
    }


def _ratings(plan: TablePlan) -> str:
    if plan.no_rating:
        values = " and ".join(f"{value:g}" for value in plan.no_rating)
        becomes = "left out" if plan.no_rating_rows == "drop" else "kept, and ratings forgotten"
        return f"{values} stands for none; such rows are {becomes}"
    if plan.implicit:
        return "counts" if RATING in plan.columns else "none: what users chose"
    return "yes"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
