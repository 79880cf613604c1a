"""Files of JSON objects in blocks of whole lines: one object a line, or one array of objects."""

from __future__ import annotations

import ast
import codecs
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from bigrec.errors import DataError, RawFormatError
from bigrec.resources import format_bytes
from bigrec.sources.raw import RawFile
from bigrec.sources.streams import BOM, open_stream

BLOCK_BYTES: Final = 4 << 20
"""Bytes of a block to aim at."""
_MAX_OBJECT_BYTES: Final = 64 << 20
_BLANKS: Final = " \t\r\n"
_SHOWN_LENGTH: Final = 200
_LONGEST_WORD: Final = 16
"""More letters than the longest word or escape of JSON has."""
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True)
class Block:
    """Some lines of a file, with one object on each that is not blank."""

    text: bytes
    """Whole lines, each with its end."""
    first: int
    """The number of the first, from 1."""
    word: str
    """What people call them: line, or row in an array."""

    def n_objects(self) -> int | None:
        """How many objects there are, if all of the text is JSON; None where lines must tell.

        Where each line begins and ends with a brace, no object goes over several lines. So if there
        are as many objects as lines, there is one on each.
        """
        text = np.frombuffer(self.text, np.uint8)
        ends = np.flatnonzero(text == ord("\n"))
        if self.text[:1] != b"{" or (text[ends[:-1] + 1] != ord("{")).any():
            return None
        last = ends - 1
        last = last - (text[last] == ord("\r"))
        return len(ends) if (text[last] == ord("}")).all() else None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, without their ends, with their numbers."""
        for number, line in enumerate(self.text.split(b"\n"), start=self.first):
            if stripped := line.strip():
                yield number, stripped


def read_blocks(file: RawFile) -> Iterator[Block]:
    """The objects of a file in their order.

    Raises:
        DataError: it cannot be read, or an object is too large.
        RawFormatError: an array of objects breaks the grammar, whose end nobody knows then.
    """
    with open_stream(file) as stream:
        head = stream.read(BLOCK_BYTES).removeprefix(BOM)
        if head.lstrip().startswith(b"["):
            yield from _blocks_of_array(file, head, stream)
        else:
            yield from _blocks_of_lines(file, head, stream)


def parse_line(line: bytes) -> dict[str, Any] | None:
    """The object on a line, in JSON or as Python writes it; None where there is none.

    Bytes that are no UTF-8 become surrogates, as in `surrogateescape`.
    """
    text = line.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _parse_python(text)
    return value if isinstance(value, dict) else None


def _parse_python(text: str) -> object:
    """What a literal such as {'user': u'7'} stands for; nothing is executed."""
    if not text.startswith("{"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of backslashes in texts
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return None


def _blocks_of_lines(file: RawFile, head: bytes, stream: BinaryIO) -> Iterator[Block]:
    number, kept, block = 1, b"", head
    while block:
        text, end, rest = (kept + block).rpartition(b"\n")
        if end:
            yield Block(text + end, number, "line")
            number += text.count(b"\n") + 1
        kept = rest
        _require_small(file, len(kept), f"line {number}")
        block = stream.read(BLOCK_BYTES)
    if kept:
        yield Block(kept + b"\n", number, "line")


def _blocks_of_array(file: RawFile, head: bytes, stream: BinaryIO) -> Iterator[Block]:
    """The elements of an array, each on a line of its own."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(head)
    position = text.index("[") + 1
    first, n_lines, after_element = 1, 1, False
    lines: list[str] = []
    while True:
        position = _skip_blanks(text, position)
        if after_element and text[position : position + 1] == ",":
            after_element = False
            position = _skip_blanks(text, position + 1)
        if text[position : position + 1] == "]":
            break
        end = None if after_element and position < len(text) else _end_of_value(text, position)
        if end is None:
            n_lines += text.count("\n", 0, position)
            raise _array_error(file, n_lines, text[position:])
        if end < len(text):
            # No line feed of JSON stands inside a text, so a blank is as good.
            lines.append(text[position:end].replace("\n", " ").replace("\r", " "))
            position, after_element = end, True
            continue
        if lines:
            yield _block_of(lines, first)
            first, lines = first + len(lines), []
        n_lines += text.count("\n", 0, position)
        text, position = text[position:], 0
        _require_small(file, len(text), f"row {first}")
        block = stream.read(BLOCK_BYTES)
        if not block:
            raise _array_error(file, n_lines, text)
        text += decoder.decode(block)
    rest = text[position + 1 :] + decoder.decode(stream.read(BLOCK_BYTES), final=True)
    if rest.strip():
        n_lines += text.count("\n", 0, position)
        raise _array_error(file, n_lines, rest.strip())
    if lines:
        yield _block_of(lines, first)


def _end_of_value(text: str, position: int) -> int | None:
    """Where a value of JSON ends; the end of the text if it goes on there; None for no JSON."""
    try:
        return _DECODER.raw_decode(text, position)[1]
    except json.JSONDecodeError as error:
        is_cut = error.msg.startswith("Unterminated") or error.pos + _LONGEST_WORD >= len(text)
        return len(text) if is_cut else None
    except (ValueError, RecursionError):
        return None


def _block_of(lines: list[str], first: int) -> Block:
    text = "\n".join(lines) + "\n"
    return Block(text.encode("utf-8", "surrogateescape"), first, "row")


def _skip_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANKS:
        position += 1
    return position


def _require_small(file: RawFile, n_bytes: int, where: str) -> None:
    if n_bytes > _MAX_OBJECT_BYTES:
        raise DataError(
            f"{file.label}, {where}: expected an object of JSON of at most "
            f"{format_bytes(_MAX_OBJECT_BYTES)}, found no end of it",
            hint="write one object a line: jq -c '.[]' OLD > NEW",
        )


def _array_error(file: RawFile, line: int, found: str) -> RawFormatError:
    return RawFormatError(
        file.label,
        line,
        found[:_SHOWN_LENGTH],
        "objects of JSON with commas between them, and ] at the end",
        hint="the array is damaged or incomplete; fetch the file again",
    )
