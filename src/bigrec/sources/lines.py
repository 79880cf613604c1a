"""What sources of text share: a sample of ids, and the way past lines that break the grammar."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bigrec.schema import MAX_ID
from bigrec.sources.fields import OK
from bigrec.sources.parsed import BadLine, require_few_bad_lines
from bigrec.sources.raw import RawFile
from bigrec.sources.streams import open_stream
from bigrec.sources.units import UnitText

Array = np.ndarray[Any, Any]

_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_STREAM_SAMPLE_BYTES = 4 << 20
_COMPRESSION_GUESS = 4  # text is about this much larger than its compressed file


def sample_ids(files: Sequence[RawFile], row: re.Pattern[bytes]) -> tuple[Array, int]:
    """Ids from lines at places all over the files; of a stream, from its beginning.

    Args:
        files: the files of ratings.
        row: matches a line feed and the ids behind it, each a group of digits.

    Returns:
        (n, n_groups) int32 ids, of at least one row, and an estimate of all rows.
    """
    found: list[Any] = []
    n_read = n_total = 0
    positions = max(1, _SAMPLE_PLACES // len(files))
    every = max(1, len(files) // _SAMPLE_PLACES)
    for number, file in enumerate(files):
        size = file.size
        n_total += size if file.is_plain or file.member else size * _COMPRESSION_GUESS
        if number % every:
            continue
        with open_stream(file) as stream:
            for position in range(0, size, max(_SAMPLE_BYTES, size // positions)):
                if file.is_plain:
                    stream.seek(position)
                block = stream.read(_SAMPLE_BYTES if file.is_plain else _STREAM_SAMPLE_BYTES)
                found += row.findall(block)
                n_read += len(block)
                if not file.is_plain:
                    break
    estimate = n_total * len(found) // max(n_read, 1)
    ids = np.array(found or [["1"] * row.groups]).astype(np.int64).reshape(-1, row.groups)
    ids = ids[(ids <= MAX_ID).all(axis=1)]
    return (ids if len(ids) else np.ones((1, row.groups))).astype(np.int32), estimate


def parse_piece(
    text: UnitText,
    number: int,
    parse_on: Callable[[int, int], tuple[int, int]],
    *,
    expected: Mapping[int, str],
    skip_bad: bool,
    skipped: Callable[[int, str], None] = lambda code, found: None,  # noqa: ARG005
) -> list[tuple[int, BadLine]]:
    """Parse one piece with a compiled loop that stops where a line breaks its grammar.

    Args:
        text: of the piece's unit.
        number: of the piece in it.
        parse_on: parses from one offset to another: (error code, offset of the offence).
        expected: what should be there, by error code.
        skip_bad: whether such lines are left out.
        skipped: told of each of them, by its code and text, before parsing goes on behind it.

    Returns:
        The lines that were left out, each with the number of its piece and its own from 0 there.

    Raises:
        RawFormatError: a line breaks the grammar, and is not to be left out.
    """
    position, end = text.edges[number], text.edges[number + 1]
    path = text.unit.pieces[number].file.label
    bad_lines: list[tuple[int, BadLine]] = []
    counted, line = position, 0  # lines before `counted`
    while position < end:
        code, offset = parse_on(position, end)
        if code == OK:
            break
        if not skip_bad:
            raise text.bad_line(number, offset, expected[code]).error()
        start, position, found = text.line_at(number, offset)
        line += count_lines(text.buffer[counted:start])
        counted = start
        bad_lines.append((number, BadLine(path, line, found, expected[code])))
        require_few_bad_lines(path, len(bad_lines))
        skipped(code, found)
    return bad_lines


def count_lines(text: Array) -> int:
    """Lines that end in a text (uint8)."""
    return int(np.count_nonzero(text == ord("\n")))
