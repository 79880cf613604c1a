"""Results as Parquet files and Arrow streams, batch by batch."""

from __future__ import annotations

from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.errors import QueryError
from bigrec.query.output import require_distinct_names
from bigrec.query.session import QueryResult

_ROW_GROUP_ROWS: Final = 1 << 18


def write_arrow(
    result: QueryResult, arrow_format: str, stream: BinaryIO, *, limit: int | None = None
) -> None:
    """Write a result as a Parquet file or as an Arrow IPC stream.

    Args:
        result: what a session answered.
        arrow_format: parquet or arrow.
        stream: takes the bytes; need not be seekable.
        limit: at most this many rows; None for all.

    Raises:
        QueryError: two columns have one name, or one is of a type that the format has not.
    """
    require_distinct_names(result.columns)
    try:
        _write(result, arrow_format, stream, limit)
    except pa.ArrowException as error:
        raise QueryError(
            f"{arrow_format} cannot hold the result: {error}",
            hint="turn the column into text: CAST(name AS VARCHAR)",
        ) from error


def _write(result: QueryResult, arrow_format: str, stream: BinaryIO, limit: int | None) -> None:
    limited = (result if limit is None else result.limit(limit)).as_arrow()
    schema, batches = limited.batches()
    if arrow_format == "arrow":
        with pa.ipc.new_stream(stream, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    with pq.ParquetWriter(_Counted(stream), schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(map(len, waiting)) >= _ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting, schema))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, schema))


class _Counted:
    """A stream that knows its position, as Parquet asks for, even where it is a pipe."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def write(self, data: bytes) -> int:
        """Pass on bytes."""
        self._stream.write(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """The number of bytes written."""
        return self._position

    def flush(self) -> None:
        """Pass on."""
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""
