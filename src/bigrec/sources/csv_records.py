"""The records of a csv file, as RFC 4180 has them; an open quote costs its line and no more."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_MAX_RECORD_LINES: Final = 16


@dataclass(frozen=True)
class Record:
    """One record, or a line that is none."""

    line: int
    """Number of its first line."""
    text: str
    """Its first line."""
    fields: list[str] | None
    """What it holds; None where its quotes do not match."""


def read_records(
    lines: Iterable[tuple[int, str]], begins_record: Callable[[str], bool]
) -> Iterator[Record]:
    """Yield the records of numbered lines.

    A field in quotes may hold line ends. Where a line in it looks like the beginning of a record,
    or there are too many, the quote was left open: its line alone is no record, and the next one
    is read for itself.

    Args:
        lines: number and text of each line, without line ends.
        begins_record: whether a line looks like the beginning of a record.
    """
    source = iter(lines)
    ahead: deque[tuple[int, str]] = deque()

    def look(position: int) -> tuple[int, str] | None:
        while len(ahead) <= position and (line := next(source, None)):
            ahead.append(line)
        return ahead[position] if position < len(ahead) else None

    while first := look(0):
        number, text = first
        joined, n_lines = text, 1
        fields = _parse(joined)
        while fields is None and joined.count('"') % 2 and n_lines < _MAX_RECORD_LINES:
            following = look(n_lines)
            if not following or begins_record(following[1]):
                break
            joined, n_lines = f"{joined}\n{following[1]}", n_lines + 1
            fields = _parse(joined)
        for _ in range(1 if fields is None else n_lines):
            ahead.popleft()
        yield Record(number, text, fields)


def _parse(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None
