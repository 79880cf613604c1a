"""Cutting text whose fields may hold line ends: units end at lines outside of quotes.

Whether a line end stands in quotes is only known from all that is before it, so the text is read
from its beginning and goes with the units, as that of a compressed file does.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.sources.fields import NEWLINE
from bigrec.sources.raw import RawFile, empty_file_error
from bigrec.sources.streams import open_stream
from bigrec.sources.units import Piece, RawUnit, fill_from_stream, skip_head
from bigrec.workspace import new_map

Array = np.ndarray[Any, Any]

_QUOTE = 34
_MAX_UNCUT_BYTES: Final = 64 << 20


def plan_quoted_units(
    files: Iterable[RawFile], unit_bytes: int, *, skip_lines: int
) -> Iterator[RawUnit]:
    """Cut files into units of about unit_bytes.

    Args:
        files: text files.
        unit_bytes: size to aim at.
        skip_lines: lines of a column header to leave out of each file.

    Raises:
        DataError: a file is empty or cannot be read.
    """
    for file in files:
        for piece in _cut(file, unit_bytes, skip_lines):
            yield RawUnit((piece,))


def _cut(file: RawFile, unit_bytes: int, skip_lines: int) -> Iterator[Piece]:
    with open_stream(file) as stream:
        start, kept = skip_head(stream, skip_lines)
        kept = memoryview(kept)
        while True:
            text = new_map(max(unit_bytes, len(kept) + (unit_bytes + 1) // 2))
            text[: len(kept)] = kept
            filled = fill_from_stream(stream, text, len(kept))
            if filled < len(text):
                break
            cut = _last_end(text)
            if cut:
                yield Piece(file, start, start + cut, ends_file=False, text=memoryview(text)[:cut])
                start += cut
            kept = memoryview(text)[cut:]
        if not filled:
            raise empty_file_error(file)
        yield Piece(file, start, start + filled, ends_file=True, text=memoryview(text)[:filled])


def _last_end(text: mmap.mmap) -> int:
    """Behind the last line end outside of quotes, or 0; of any if a quote stays open too long."""
    content = np.frombuffer(text, np.uint8)
    cut = int(find_last_end(content))
    if not cut and len(content) > _MAX_UNCUT_BYTES:
        return text.rfind(b"\n") + 1
    return cut


@compiled
def find_last_end(text):  # type: ignore[no-untyped-def]
    """The position behind the last line feed that has an even number of quotes before it, or 0.

    Args:
        text: uint8, which begins outside of quotes.
    """
    last = 0
    is_outside = True
    for position in range(len(text)):
        if text[position] == _QUOTE:
            is_outside = not is_outside
        elif text[position] == NEWLINE and is_outside:
            last = position + 1
    return last
