"""How delimited text is written, seen from its first lines; the name's ending does not matter."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bigrec.errors import DataError, SettingsError
from bigrec.sources.streams import BOM
from bigrec.sources.table.column_names import is_known, plain_name
from bigrec.sources.table.plan import BLANKS, ENCODINGS, Dialect, TableOptions
from bigrec.sources.table.value_shapes import are_mostly, is_missing, is_plain_value

SAMPLE_LINES: Final = 300
"""Lines from which a dialect is judged."""
_USUAL: Final = ("\t", "::", ";", "|", ",", BLANKS)
_SPACED: Final = (",", ";", "|")
_SPOKEN: Final = {
    "\\t": "\t", "tab": "\t", "blank": BLANKS, "blanks": BLANKS, "space": BLANKS,
}  # fmt: skip
_RARE: Final = re.compile(r"[^\w\s.\-+\"'/@]{1,2}|\x01")
_LEAST_SHARE: Final = 0.8
_MAX_RECORD_LINES: Final = 16
_SHOWN_LENGTH: Final = 80
_QUOTED_ALWAYS: Final = (",", ";")
_NOT_IN_CP1252: Final = frozenset(b"\x81\x8d\x8f\x90\x9d")
_MOST_WITH_NUL: Final = 0.5  # share of lines up to which it is text all the same
_BLANKS: Final = re.compile(r"[ \t]+")
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True)
class TextSample:
    """The beginning of delimited text, taken apart."""

    dialect: Dialect
    """How it is written."""
    names: tuple[str, ...]
    """The columns; 1, 2, … where there is no header."""
    rows: tuple[tuple[str, ...], ...]
    """Rows that have a field for each column, those with others left out."""


def sniff_dialect(head: bytes, options: TableOptions, label: Path) -> Dialect:
    """Find how text is written.

    Args:
        head: the first lines of the text, the last one whole.
        options: what somebody says of it, which decides.
        label: the file, as errors name it.

    Raises:
        SettingsError: the options name a separator or an encoding that cannot be.
        DataError: it is text of a kind that is not read, or has no columns, or only a header.
    """
    return sample_text(head, options, label).dialect


def sample_text(head: bytes, options: TableOptions, label: Path) -> TextSample:
    """Find how text is written, and take its beginning apart.

    Args:
        head: the first lines of the text, the last one whole.
        options: what somebody says of it, which decides.
        label: the file, as errors name it.

    Raises:
        SettingsError: the options name a separator or an encoding that cannot be.
        DataError: it is text of a kind that is not read, or has no columns, or only a header.
    """
    _refuse_other_kinds(head, label)
    encoding = _encoding_of(head, options)
    lines = _lines_of(head.removeprefix(BOM).decode(encoding, "replace"))
    lines = _without_nul(lines, label)
    if not lines:
        raise DataError(f"{label} holds blank lines only", hint="fetch the file again")
    _refuse_comments(lines, label)
    dialect = Dialect(_separator_of(lines, options, label), False, False, encoding)
    dialect = replace(dialect, quoted=_is_quoted(lines, dialect))
    records = _records(lines, dialect)
    has_header = options.header
    if has_header is None:
        has_header = _has_header(records)
    if has_header and len(records) == 1:
        raise DataError(
            f"{label} holds a header and no rows: {_shown(lines[0])}",
            hint="fetch the file again; if that line is a row, say --no-header",
        )
    header, rows = (records[0], records[1:]) if has_header else (None, records)
    n_fields = _usual_length(rows)
    rows = [row for row in rows if len(row) == n_fields]
    ends = _end_with_separator(header, rows)
    if ends:
        rows = [row[:-1] for row in rows]
    return TextSample(
        replace(dialect, has_header=has_header, ends_with_separator=ends),
        _names(header, n_fields - ends, label),
        tuple(tuple(row) for row in rows),
    )


def split_line(line: str, dialect: Dialect) -> list[str] | None:
    """The fields of a line, as RFC 4180 has them; None where its quotes do not match.

    Args:
        line: without its end; a field in quotes may hold line ends.
        dialect: how it is written. An empty field behind a separator at the end is one of them.
    """
    separator = dialect.separator
    if not dialect.quoted or '"' not in line:
        return _BLANKS.split(line.strip(" \t")) if separator == BLANKS else line.split(separator)
    if separator != BLANKS and len(separator) == 1:
        try:
            return next(csv.reader([line], delimiter=separator, strict=True), [])
        except csv.Error:
            return None
    if separator == BLANKS:
        return _split_quoted(line.strip(" \t"), _BLANKS)
    return _split_quoted(line, re.compile(re.escape(separator)))


def _split_quoted(line: str, separator: re.Pattern[str]) -> list[str] | None:
    fields: list[str] = []
    position = 0
    while True:
        if quoted := _QUOTED.match(line, position):
            fields.append(quoted[1].replace('""', '"'))
            end = quoted.end()
            if end < len(line) and not separator.match(line, end):
                return None
        elif line.startswith('"', position):
            return None
        else:
            following = separator.search(line, position)
            end = following.start() if following else len(line)
            fields.append(line[position:end])
        if end == len(line):
            return fields
        found = separator.match(line, end)
        assert found is not None  # noqa: S101 - the field ends there
        position = found.end()


_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')


# ---------------------------------------------------------------- bytes and lines


def find_encoding(blocks: Iterable[bytes]) -> str:
    """The encoding of text: UTF-8 if it can be, else cp1252 if it can be, else Latin-1.

    Args:
        blocks: of the text, one after the other; the last may end inside a character.
    """
    encoding = "utf-8"
    decoder = codecs.getincrementaldecoder(encoding)()
    for block in blocks:
        if block.isascii() and not decoder.getstate()[0]:
            continue
        if encoding == "utf-8":
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                encoding = "cp1252"
                decoder.reset()
        if encoding == "cp1252" and _NOT_IN_CP1252 & set(block):
            return "latin-1"
    return encoding


def _refuse_other_kinds(head: bytes, label: Path) -> None:
    """Stop at bytes that are no text in lines."""
    if not head.removeprefix(BOM):
        raise DataError(f"{label} is empty", hint="fetch the file again")
    if b"\n" not in head and b"\r" in head.rstrip(b"\r"):
        raise DataError(
            f"{label} ends its lines with a carriage return alone, expected a line feed",
            hint="write it with line feeds: tr '\\r' '\\n' < FILE > NEW",
        )


def _encoding_of(head: bytes, options: TableOptions) -> str:
    if options.encoding is not None:
        if options.encoding not in ENCODINGS:
            raise SettingsError.unknown_name("encoding", options.encoding, ENCODINGS)
        return options.encoding
    return find_encoding([head])


def _lines_of(text: str) -> list[str]:
    lines = (line.removesuffix("\r") for line in text.split("\n", SAMPLE_LINES)[:SAMPLE_LINES])
    return [line for line in lines if line.strip()]


def _without_nul(lines: Sequence[str], label: Path) -> list[str]:
    """The lines without a NUL byte. A few others are bad lines, when they are read.

    Raises:
        DataError: the first line has one, or most have.
    """
    good = [line for line in lines if "\0" not in line]
    if good[:1] != [*lines[:1]] or len(lines) - len(good) > _MOST_WITH_NUL * len(lines):
        raise DataError(
            f"{label}: found NUL bytes in its first lines, expected text",
            hint="it is no text, or damaged; fetch it again, or remove them: tr -d '\\000' < FILE",
        )
    return good


def _refuse_comments(lines: Sequence[str], label: Path) -> None:
    """Stop at lines above the table that are none of it."""
    first = lines[0]
    if first.lower().startswith("sep=") and len(first) < len("sep=;;;"):
        kind = "a line for a spreadsheet"
    elif first.startswith(("%", "//")) or (
        first.startswith("#") and len(lines) > 1 and lines[1].startswith("#")
    ):
        kind = "a comment"
    else:
        return
    count = next((number for number, line in enumerate(lines) if line[:1] != first[:1]), len(lines))
    raise DataError(
        f"{label}, line 1: found {kind}, {_shown(first)}, expected a header or a row",
        hint=f"leave it out: tail -n +{count + 1} FILE > NEW",
    )


# ---------------------------------------------------------------- separator


def _separator_of(lines: Sequence[str], options: TableOptions, label: Path) -> str:
    if options.separator is not None:
        said = _SPOKEN.get(options.separator, options.separator)
        if said.isspace() and "\t" not in said:
            said = BLANKS
        if not 1 <= len(said) <= 2 or set(said) & set('"\r\n'):
            raise SettingsError(
                f"separator {said!r}: expected one or two characters, and no quote",
                hint="for example --separator ';' or --separator tab",
            )
        if _usual_length(_records(lines, Dialect(said, True, False, ""))) < 2:
            raise DataError(
                f"{label}: no field ends with the separator {said!r}; found {_shown(lines[0])}",
                hint="leave out --separator, and it is recognized",
            )
        return said
    rare: dict[str, None] = dict.fromkeys(
        mark for mark in _RARE.findall(lines[0]) if mark not in _USUAL
    )
    doubled = [mark for mark in rare if len(mark) > 1]
    spaced = [f"{mark} " for mark in _SPACED if _is_always_spaced(lines, mark)]
    for candidates in ([*doubled, *spaced, *_USUAL], [mark for mark in rare if len(mark) == 1]):
        scores = {mark: score for mark in candidates if (score := _score(lines, mark))}
        if scores:
            return max(scores, key=scores.__getitem__)
    raise DataError(
        f"{label}: found no separator; its first line is {_shown(lines[0])}",
        hint="say it, for example: --separator ';'; if there is none, this is no table of ratings",
    )


def _score(lines: Sequence[str], separator: str) -> tuple[int, float] | None:
    """How well a separator explains the lines; None if it does not."""
    dialect = Dialect(separator, True, False, "")
    records = _records(lines, dialect)
    if not records:
        return None
    n_fields = _usual_length(records[1:] or records)
    rows = [row for row in records if len(row) == n_fields]
    share = len(rows) / len(records)
    if n_fields < 2 or (share < _LEAST_SHARE and len(rows) < len(records) - 1):
        return None
    columns = list(zip(*(rows[1:] or rows), strict=True))
    n_plain = sum(are_mostly(is_plain_value, column) for column in columns)
    n_known = sum(map(is_known, records[0]))
    return n_plain + n_known, share


def _is_always_spaced(lines: Sequence[str], mark: str) -> bool:
    """Whether a blank stands behind a mark wherever it is."""
    n_marks = sum(line.count(mark) for line in lines)
    return n_marks > 0 and n_marks == sum(line.count(f"{mark} ") for line in lines)


def _is_quoted(lines: Iterable[str], dialect: Dialect) -> bool:
    """Whether fields may stand in quotes: where that is usual, or where whole fields do."""
    if dialect.separator.rstrip(" ") in _QUOTED_ALWAYS:
        return True
    with_quotes = [line for line in lines if '"' in line]
    if any(split_line(line, replace(dialect, quoted=True)) is None for line in with_quotes):
        return False
    plain = (split_line(line, dialect) or [] for line in with_quotes)
    return any(_QUOTED.fullmatch(field) for fields in plain for field in fields)


def _records(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    return [fields for fields in _joined(lines, dialect) if fields is not None]


def _joined(lines: Sequence[str], dialect: Dialect) -> Iterator[list[str] | None]:
    """The fields of each record; a field in quotes may go over several lines."""
    position = 0
    while position < len(lines):
        for end in range(position + 1, min(position + _MAX_RECORD_LINES, len(lines)) + 1):
            fields = split_line("\n".join(lines[position:end]), dialect)
            if fields is not None or lines[position].count('"') % 2 == 0:
                break
        else:
            end = position + 1
        yield fields
        position = end


def _usual_length(records: Iterable[Sequence[str]]) -> int:
    counts = Counter(map(len, records))
    return counts.most_common(1)[0][0] if counts else 0


# ---------------------------------------------------------------- header


def _has_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record names the columns."""
    first, rows = records[0], records[1:]
    words = [field for field in first if not is_missing(field)]
    n_known = sum(map(is_known, words))
    if any(map(is_plain_value, words)):
        if words == [f"{number}" for number in range(len(words))] and len(words) < len(first):
            return True  # as pandas writes columns without names
        return n_known > 1
    if n_known > 1 or (n_known and not rows):
        return True
    return any(
        _is_above(name, [row[position] for row in rows if len(row) > position])
        for position, name in enumerate(first)
        if name
    )


def _is_above(name: str, values: Sequence[str]) -> bool:
    """Whether a field is unlike all others of its column: no number, or without any digit."""
    if are_mostly(is_plain_value, [value for value in values if not is_missing(value)]):
        return True
    return not _DIGIT.search(name) and are_mostly(_DIGIT.search, values)


def _end_with_separator(header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last field is nothing but what stands behind the last separator."""
    if any(row[-1] for row in rows):
        return False
    return header is None or len(header) < len(rows[0]) or not header[-1]


def _names(header: Sequence[str] | None, n_fields: int, label: Path) -> tuple[str, ...]:
    if header is None:
        return tuple(f"{position}" for position in range(1, n_fields + 1))
    names = list(header)
    if len(names) == n_fields + 1 and not names[-1]:
        names.pop()
    if len(names) == n_fields - 1:  # as R writes the names of rows
        names.insert(0, "")
    if len(names) != n_fields:
        raise DataError(
            f"{label}: the header has {len(names)} names, the lines have {n_fields} fields; "
            f"found {_shown(' | '.join(header))}",
            hint="correct the header; if that line is a row, say --no-header",
        )
    names[0] = names[0].removeprefix("#").lstrip()
    return tuple(map(plain_name, names))


def _shown(line: str) -> str:
    return repr(line if len(line) <= _SHOWN_LENGTH else line[:_SHOWN_LENGTH] + "…")
