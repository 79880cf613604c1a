"""Files that hold columns of types of their own: Parquet, and Arrow's file and stream.

A packed one is unpacked to a temporary file, for it is read from several places.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.ipc

from bigrec.errors import DataError, ResourceError, system_errors
from bigrec.sources.raw import DISK_FAILURES, RawFile, empty_file_error, reading
from bigrec.sources.streams import STREAM_FAILURES, open_bytes
from bigrec.sources.table.plan import ARROW, PARQUET

_FAILURES: Final = (*DISK_FAILURES, pa.ArrowException, UnicodeDecodeError)  # the last of names
_PARQUET_MARK, _FILE_MARK, _STREAM_MARK = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
_OLD_FEATHER_MARK: Final = b"FEA1"
_STREAM_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
_MARK_BYTES: Final = 8
_READ_BYTES: Final = 1 << 20
_LARGE_BATCH_BYTES: Final = 64 << 20


class ColumnarFile(Protocol):
    """One open file."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""

    @property
    def groups(self) -> Sequence[int]:
        """Rows of each row group; of an Arrow file, one group of all rows."""

    def batches(self, names: Sequence[str], n_rows: int) -> Iterator[pa.RecordBatch]:
        """Columns in the order of rows, at most `n_rows` at a time."""


def form_of(head: bytes) -> str | None:
    """PARQUET or ARROW by the first bytes of a file; None for what is neither."""
    if head.startswith(_PARQUET_MARK):
        return PARQUET
    return ARROW if head.startswith((_FILE_MARK, _STREAM_MARK)) else None


@contextmanager
def open_columnar(file: RawFile) -> Iterator[ColumnarFile]:
    """Open a file, with every failure to read it a DataError.

    Raises:
        DataError: it is damaged, or neither Parquet nor Arrow.
    """
    with _readable_path(file) as path, reading(file, _FAILURES):
        with path.open("rb") as stream:
            head = stream.read(_MARK_BYTES)
        if not head:
            raise empty_file_error(file)
        form = form_of(head)
        if form is None:
            raise _unknown_error(file, head)
        opened: ColumnarFile = _Parquet(path) if form == PARQUET else _Arrow(file, path)
        if not opened.schema.names:
            raise DataError(f"{file.label} has no columns", hint="fetch the file again")
        yield opened


class _Parquet:
    """A Parquet file; of a row group, however large, some pages are in memory."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        # Arrow would read a row group as a whole before it gives the first row.
        self._file = pq.ParquetFile(
            path, pre_buffer=False, buffer_size=_READ_BYTES, page_checksum_verification=True
        )
        if sum(self.groups) != self._file.metadata.num_rows:
            raise pa.ArrowInvalid("its row groups have another number of rows than it says")

    @property
    def schema(self) -> pa.Schema:
        return self._file.schema_arrow

    @property
    def groups(self) -> Sequence[int]:
        metadata = self._file.metadata
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    def batches(self, names: Sequence[str], n_rows: int) -> Iterator[pa.RecordBatch]:
        n_found = 0
        for batch in self._file.iter_batches(n_rows, columns=list(names)):
            n_found += len(batch)
            yield batch
        if names and n_found != self._file.metadata.num_rows:
            raise pa.ArrowInvalid("its columns have another number of rows than it says")


class _Arrow:
    """Arrow's file, which is Feather of version 2 as well, or its stream.

    A batch is read as a whole; large ones are mapped, so that they need no memory of their own.
    """

    def __init__(self, file: RawFile, path: Path) -> None:
        self._path = path
        with path.open("rb") as stream:
            self._is_file = stream.read(_MARK_BYTES).startswith(_FILE_MARK)
            size = stream.seek(0, 2)
            stream.seek(max(0, size - len(_STREAM_END)))
            if not self._is_file and stream.read() != _STREAM_END:
                raise DataError(
                    f"{file.label} is an Arrow stream without its end",
                    hint="it may be incomplete; fetch the file again",
                )
        self._is_mapped = False
        with self._reader() as reader:
            self.schema: pa.Schema = reader.schema
            if self._is_file:
                n_batches = reader.num_record_batches
                if n_batches != _count_batches(path):
                    raise pa.ArrowInvalid("it holds another number of batches than its end says")
                self._is_mapped = size > _LARGE_BATCH_BYTES * n_batches

    @property
    def groups(self) -> Sequence[int]:
        return [sum(len(batch) for batch in self._whole_batches([]))]

    def batches(self, names: Sequence[str], n_rows: int) -> Iterator[pa.RecordBatch]:
        all_names = self.schema.names
        positions = list(range(len(all_names)))
        if list(names) != all_names:  # where all are asked for, two may have one name
            positions = [all_names.index(name) for name in names]
        there = range(len(all_names)) if self._is_mapped else sorted(positions)
        for batch in self._whole_batches(positions):
            chosen = batch.select([there.index(position) for position in positions])
            for start in range(0, len(batch), n_rows):
                rows = chosen.slice(start, n_rows)
                rows.validate(full=True)  # Arrow believes what it reads, up to a crash
                yield rows

    def _whole_batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        with self._reader(positions or [0]) as reader:
            if self._is_file:
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number)
            else:
                yield from reader

    @contextmanager
    def _reader(self, positions: Sequence[int] = ()) -> Iterator[Any]:
        """Arrow's reader of some columns, or of all; of all where it maps them."""
        options = pyarrow.ipc.IpcReadOptions()
        if positions and not self._is_mapped:  # Arrow would copy columns chosen from a map
            options.included_fields = list(positions)
        start = pyarrow.ipc.open_file if self._is_file else pyarrow.ipc.open_stream
        path = str(self._path)
        with pa.memory_map(path) if self._is_mapped else pa.OSFile(path) as source:
            yield start(source, options=options)


def _count_batches(path: Path) -> int:
    """Batches of an Arrow file, one behind the other from its beginning."""
    with pa.memory_map(str(path)) as source:  # so that what they hold is not read
        source.seek(_MARK_BYTES)
        messages = pyarrow.ipc.MessageReader.open_stream(source)
        return sum(message.type == "record batch" for message in messages)


@contextmanager
def _readable_path(file: RawFile) -> Iterator[Path]:
    """Where a file can be read from any place: its own path, or that of an unpacked copy."""
    if file.is_plain:
        yield file.path
        return
    with reading(file):
        status = file.path.stat()
    copy = _unpack(file, status.st_size, status.st_mtime_ns)
    yield copy.path  # the cache may let the copy go meanwhile; this frame does not


class _Copy:
    """An unpacked file without a name, so that nothing is left of it in the end.

    Args:
        descriptor: of the file, closed with this.
    """

    def __init__(self, descriptor: int) -> None:
        self.path = Path(f"/proc/self/fd/{descriptor}")
        weakref.finalize(self, os.close, descriptor)


@lru_cache(maxsize=1)
def _unpack(file: RawFile, size: int, mtime_ns: int) -> _Copy:  # noqa: ARG001
    """A copy of a packed file in a state."""
    folder = Path(tempfile.gettempdir())
    with (
        open_bytes(file) as stream,
        system_errors(folder, ResourceError),
        tempfile.TemporaryFile() as copy,
    ):
        while block := _block(file, stream):
            copy.write(block)
        copy.flush()
        return _Copy(os.dup(copy.fileno()))


def _block(file: RawFile, stream: BinaryIO) -> bytes:
    """The next bytes of a stream, none at its end; its own failures are not the copy's."""
    with reading(file, STREAM_FAILURES):
        return stream.read(_READ_BYTES)


def _unknown_error(file: RawFile, head: bytes) -> DataError:
    if head.startswith(_OLD_FEATHER_MARK):
        hint = "pandas reads it: pandas.read_feather(OLD).to_parquet(NEW)"
        return DataError(f"{file.label} is Feather of version 1, expected version 2", hint=hint)
    return DataError(
        f"{file.label} begins with {head!r}, expected a Parquet or Arrow file",
        hint="it may be damaged; fetch the file again",
    )
