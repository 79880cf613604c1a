"""Tables that are no delimited text, and those of one row a user, as batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bigrec.schema import DATE
from bigrec.sources.contract import BatchSource
from bigrec.sources.parsed import BadLine
from bigrec.sources.table.base import TableSource
from bigrec.sources.table.plan import JSON_LINES

if TYPE_CHECKING:
    import pyarrow as pa


class TableBatchSource(TableSource, BatchSource):
    """A table in JSON lines, Parquet or Arrow, or with one line a user."""

    _left_out: Sequence[BadLine] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The ratings in the order of the files."""
        return self._renamed(None)

    def batches_but(self, bad_lines: list[BadLine]) -> Iterator[pa.RecordBatch]:
        """The same without rows whose values do not fit."""
        self._left_out = bad_lines
        return self._renamed(bad_lines)

    def locate(self, row: int) -> tuple[Path, str, int]:
        """Where a row stands."""
        if self.plan.wide:
            return super().locate(row)
        if self.plan.form == JSON_LINES:
            from bigrec.sources.table.json_lines import locate_json_line

            where = locate_json_line(self.plan, row, self._left_out)
        else:
            from bigrec.sources.table.columnar import locate

            where = locate(self.plan, row, self._left_out)
        path, _, last = where.rpartition(", ")
        word, _, number = last.rpartition(" ")
        return Path(path), word, int(number)

    def _renamed(self, bad_lines: list[BadLine] | None) -> Iterator[pa.RecordBatch]:
        for batch in self._read(bad_lines):
            names = [DATE if name == "time" else name for name in batch.schema.names]
            yield batch.rename_columns(names)

    @property
    def n_rows(self) -> int | None:
        """How many rows there are, where that is written down."""
        if self.plan.wide or self.plan.form == JSON_LINES:
            return None
        from bigrec.sources.table.columnar import count_rows

        return count_rows(self.plan)

    def _read(self, bad_lines: list[BadLine] | None) -> Iterator[pa.RecordBatch]:
        if self.plan.wide:
            from bigrec.sources.table.wide import read_wide

            return read_wide(self.plan, bad_lines)
        if self.plan.form == JSON_LINES:
            from bigrec.sources.table.json_lines import read_json_lines

            return read_json_lines(self.plan, bad_lines)
        from bigrec.sources.table.columnar import read_columnar

        return read_columnar(self.plan, bad_lines)
