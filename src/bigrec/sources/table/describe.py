"""What a table was taken for, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bigrec.sources.table.plan import (
    BLANKS,
    DAYS,
    ISO,
    MICROSECONDS,
    MILLISECONDS,
    RATING,
    SECONDS,
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
class PlanDescription:
    """A plan in words: fields for the whole table, and a row for each column."""

    fields: Mapping[str, str]
    """Names and values: the files, how they are written, times and ratings."""
    headings: tuple[str, ...]
    """Of the columns of `rows`."""
    rows: tuple[tuple[str, ...], ...]
    """For each column of the table its name, what it was taken for, and up to three examples."""


def describe_plan(plan: TablePlan) -> PlanDescription:
    """Say what a table was taken for.

    Args:
        plan: of the table. Of more than 40 columns the first are described.
    """
    roles = {position: role for role, position in plan.columns.items()}
    filters = {position: f"only {text!r}" for position, text in plan.only.items()}
    rows = [
        (
            name,
            filters.get(position, roles.get(position, "")),
            *(_shortened(example[position]) for example in plan.examples),
        )
        for position, name in enumerate(plan.names[:_SHOWN_COLUMNS])
    ]
    headings = ("column", "taken for", *(f"row {n + 1}" for n in range(len(plan.examples))))
    return PlanDescription(_fields(plan), headings, tuple(rows))


def _fields(plan: TablePlan) -> dict[str, str]:
    first, last = plan.files[0].label, plan.files[-1].label
    fields = {
        "file": f"{first}"
        if len(plan.files) == 1
        else f"{len(plan.files):,} files, {first} to {last.name}",
        "form": plan.form,
    }
    if dialect := plan.dialect:
        fields["separator"] = _SEPARATORS.get(dialect.separator, dialect.separator)
        fields["encoding"] = dialect.encoding
        fields["header"] = "yes" if dialect.has_header else "no"
    if plan.wide:
        fields["rows"] = "a user each: how many ratings, then one for each item"
    fields["times"] = _TIME_UNITS[plan.time_unit] if plan.time_unit else "none"
    fields["ratings"] = _ratings(plan)
    return fields


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
