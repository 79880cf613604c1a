"""Cutting raw files into units of work, and reading one into memory.

A unit is (path, start, end) and nothing more, so any executor can run it. Units of a file with movie
headers start at a header; units of a file of plain rows start at a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest.kernels import EXPECTED

Array = np.ndarray[Any, Any]

PADDING: Final = 16
"""Zero bytes behind the text, so that a parser may look ahead without asking."""
_SEARCH_BYTES = 1 << 16
_BOM = b"\xef\xbb\xbf"

MOVIE_HEADER: Final = re.compile(rb"\n(?=[0-9]+:\r?\n)")
LINE_START: Final = re.compile(rb"\n(?=.)")


@dataclass(frozen=True)
class RawUnit:
    """A byte range of one raw file that can be parsed on its own."""

    path: Path
    start: int
    """First byte."""
    end: int
    """One past the last byte."""
    ends_file: bool
    """Whether the file ends here."""


def plan_units(
    path: Path, boundary: re.Pattern[bytes], unit_bytes: int, *, skip_lines: int = 0
) -> Iterator[RawUnit]:
    """Cut a file into units of about unit_bytes that start where `boundary` matches.

    Args:
        path: a text file.
        boundary: matches the newline before a place where a unit may start.
        unit_bytes: size to aim at.
        skip_lines: lines of a column header to leave out.

    Raises:
        DataError: the file is empty or cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
            file.seek(start)
            for _ in range(skip_lines):
                start += len(file.readline())
            if start >= size:
                raise DataError(
                    f"{path} is empty", hint="fetch the file again; the store is as it was before"
                )
            while start < size:
                end = _next_boundary(file, start + unit_bytes, size, boundary)
                yield RawUnit(path, start, end, ends_file=end == size)
                start = end
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _next_boundary(file: Any, position: int, size: int, boundary: re.Pattern[bytes]) -> int:
    overlap = 32  # a header and its newlines are shorter
    while position < size:
        file.seek(position)
        block = file.read(_SEARCH_BYTES + overlap)
        match = boundary.search(block)
        if match:
            return int(position + match.end())
        position += _SEARCH_BYTES
    return size


def read_unit(unit: RawUnit, buffer: Array | None = None) -> tuple[Array, int]:
    """Read a unit into a buffer that ends with a newline and PADDING zero bytes.

    Args:
        unit: what to read.
        buffer: (capacity,) uint8 to reuse if it is large enough.

    Returns:
        The buffer and the length of the text in it.

    Raises:
        DataError: the file cannot be read, or has become shorter.
    """
    length = unit.end - unit.start
    if buffer is None or len(buffer) < length + 1 + PADDING:
        buffer = np.empty(length + 1 + PADDING, np.uint8)
    view = memoryview(buffer)[:length]
    try:
        with unit.path.open("rb", buffering=0) as file:
            file.seek(unit.start)
            filled = 0
            while filled < length:
                n_read = file.readinto(view[filled:])
                if not n_read:
                    raise DataError(
                        f"{unit.path} ended at byte {unit.start + filled}, expected {unit.end} bytes",
                        hint="something is writing the file; ingest again when it is complete",
                    )
                filled += n_read
    except OSError as error:
        raise DataError(f"{unit.path} cannot be read: {error.strerror}") from error
    if buffer[length - 1] != 10:
        buffer[length] = 10
        length += 1
    buffer[length : length + PADDING] = 0
    return buffer, length


def line_at(path: Path, offset: int) -> tuple[int, str]:
    """The number (from 1) and the text of the line of a file that holds byte `offset`."""
    number = 1
    with path.open("rb") as file:
        for line in file:
            if offset < len(line):
                break
            offset -= len(line)
            number += 1
        else:
            line = b""
    return number, line.decode("iso-8859-1").rstrip("\r\n")


def format_error(unit: RawUnit, offset: int, code: int) -> RawFormatError:
    """The error for a parser's code at `offset` bytes into a unit."""
    number, text = line_at(unit.path, unit.start + offset)
    return RawFormatError(unit.path, number, text, EXPECTED[code])
