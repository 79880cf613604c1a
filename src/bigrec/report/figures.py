"""What the report is made of: figures, tables and sections, independent of how they are shown."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from bigrec.errors import ResourceError
from bigrec.query.library import find_query
from bigrec.query.session import Session
from bigrec.report.theme import CHART_CONFIG, MUTED

try:
    import altair as alt
except ImportError as error:
    raise ResourceError.missing_extra("report", "altair") from error

Row = Mapping[str, Any]

_ROWS: Final = "rows"
_CURSOR: Final = "cursor"
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEIGHT: Final = 260
"""Of a chart's plot, in pixels; its width is that of the page."""


def without_controls(text: str) -> str:
    """Text of data with a sign in the place of what XML, and so SVG, cannot hold.

    Titles and paths may hold any bytes; a control character in a drawing ends the program that
    draws.
    """
    return _NOT_IN_XML.sub("\ufffd", text)


def _without_controls(value: Any) -> Any:
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, Mapping):
        return {name: _without_controls(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_controls(inner) for inner in value]
    return value


@dataclass(frozen=True)
class Figure:
    """One chart with its data and its words."""

    name: str
    """Words joined by hyphens: its anchor in the page and its file name."""
    title: str
    caption: str
    """What is to be seen, what was clipped or left out."""
    alt: str
    """The picture in a sentence, for those who do not see it."""
    rows: Sequence[Row]
    """The data, bounded whatever the store's size."""
    chart: Any
    """Marks and encodings, without data: an altair Chart or LayerChart."""
    log_axes: Sequence[str] = ()
    """Axes, x or y, that the reader may switch to a logarithmic scale."""
    command: str = ""
    """What prints the data in a terminal; empty where no single command does."""

    def spec(self) -> dict[str, Any]:
        """The Vega-Lite specification of an interactive chart as wide as its container."""
        spec: dict[str, Any] = self.chart.properties(width="container").to_dict()
        datasets = spec.get("datasets", {}) | {_ROWS: list(self.rows)}
        drawn: dict[str, Any] = _without_controls(
            spec | {"datasets": datasets, "config": CHART_CONFIG}
        )
        return drawn

    def still_spec(self, width: int) -> dict[str, Any]:
        """The Vega-Lite specification of a picture.

        Args:
            width: of the plot, in pixels.
        """
        spec = self.spec() | {"width": width}
        if "layer" in spec:
            spec["layer"] = [layer for layer in spec["layer"] if layer.get("name") != _CURSOR]
        return spec


@dataclass(frozen=True)
class Table:
    """Some rows to be read."""

    title: str
    columns: Mapping[str, str]
    """Heading to number format; an empty format for text."""
    rows: Sequence[Sequence[object]]
    """A value for each column; None leaves a cell empty."""
    caption: str = ""
    best_row: int | None = None
    """The row to emphasise."""


@dataclass(frozen=True)
class Lists:
    """Ranked lists side by side."""

    title: str
    lists: Mapping[str, Sequence[tuple[str, str]]]
    """Heading to entries, best first, each with what stands at its right."""
    caption: str = ""
    first_is_own: bool = False
    """Whether the first list is what the user gave, and the others what models make of it."""


Block = Figure | Table | Lists


@dataclass(frozen=True)
class Section:
    """One part of the page."""

    name: str
    """Its anchor."""
    title: str
    text: str
    """A paragraph that opens it."""
    blocks: Sequence[Block]
    commands: Sequence[Sequence[str]]
    """The command lines, without places, that make what it shows."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """Figures to be read first: label to formatted value."""


def new_chart(height: int | alt.Step = HEIGHT) -> alt.Chart:
    """An empty chart over the figure's rows.

    Args:
        height: of the plot in pixels, or the pixels of one step of a discrete scale.
    """
    return alt.Chart(alt.NamedData(_ROWS), height=height)


def legend_filter(column: str) -> alt.Parameter:
    """The selection that a click in the legend of a column makes; shift adds another."""
    return alt.selection_point(name=column, fields=[column], bind="legend")


def level(value: float) -> alt.Chart:
    """A dashed horizontal line."""
    return (
        alt.Chart(alt.Data(values=[{"level": value}]))
        .mark_rule(stroke=MUTED, strokeDash=[4, 4])
        .encode(y=alt.Y("level:Q", scale=alt.Scale(zero=False)))
    )


def diagonal(low: float, high: float) -> alt.Chart:
    """A dashed line on which both axes are equal, from one value to another."""
    return (
        alt.Chart(alt.Data(values=[{"equal": low}, {"equal": high}]))
        .mark_line(stroke=MUTED, strokeDash=[4, 4], strokeWidth=1)
        .encode(x="equal:Q", y="equal:Q")
    )


def cursor(x: alt.X, fields: list[alt.Tooltip]) -> alt.Chart:
    """Invisible full-height rules that bring the tooltip wherever the pointer is over a line."""
    rules = new_chart().mark_rule(strokeWidth=5, opacity=0, stroke=MUTED)
    return rules.encode(x=x, tooltip=fields).properties(name=_CURSOR)


def ask(session: Session, name: str, **parameters: object) -> list[dict[str, Any]]:
    """The rows that a named query gives, as values that JSON knows; floats to six digits.

    Args:
        session: the open store.
        name: of the query.
        **parameters: of the query.
    """
    return [plain(row) for row in ask_exactly(session, name, **parameters)]


def ask_exactly(session: Session, name: str, **parameters: object) -> list[dict[str, Any]]:
    """The rows that a named query gives, for sums to be taken of them.

    Args:
        session: the open store.
        name: of the query.
        **parameters: of the query.
    """
    query = find_query(name)
    values = {key: str(value) for key, value in parameters.items()}
    result = session.run(query.sql, query.bind(values))
    return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def plain(row: Row) -> dict[str, Any]:
    """A row of values that JSON knows: days as text, floats to six digits."""
    return {name: _plain(value) for name, value in row.items()}


def sql_command(name: str, **parameters: object) -> str:
    """The command line that prints what a named query gives."""
    flags = (f" --param {key}={value}" for key, value in parameters.items())
    return f"bigrec sql --name {name}{''.join(flags)}"


def tooltips(**fields: str) -> list[alt.Tooltip]:
    """Tooltip lines.

    Args:
        **fields: the data's field to its title, with a format behind a bar if it needs one, such
            as `"mean rating|.3f"`. Days are written as such.
    """
    return [_tooltip(name, *words.split("|")) for name, words in fields.items()]


def share(part: float, whole: float) -> str:
    """A share in words: `12.3 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def total(rows: Iterable[Row], column: str) -> int:
    """The sum of a column of whole numbers."""
    return sum(int(row[column]) for row in rows)


def _tooltip(name: str, title: str, number_format: str = "") -> alt.Tooltip:
    if number_format == "day":
        return alt.Tooltip(f"{name}:T", title=title, timeUnit="utcyearmonthdate")
    if number_format == "text":
        return alt.Tooltip(f"{name}:N", title=title)
    return alt.Tooltip(f"{name}:Q", title=title, format=number_format or ",")


def _plain(value: object) -> object:
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal | float):
        return float(f"{value:.6g}")
    return value
