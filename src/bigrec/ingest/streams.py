"""The text of raw files as streams, whatever they are packed in.

A plain file can be read from the middle, so it can be cut before it is read; others cannot.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

import pyarrow as pa

from bigrec.ingest.raw import DISK_FAILURES, RawFile, reading

_FAILURES: Final = (*DISK_FAILURES, EOFError, zlib.error, pa.ArrowException)


@contextmanager
def open_stream(file: RawFile) -> Iterator[BinaryIO]:
    """The decompressed text as a stream, with every failure to read it a DataError."""
    with reading(file, _FAILURES):
        if file.member:
            with zipfile.ZipFile(file.path) as archive, archive.open(file.member) as member:
                yield cast("BinaryIO", member)
        elif file.path.suffix == ".gz":
            with gzip.open(file.path) as stream:
                yield cast("BinaryIO", stream)
        elif file.path.suffix == ".zst":
            with pa.input_stream(file.path, compression="zstd") as source:
                yield cast("BinaryIO", io.BufferedReader(source))
        else:
            with file.path.open("rb") as plain:
                yield plain


def read_whole(file: RawFile) -> bytes:
    """The whole text; for small files."""
    with open_stream(file) as stream:
        return stream.read()
