"""Results as text: an aligned table, CSV, TSV, JSON, JSON lines. For others see `arrow_output`.

Rows are streamed, so a result of any size takes the memory of one batch. A table is for people: it
shows a screenful of rows, each in one line, and says how many it left out. CSV writes NULL as
nothing and empty text as two quotes; JSON writes what it has no number for (NaN, infinity) as null.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, BinaryIO, Final

from bigrec.errors import QueryError
from bigrec.query.session import QueryResult
from bigrec.terminal import visible

TABLE_ROWS: Final = 40
_COUNTED_ROWS: Final = 5000  # so many are counted by fetching them, more by a second query
_SMALLEST_ROUNDED: Final = 1e-4
_SEPARATORS: Final = {"csv": ",", "tsv": "\t"}
_EXPLAINED: Final = ["explain_key", "explain_value"]
# Halves of characters, which text of the engine never has.
_EMPTY: Final = "\udc00"
_NOTHING: Final = "\udc01"
_QUOTED: Final = "\udc02\n"
_DIGITS: Final = "\udc03"

Row = tuple[Any, ...]


def write_text(
    result: QueryResult,
    text_format: str,
    stream: BinaryIO,
    *,
    limit: int | None = None,
    one_line: bool = True,
) -> None:
    """Write a result in one of TEXT_FORMATS, as UTF-8.

    Args:
        result: what a session answered.
        text_format: table, csv, tsv, json or ndjson.
        stream: takes the bytes; need not be seekable.
        limit: at most this many rows; None for all, in a table for TABLE_ROWS.
        one_line: whether each row of a table is one line; see format_table.

    Raises:
        QueryError: two columns have one name, which JSON cannot hold.
    """
    if text_format == "table":
        shown = TABLE_ROWS if limit is None else limit
        stream.write(format_result(result, shown, one_line=one_line).encode())
        return
    limited = (result if limit is None else result.limit(limit)).as_text()
    if text_format in _SEPARATORS:
        chunks = _csv_chunks(limited, _SEPARATORS[text_format])
    else:
        require_distinct_names(limited.columns)
        chunks = _ndjson_chunks(limited) if text_format == "ndjson" else _json_chunks(limited)
    for chunk in chunks:
        stream.write(chunk.encode())


def format_result(result: QueryResult, limit: int, *, one_line: bool = False) -> str:
    """The first `limit` rows as a table, with a last line that counts rows shown and left out."""
    if result.columns == _EXPLAINED:  # a drawing, no table
        return "\n".join(str(text) for _, text in result.fetchall()) + "\n"
    n_fetched = max(limit, _COUNTED_ROWS) + 1
    rows = result.limit(n_fetched).as_text().fetchall()
    n_rows = result.count() if len(rows) == n_fetched else len(rows)
    table = format_table(result.columns, rows[:limit], one_line=one_line)
    return table + _count_line(min(limit, n_rows), n_rows)


def format_table(columns: Sequence[str], rows: Sequence[Row], *, one_line: bool = False) -> str:
    """Rows as an aligned table: numbers to the right, NULL spelt out, nothing that moves a cursor.

    Args:
        columns: the headings.
        rows: a value for each of them.
        one_line: whether line breaks are written as escapes, so that a row is a line.
    """
    columns = [visible(name) for name in columns]
    kept = "" if one_line else "\n"
    cells = [[visible(_cell(value), keep=kept).split("\n") for value in row] for row in rows]
    widths = [
        max([len(name), *(len(line) for row in cells for line in row[index])])
        for index, name in enumerate(columns)
    ]
    numeric = [
        any(isinstance(row[index], int | float | Decimal) for row in rows)
        for index in range(len(columns))
    ]

    def line(texts: Iterable[str]) -> str:
        aligned = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(texts, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip() + "\n"

    lines = [line(columns), line("-" * width for width in widths)]
    for row in cells:
        lines.extend(line(texts) for texts in zip_longest(*row, fillvalue=""))
    return "".join(lines)


def require_distinct_names(columns: Sequence[str]) -> None:
    """Refuse a result in which two columns have one name.

    Raises:
        QueryError: there are such columns.
    """
    for number, name in enumerate(columns):
        if name in columns[:number]:
            raise QueryError(
                f"two columns are called {name!r}, which this format cannot hold",
                hint=f"rename one: … AS another_{name}",
            )


def _count_line(n_shown: int, n_rows: int) -> str:
    rows = "1 row" if n_rows == 1 else f"{n_rows:,} rows"
    if n_shown == n_rows:
        return f"({rows})\n"
    if not n_shown:
        return f"({rows}, none shown)\n"
    return f"({rows}, {n_rows - n_shown:,} of them left out; --limit shows more)\n"


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float) and (value == 0 or abs(value) >= _SMALLEST_ROUNDED):
        return f"{round(value, 4)}"
    return _json(value) if _is_unusual(value) else str(value)


def _is_unusual(value: object) -> bool:
    return isinstance(value, bool | list | dict)


def _plain(value: object) -> object:
    """A value as text where Python would write it in its own way; others as they are."""
    return _json(value) if _is_unusual(value) else value


def _csv_chunks(result: QueryResult, separator: str) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", delimiter=separator)
    writer.writerow(result.columns)
    null = _NOTHING if len(result.columns) == 1 else None  # alone, the writer would quote it

    def field(value: object) -> object:
        if value is None:
            return null
        if value == "":
            return _EMPTY
        if isinstance(value, str) and "\r" in value:  # the end of a line to readers, not to csv
            return _QUOTED + value
        return _plain(value)

    for rows in result.row_batches():
        writer.writerows([field(value) for value in row] for row in rows)
        yield text.getvalue().replace(_EMPTY, '""').replace(_NOTHING, "").replace(_QUOTED, "")
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _json_chunks(result: QueryResult) -> Iterator[str]:
    yield "["
    separator = "\n"
    for rows in result.row_batches():
        yield separator + ",\n".join(_json_rows(result.columns, rows))
        separator = ",\n"
    yield "\n]\n"


def _ndjson_chunks(result: QueryResult) -> Iterator[str]:
    for rows in result.row_batches():
        yield "\n".join(_json_rows(result.columns, rows)) + "\n"


def _json_rows(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    return (_json(dict(zip(columns, row, strict=True))) for row in rows)


def _json(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_value)
    except ValueError:  # a NaN or an infinity is somewhere inside
        text = json.dumps(_without_nan(value), ensure_ascii=False, default=_json_value)
    return text.replace(f'"{_DIGITS}', "").replace(f'{_DIGITS}"', "")


def _json_value(value: object) -> str:
    # A number with more digits than a float has is written as it is, without quotes in the end.
    return f"{_DIGITS}{value}{_DIGITS}" if isinstance(value, Decimal) else str(value)


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value
