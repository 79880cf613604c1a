"""Results as text: an aligned table, CSV, JSON, JSON lines. Parquet and Arrow: see `arrow_output`.

Rows are streamed, so a result of any size takes the memory of one batch. A table is for people: it
shows a screenful of rows and says how many it left out. CSV writes NULL as nothing, and JSON writes
what it has no number for (NaN, infinity) as null.
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

TEXT_FORMATS: Final = ("table", "csv", "json", "ndjson")
ARROW_FORMATS: Final = ("parquet", "arrow")
FORMATS: Final = TEXT_FORMATS + ARROW_FORMATS

TABLE_ROWS: Final = 40
_COUNTED_ROWS: Final = 5000  # so many are counted by fetching them, more by a second query
_SMALLEST_ROUNDED: Final = 1e-4

Row = tuple[Any, ...]


def write_text(
    result: QueryResult, text_format: str, stream: BinaryIO, *, limit: int | None = None
) -> None:
    """Write a result in one of TEXT_FORMATS, as UTF-8.

    Args:
        result: what a session answered.
        text_format: table, csv, json or ndjson.
        stream: takes the bytes; need not be seekable.
        limit: at most this many rows; None for all, in a table for TABLE_ROWS.

    Raises:
        QueryError: two columns have one name, which JSON cannot hold.
    """
    if text_format == "table":
        stream.write(format_result(result, TABLE_ROWS if limit is None else limit).encode())
        return
    limited = result if limit is None else result.limit(limit)
    if text_format == "csv":
        chunks = _csv_chunks(limited)
    else:
        require_distinct_names(limited.columns)
        chunks = _ndjson_chunks(limited) if text_format == "ndjson" else _json_chunks(limited)
    for chunk in chunks:
        stream.write(chunk.encode())


def format_result(result: QueryResult, limit: int) -> str:
    """The first `limit` rows as a table, with a last line that counts rows shown and left out."""
    n_fetched = max(limit, _COUNTED_ROWS) + 1
    rows = result.limit(n_fetched).fetchall()
    n_rows = result.count() if len(rows) == n_fetched else len(rows)
    return format_table(result.columns, rows[:limit]) + _count_line(min(limit, n_rows), n_rows)


def format_table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Rows as an aligned table; numbers to the right, NULL spelt out, text of many lines kept."""
    cells = [[_cell(value).splitlines() or [""] for value in row] for row in rows]
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


def _csv_chunks(result: QueryResult) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    for rows in result.row_batches():
        writer.writerows([_plain(value) for value in row] for row in rows)
        yield text.getvalue()
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
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_json_value)
    except ValueError:  # a NaN or an infinity is somewhere inside
        return json.dumps(_without_nan(value), ensure_ascii=False, default=_json_value)


def _json_value(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return value
