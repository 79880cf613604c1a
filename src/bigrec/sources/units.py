"""Cutting raw files into units of work, and reading one into memory.

A unit is one or more byte ranges of raw files and nothing more, so any executor can run it; only of
a stream, which cannot be read from the middle, it carries the text. Ranges of a file with item
headers start at a header; ranges of a file of plain rows start at a line.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from bigrec.errors import DataError
from bigrec.resources import format_bytes
from bigrec.sources.parsed import BadLine
from bigrec.sources.raw import RawFile, empty_file_error
from bigrec.sources.streams import BOM, open_stream
from bigrec.workspace import Workspace, new_map

Array = np.ndarray[Any, Any]

PADDING: Final = 32
"""Bytes behind the text, so that a parser may look ahead without asking."""
_SLICE_BYTES = 1 << 20
_SEARCH_BYTES = 1 << 16
_COUNT_BYTES = 1 << 20
_SHOWN_BYTES = 1000
_MAX_UNCUT_BYTES = 256 << 20
_LINE_FEED, _RETURN = 10, 13

Text = bytes | mmap.mmap
Boundary = Callable[[Text, int], int]
"""Where a piece may start: the first such place in a text behind the line feed that is found first
at or behind a position; 0 if there is none."""
_HEADER_BYTES: Final = 32  # more than a header has
_HEADER: Final = re.compile(rb"\n[0-9]+:\r?\n")
_LINE_START: Final = re.compile(rb"\n(?=[^\r\n])")


def next_movie_header(text: Text, position: int) -> int:
    """The Boundary of a file with item headers: only they have a colon, which is fast to find."""
    colon = text.find(b":", position)
    while colon >= 0:
        line_feed = text.rfind(b"\n", max(position, colon - _HEADER_BYTES), colon)
        if line_feed >= 0 and _HEADER.match(text, line_feed):
            return line_feed + 1
        colon = text.find(b":", colon + 1)
    return 0


def next_line(text: Text, position: int) -> int:
    """The Boundary of a file of plain rows."""
    match = _LINE_START.search(text, position)
    return match.end() if match else 0


@dataclass(frozen=True)
class Piece:
    """A byte range of one raw file that can be parsed on its own."""

    file: RawFile
    start: int
    """First byte of the decompressed text."""
    end: int
    """One past the last byte."""
    ends_file: bool
    """Whether the file ends here."""
    text: memoryview | bytes | None = None
    """The bytes themselves, of a stream; None for a plain file."""


@dataclass(frozen=True)
class RawUnit:
    """Work for one thread."""

    pieces: tuple[Piece, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of text."""
        return sum(piece.end - piece.start for piece in self.pieces)

    @property
    def files(self) -> tuple[RawFile, ...]:
        """The file of each piece."""
        return tuple(piece.file for piece in self.pieces)


@dataclass(frozen=True)
class UnitText:
    """The text of a unit: its pieces one behind the other, each ending with a newline."""

    unit: RawUnit
    buffer: Array
    """uint8; PADDING bytes stand behind the text."""
    edges: list[int]
    """(n_pieces + 1,): piece p is buffer[edges[p] : edges[p + 1]]."""

    def line_at(self, number: int, offset: int) -> tuple[int, int, str]:
        """Where the line of piece `number` that holds `offset` starts and ends, and its text."""
        text = self.buffer[self.edges[number] : self.edges[number + 1]]
        position = offset - self.edges[number]
        start = _rfind_line_feed(text, position) + 1
        end = start
        while True:
            found = np.flatnonzero(text[end : end + _SHOWN_BYTES] == _LINE_FEED)
            if len(found):
                end += int(found[0]) + 1
                break
            end += _SHOWN_BYTES
        shown = text[start : min(end, start + _SHOWN_BYTES)].tobytes().rstrip(b"\r\n")
        base = self.edges[number]
        return base + start, base + end, shown.decode("iso-8859-1")

    def bad_line(self, number: int, offset: int, expected: str) -> BadLine:
        """The line of piece `number` that holds `offset`, with its number in the file."""
        piece = self.unit.pieces[number]
        line, found = line_at(piece.file, piece.start + offset - self.edges[number])
        return BadLine(piece.file.label, line, found, expected)


def plan_units(
    files: Iterable[RawFile],
    boundary: Boundary,
    unit_bytes: int,
    *,
    skip_lines: int = 0,
    join_files: bool = False,
) -> Iterator[RawUnit]:
    """Cut files into units of about unit_bytes that start at boundaries.

    Args:
        files: text files.
        boundary: finds where a unit may start.
        unit_bytes: size to aim at.
        skip_lines: lines of a column header to leave out of each file.
        join_files: whether small files share a unit.

    Raises:
        DataError: a file is empty or cannot be read.
    """
    pending: list[Piece] = []
    n_pending = 0
    for file in files:
        cut = _cut_plain if file.is_plain else _cut_stream
        for piece in cut(file, boundary, unit_bytes, skip_lines):
            size = piece.end - piece.start
            if pending and (not join_files or n_pending + size > unit_bytes):
                yield RawUnit(tuple(pending))
                pending, n_pending = [], 0
            pending.append(piece)
            n_pending += size
    if pending:
        yield RawUnit(tuple(pending))


def read_unit(unit: RawUnit, workspace: Workspace) -> UnitText:
    """Read a unit into the workspace, without blank lines at the ends of files.

    Raises:
        DataError: a file cannot be read, or has become shorter.
    """
    buffer = workspace.array("text", unit.n_bytes + len(unit.pieces) + PADDING, np.uint8)
    edges = [0]
    for piece in unit.pieces:
        start = edges[-1]
        end = start + piece.end - piece.start
        if piece.text is None:
            _read_range(piece, buffer[start:end])
        else:
            buffer[start:end] = np.frombuffer(piece.text, np.uint8)
        edges.append(_trim(buffer, start, end) if piece.ends_file else end)
    buffer[edges[-1] : edges[-1] + PADDING] = 0
    return UnitText(unit, buffer, edges)


def read_slices(piece: Piece, workspace: Workspace) -> Iterator[tuple[Array, int]]:
    """Read a piece of a plain file in slices of whole lines, short enough to be parsed from cache.

    Yields:
        (uint8 buffer, end): the text is buffer[:end] and holds until the next slice; PADDING bytes
        stand behind it. end is 0 where a line is longer than a slice; nothing comes after it.

    Raises:
        DataError: the file cannot be read, or has become shorter.
    """
    buffer = workspace.array("slice", _SLICE_BYTES + PADDING, np.uint8)
    position, n_kept = piece.start, 0
    with open_stream(piece.file) as file:
        file.seek(position)
        while position < piece.end:
            filled = min(n_kept + piece.end - position, _SLICE_BYTES)
            position = _fill(piece, file, position, buffer[n_kept:filled])
            end = _rfind_line_feed(buffer, filled) + 1
            yield buffer, end
            if not end:
                return
            n_kept = filled - end
            buffer[:n_kept] = buffer[end:filled].copy()


def line_at(file: RawFile, offset: int) -> tuple[int, str]:
    """The number (from 1) and the text of the line of a file that holds byte `offset`."""
    number, head, position = 1, b"", 0
    with open_stream(file) as stream:
        while block := stream.read(min(_COUNT_BYTES, offset - position)):
            position += len(block)
            number += block.count(b"\n")
            head = (head + block).rpartition(b"\n")[2][:_SHOWN_BYTES]
        tail = stream.readline(_SHOWN_BYTES)
    return number, (head + tail).removeprefix(BOM).decode("iso-8859-1").rstrip("\r\n")


def _cut_plain(
    file: RawFile, boundary: Boundary, unit_bytes: int, skip_lines: int
) -> Iterator[Piece]:
    with open_stream(file) as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        start, _ = skip_head(stream, skip_lines)
        if start >= size:
            raise empty_file_error(file)
        while start < size:
            end = _next_boundary(stream, start + unit_bytes, size, boundary)
            if end - start - unit_bytes > _MAX_UNCUT_BYTES:
                raise _uncut_error(file, start)
            yield Piece(file, start, end, ends_file=end == size)
            start = end


def _cut_stream(
    file: RawFile, boundary: Boundary, unit_bytes: int, skip_lines: int
) -> Iterator[Piece]:
    with open_stream(file) as stream:
        start, kept = skip_head(stream, skip_lines)
        while True:
            text = new_map(max(unit_bytes, len(kept) + (unit_bytes + 1) // 2))
            text[: len(kept)] = kept
            filled = fill_from_stream(stream, text, len(kept))
            if filled < len(text):
                break
            cut = _last_boundary(text, boundary)
            if cut:
                yield Piece(file, start, start + cut, ends_file=False, text=memoryview(text)[:cut])
                start += cut
            kept = memoryview(text)[cut:]
            if len(kept) > _MAX_UNCUT_BYTES:
                raise _uncut_error(file, start)
        if not filled:
            raise empty_file_error(file)
        # There may be hundreds of small files in a unit, which is too many for maps.
        yield Piece(file, start, start + filled, ends_file=True, text=text[:filled])


def _uncut_error(file: RawFile, start: int) -> DataError:
    """The error for text that could only be held in memory as a whole."""
    return DataError(
        f"{file.label}: expected a line end or an item header such as '8:' at least every "
        f"{format_bytes(_MAX_UNCUT_BYTES)}, found none from byte {start} on",
        hint="this is no file of ratings; fetch it again",
    )


def fill_from_stream(stream: BinaryIO, text: mmap.mmap, filled: int) -> int:
    """Read until `text` is full or the stream ends, a little at a time; return the new end."""
    view = memoryview(text)
    while n_read := stream.readinto(view[filled : filled + _SLICE_BYTES]):  # type: ignore[attr-defined]
        filled += n_read
    return filled


def skip_head(stream: Any, skip_lines: int) -> tuple[int, bytes | memoryview]:
    """Read over a byte order mark and column headers: (bytes skipped, bytes read beyond them)."""
    if skip_lines:
        return sum(len(stream.readline()) for _ in range(skip_lines)), b""
    head = stream.read(len(BOM))
    return (len(BOM), b"") if head == BOM else (0, head)


def _next_boundary(stream: Any, position: int, size: int, boundary: Boundary) -> int:
    """The first place at or behind `position` where a piece may start, or the end of the file."""
    last = position + _MAX_UNCUT_BYTES
    while position < size and position <= last:
        stream.seek(position)
        block = stream.read(_SEARCH_BYTES + _HEADER_BYTES)
        if found := boundary(block, 0):
            return position + found
        position += _SEARCH_BYTES
    return size


def _last_boundary(text: Text, boundary: Boundary) -> int:
    """The last place in `text` where a piece may start, or 0."""
    window = _SEARCH_BYTES
    while True:
        begin = max(0, len(text) - window)
        last, found = 0, boundary(text, begin)
        while found:
            last, found = found, boundary(text, found)
        if last or not begin:
            return last
        window *= 8


def _read_range(piece: Piece, target: Array) -> None:
    with open_stream(piece.file) as file:
        file.seek(piece.start)
        _fill(piece, file, piece.start, target)


def _fill(piece: Piece, file: BinaryIO, position: int, target: Array) -> int:
    """Read from `position` on, where the file stands, until target is full; the end of it."""
    n_read: int = file.readinto(memoryview(target.data))  # type: ignore[attr-defined]
    if n_read < len(target):
        raise DataError(
            f"{piece.file.label} ended at byte {position + n_read}, expected {piece.end} bytes",
            hint="something is writing the file; ingest again when it is complete",
        )
    return position + n_read


def _trim(buffer: Array, start: int, end: int) -> int:
    """Complete the last line of a file and drop blank lines behind it; return the new end."""
    if end > start and buffer[end - 1] != _LINE_FEED:
        buffer[end] = _LINE_FEED
        end += 1
    while end - start > _SEARCH_BYTES and (buffer[end - _SEARCH_BYTES : end] == _LINE_FEED).all():
        end -= _SEARCH_BYTES - 1  # the loop below would take them one by one
    while end > start:
        width = 2 if end - start > 1 and buffer[end - 2] == _RETURN else 1
        if end - width > start and buffer[end - width - 1] != _LINE_FEED:
            break
        end -= width
    return end


def _rfind_line_feed(text: Array, end: int) -> int:
    """The last line feed before `end`, or -1."""
    while end > 0:
        begin = max(0, end - _SHOWN_BYTES)
        found = np.flatnonzero(text[begin:end] == _LINE_FEED)
        if len(found):
            return begin + int(found[-1])
        end = begin
    return -1
