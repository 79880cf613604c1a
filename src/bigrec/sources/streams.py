"""The text of raw files as streams, whatever they are packed in.

A plain file can be read from the middle, so it can be cut before it is read; others cannot.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import pyarrow as pa

from bigrec.errors import DataError
from bigrec.magic import GZIP, HEAD_BYTES, TEXT, UNKNOWN, ZSTD, kind_of, remedy_of
from bigrec.sources.raw import DISK_FAILURES, RawFile, reading

STREAM_FAILURES: Final = (
    *DISK_FAILURES, EOFError, zlib.error, lzma.LZMAError, struct.error, pa.ArrowException,
)  # fmt: skip
"""What goes wrong when a stream is read, as `reading` takes it."""
_ENCRYPTED_FLAG: Final = 1

BOM: Final = b"\xef\xbb\xbf"
MAX_LINE_BYTES: Final = 1 << 16
"""Bytes of a line of a small file, at most."""
MAX_LINES: Final = 1 << 25
"""Lines of a small file, at most: more than there can be items."""


class _Peekable(Protocol):
    def peek(self, size: int, /) -> bytes:
        """The next bytes, which stay."""


@contextmanager
def open_stream(file: RawFile) -> Iterator[BinaryIO]:
    """The decompressed text as a stream, with every failure to read it a DataError."""
    with _open(file) as (stream, kind):
        if kind not in (TEXT, UNKNOWN):
            raise DataError(f"{file.label} is {kind}, expected text", hint=remedy_of(kind))
        yield stream


@contextmanager
def open_bytes(file: RawFile) -> Iterator[BinaryIO]:
    """The decompressed bytes as a stream, text or not, with every failure a DataError."""
    with _open(file) as (stream, _):
        yield stream


@contextmanager
def _open(file: RawFile) -> Iterator[tuple[BinaryIO, str]]:
    """The decompressed bytes as a stream, and of what kind they are."""
    with reading(file, STREAM_FAILURES), ExitStack() as opened:
        stream: BinaryIO
        if file.member:
            status = file.path.stat()
            archive = _open_archive(file.path, status.st_size, status.st_mtime_ns)
            stream = opened.enter_context(_open_member(file, archive))
            kind = _kind_ahead(stream)
        else:
            stream, kind = opened.enter_context(file.path.open("rb")), file.kind
        if kind in (GZIP, ZSTD):
            # Arrow reads a file on its own faster than through Python.
            packed = file.path if kind == ZSTD and not file.member else stream
            stream = opened.enter_context(_unpacked(packed, kind))
            kind = _kind_ahead(stream)
        yield stream, kind


def read_lines(file: RawFile) -> Iterator[tuple[int, str]]:
    """The lines of a small file with their numbers, from 1, without line ends and byte order mark.

    A line is UTF-8 if it can be, else ISO-8859-1. Of one that is longer than MAX_LINE_BYTES only
    the beginning comes, which is longer than that as well.

    Raises:
        DataError: the file cannot be read, or has more than MAX_LINES lines.
    """
    with open_stream(file) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 2):
            number += 1
            if number > MAX_LINES:
                raise DataError(
                    f"{file.label} has more than {MAX_LINES:,} lines",
                    hint="this is another kind of file, or a damaged one; fetch it again",
                )
            rest = line
            while not rest.endswith(b"\n") and rest:
                rest = stream.readline(MAX_LINE_BYTES)
            if number == 1:
                line = line.removeprefix(BOM)
            is_long = len(line) > MAX_LINE_BYTES
            yield number, line.decode("iso-8859-1") if is_long else decode_line(line)


def decode_line(line: bytes) -> str:
    """The text of a line without its end: UTF-8 if it can be, else ISO-8859-1."""
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("iso-8859-1")


@lru_cache(maxsize=1)
def _open_archive(path: Path, size: int, mtime_ns: int) -> zipfile.ZipFile:  # noqa: ARG001
    """An archive in a state; it stays open, for to list thousands of members takes a while.

    Members may be read by several threads.
    """
    return zipfile.ZipFile(path)


def _open_member(file: RawFile, archive: zipfile.ZipFile) -> BinaryIO:
    info = archive.getinfo(file.member)
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise DataError(
            f"{file.label} is encrypted",
            hint="unpack the archive with its password, and give the folder that it makes",
        )
    try:
        return cast("BinaryIO", archive.open(info))
    except (NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{file.label} is packed in a way that Python cannot unpack: {error}",
            hint="unpack the archive, for example with 7z x, and give the folder that it makes",
        ) from error


def _unpacked(stream: BinaryIO | Path, kind: str) -> BinaryIO:
    if kind == GZIP and not isinstance(stream, Path):
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    return cast("BinaryIO", io.BufferedReader(pa.input_stream(stream, compression="zstd")))


def _kind_ahead(stream: BinaryIO) -> str:
    return kind_of(cast("_Peekable", stream).peek(HEAD_BYTES)[:HEAD_BYTES])
