"""What is known of items: a table beside the ratings, all of whose columns are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import DataError, SettingsError
from bigrec.sources.keys import MAX_KEY_BYTES
from bigrec.sources.parsed import BadLine, ItemTable, note_bad_line
from bigrec.sources.raw import RawFile
from bigrec.sources.streams import open_stream
from bigrec.sources.table.column_names import fold, rank_of
from bigrec.sources.table.columns import find_column
from bigrec.sources.table.dialect import find_encoding, sample_text, split_line
from bigrec.sources.table.files import read_blocks, read_head
from bigrec.sources.table.form import form_of
from bigrec.sources.table.plan import ITEM, JSON_LINES, TEXT, Dialect, TableOptions

if TYPE_CHECKING:
    import pyarrow as pa

KEY, TITLE, YEAR = "key", "title", "year"
ITEM_ROLES: Final = (KEY, TITLE, YEAR)
"""What a column of items may be, beside an attribute of their own."""

_RESERVED: Final = frozenset({"itemid", "key", "title", "year", "nratings", "meanrating"})
_TITLES: Final = ("title", "name", "itemtitle", "itemname", "booktitle", "movietitle", "label")
_HEAD_BYTES: Final = 1 << 20
_ENCODING_BYTES: Final = 64 << 20
_MAX_RECORD_LINES: Final = 256
_SHOWN_LENGTH: Final = 80
_BATCH_ROWS: Final = 1 << 16
_MAX_YEAR: Final = 1 << 15
_N_EXAMPLES: Final = 3
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class ItemsPlan:
    """What a file of items is taken for."""

    form: str
    """One of plan.FORMS."""
    file: RawFile
    """The file."""
    names: tuple[str, ...]
    """Its columns in their order; 1, 2, … where it has no names."""
    roles: Mapping[str, int]
    """The position in `names`, from 0, of each of ITEM_ROLES that is there."""
    attributes: Mapping[int, str]
    """What each other column is called in the store, by its position."""
    dialect: Dialect | None
    """Of text."""
    examples: tuple[tuple[str, ...], ...]
    """Up to three rows, each with a field for every name."""


def peek_items(file: RawFile, columns: Mapping[str, str], item_column: str) -> ItemsPlan:
    """See what a file of items is taken for, by its beginning.

    Args:
        file: as in `read_items`.
        columns: as in `read_items`.
        item_column: as in `read_items`.

    Raises:
        SettingsError: a column that is named is not there.
        DataError: it cannot be read, or does not show which column is the key.
    """
    table = _open(file, columns, item_column, bad_lines=[], n_blocks=1)
    examples = (tuple(value or "" for value in row) for _, row in islice(table.rows, _N_EXAMPLES))
    return ItemsPlan(
        table.form,
        file,
        tuple(table.names),
        table.roles,
        _attributes(table.names, table.roles),
        table.dialect,
        tuple(examples),
    )


def read_items(
    file: RawFile,
    columns: Mapping[str, str],
    item_column: str,
    bad_lines: list[BadLine] | None,
) -> ItemTable:
    """Read a file of items, as a whole.

    Args:
        file: text with a header or without, JSON lines, Parquet or Arrow.
        columns: the columns of ITEM_ROLES by their names or positions from 1; others follow from
            their names.
        item_column: what the ratings call their column of items.
        bad_lines: takes lines that are wrong, which are left out; None to stop at the first.

    Raises:
        SettingsError: a column that is named is not there.
        DataError: it cannot be read, or does not show which column is the key.
        RawFormatError: a line is wrong, and there is no list for it.
    """
    table = _open(file, columns, item_column, bad_lines=bad_lines, n_blocks=None)
    return _make_table(table, file, bad_lines)


_Rows = Iterator[tuple[int, Sequence[str | None]]]


@dataclass(frozen=True)
class _OpenTable:
    """A file of items whose columns are known."""

    form: str
    names: Sequence[str]
    dialect: Dialect | None
    rows: _Rows  # with the numbers of their lines
    roles: Mapping[str, int]


def _open(
    file: RawFile,
    said: Mapping[str, str],
    item_column: str,
    *,
    bad_lines: list[BadLine] | None,
    n_blocks: int | None,
) -> _OpenTable:
    """Find the columns of a file.

    Args:
        file: of items.
        said: the columns that somebody names.
        item_column: what the ratings call theirs.
        bad_lines: as in `read_items`.
        n_blocks: how much is read of what is no text; None for all.
    """
    if unknown := sorted({*said} - {*ITEM_ROLES}):
        raise SettingsError.unknown_name("column of items", unknown[0], ITEM_ROLES)
    form, dialect = form_of(file), None
    if form == TEXT:
        names, dialect, rows = _read_text(file, bad_lines)
    elif form == JSON_LINES:
        names, rows = _read_json(file, bad_lines, n_blocks)
    else:
        names, rows = _read_columnar(file, n_blocks)
    return _OpenTable(form, names, dialect, rows, _choose(names, said, item_column, file))


def _read_text(file: RawFile, bad_lines: list[BadLine] | None) -> tuple[list[str], Dialect, _Rows]:
    """The columns of text, how it is written, and its rows."""
    encoding = find_encoding(read_blocks(file, _ENCODING_BYTES))
    head = read_head(file, _HEAD_BYTES)
    sample = sample_text(head, TableOptions(encoding=encoding), file.label)
    names = list(sample.names)

    def rows() -> _Rows:
        for number, line, fields in _records(file, sample.dialect):
            if fields is not None and sample.dialect.ends_with_separator and not fields[-1]:
                fields.pop()
            expected = ""
            if fields is None:
                expected = "quotes that match"
            elif len(fields) != len(names):
                expected = f"{len(names)} fields"
            elif any("\0" in field for field in fields):
                expected = "text without NUL bytes"
            if fields is None or expected:
                note_bad_line(BadLine(file.label, number, line, expected), bad_lines)
            else:
                yield number, [field or None for field in fields]

    return names, sample.dialect, rows()


def _records(file: RawFile, dialect: Dialect) -> Iterator[tuple[int, str, list[str] | None]]:
    """The records of text behind its header: line number, first line, fields."""
    with open_stream(file) as stream:
        lines = (line.decode(dialect.encoding, "replace") for line in stream)
        numbered = enumerate(lines, start=1)
        for number, first in numbered:
            line = first.rstrip("\r\n")
            if number == 1:
                line = line.removeprefix("\ufeff")
                if dialect.has_header:
                    continue
            if not line.strip():
                continue
            fields = split_line(line, dialect)
            record, n_lines = line, 1
            while fields is None and record.count('"') % 2 and n_lines < _MAX_RECORD_LINES:
                following = next(numbered, None)
                if following is None:
                    break
                record, n_lines = f"{record}\n{following[1].rstrip()}", n_lines + 1
                fields = split_line(record, dialect)
            yield number, line, fields


def _read_json(
    file: RawFile, bad_lines: list[BadLine] | None, n_blocks: int | None
) -> tuple[list[str], _Rows]:
    from bigrec.sources.table.json_files import parse_line
    from bigrec.sources.table.json_files import read_blocks as read_json_blocks

    objects: list[tuple[int, dict[str, Any]]] = []
    names: dict[str, None] = {}
    for block in islice(read_json_blocks(file), n_blocks):
        for number, line in block.lines():
            if not line.strip():
                continue
            found = parse_line(line)
            if found is None:
                shown = line[:_SHOWN_LENGTH].decode("utf-8", "replace")
                note_bad_line(BadLine(file.label, number, shown, "a JSON object"), bad_lines)
                continue
            names.update(dict.fromkeys(found))
            objects.append((number, found))
    rows = ((number, [_as_text(found.get(name)) for name in names]) for number, found in objects)
    return list(names), rows


def _read_columnar(file: RawFile, n_blocks: int | None) -> tuple[list[str], _Rows]:
    from bigrec.sources.table.columnar_files import open_columnar

    with open_columnar(file) as opened:
        names = list(opened.schema.names)
        found = islice(opened.batches(names, _BATCH_ROWS), n_blocks)
        batches = [batch.to_pydict() for batch in found]

    def rows() -> _Rows:
        number = 0
        for batch in batches:
            for values in zip(*(batch[name] for name in names), strict=True):
                number += 1
                yield number, [_as_text(value) for value in values]

    return names, rows()


def _as_text(value: Any) -> str | None:
    """A value as text; what holds others as JSON."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str) if value else None
    return str(value)


def _choose(
    names: Sequence[str], said: Mapping[str, str], item_column: str, file: RawFile
) -> dict[str, int]:
    """The position of each role that is there."""
    roles = {role: find_column(names, text) for role, text in said.items() if text != "none"}
    folded = [fold(name) for name in names]
    if KEY not in roles:
        roles[KEY] = _find_key(names, folded, item_column, file)
    if TITLE not in said:
        found = [folded.index(name) for name in _TITLES if name in folded]
        if found and found[0] not in roles.values():
            roles[TITLE] = found[0]
    if YEAR not in said and "year" in folded and folded.index("year") not in roles.values():
        roles[YEAR] = folded.index("year")
    return roles


def _find_key(names: Sequence[str], folded: Sequence[str], item_column: str, file: RawFile) -> int:
    if fold(item_column) and fold(item_column) in folded:
        return folded.index(fold(item_column))
    ranks = {at: rank for at, name in enumerate(names) if (rank := rank_of(name, ITEM)) is not None}
    best = [at for at, rank in ranks.items() if rank == min(ranks.values())]
    if len(best) == 1:
        return best[0]
    if not best and "id" in folded:
        return folded.index("id")
    raise DataError(
        f"{file.label}: which column is the key of an item? It has {', '.join(names)}",
        hint=f"say it, for example: --item-columns key={names[0] or 1}",
    )


def _make_table(table: _OpenTable, file: RawFile, bad_lines: list[BadLine] | None) -> ItemTable:
    import pyarrow as pa

    names, roles = table.names, table.roles
    columns: list[list[str | None]] = [[] for _ in names]
    line_of: dict[str, int] = {}
    for number, values in table.rows:
        key = values[roles[KEY]] or ""
        expected = ""
        if key in line_of:
            expected = f"a further item; line {line_of[key]} has {key!r} already"
        elif not key or len(key.encode()) > MAX_KEY_BYTES or "\0" in key:
            expected = f"a key of 1 to {MAX_KEY_BYTES} bytes, in the column {names[roles[KEY]]}"
        if expected:
            shown = ", ".join(value or "" for value in values)[:_SHOWN_LENGTH]
            note_bad_line(BadLine(file.label, number, shown, expected), bad_lines)
            continue
        line_of[key] = number
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    n_items = len(line_of)
    years: list[int | None] = [None] * n_items
    if YEAR in roles:
        typed = typed_column(columns[roles[YEAR]])
        if pa.types.is_integer(typed.type):
            years = [
                year if year is not None and 0 < year < _MAX_YEAR else None
                for year in typed.to_pylist()
            ]
    titles: list[str | None] = [None] * n_items
    if TITLE in roles:
        titles = columns[roles[TITLE]]
    attributes = {
        name: typed_column(columns[position])
        for position, name in _attributes(names, roles).items()
    }
    return ItemTable(
        pa.array(list(line_of), pa.large_string()),
        titles,
        years,
        pa.table(attributes) if attributes else pa.table({}).select([]),
        file.label,
    )


def _attributes(names: Sequence[str], roles: Mapping[str, int]) -> dict[int, str]:
    """What the columns without a role are called in the store, by their positions."""
    others = [at for at in range(len(names)) if at not in roles.values()]
    return dict(zip(others, _sql_names([names[at] for at in others]), strict=True))


def _sql_names(names: Sequence[str]) -> list[str]:
    """Names of columns that are unlike each other, and unlike those that items have anyway."""
    taken = set(_RESERVED)
    made = []
    for position, name in enumerate(names, start=1):
        plain = name.strip() or f"column_{position}"
        unlike, number = plain, 1
        while fold(unlike) in taken:
            number += 1
            unlike = f"{plain}_{number}"
        taken.add(fold(unlike))
        made.append(unlike)
    return made


def typed_column(values: Sequence[str | None]) -> pa.Array:
    """Texts as whole numbers or as numbers where all are such, else as they are.

    Args:
        values: of one column; a number with leading zeros is text.
    """
    import pyarrow as pa

    there = [value for value in values if value is not None]
    if there and all(map(_WHOLE.fullmatch, there)):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    is_coded = any(len(value) > 1 and value[0] == "0" and value[1].isdigit() for value in there)
    if there and not is_coded and all(map(_NUMBER.fullmatch, there)):
        return pa.array([None if value is None else float(value) for value in values])
    return pa.array(values, pa.string())
