"""Delimited text of any kind: units are cut at lines and taken apart by a compiled loop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bigrec.sources.contract import TextSource
from bigrec.sources.keys import Keys
from bigrec.sources.parsed import BadLine, KeyedRows
from bigrec.sources.raw import RawFile
from bigrec.sources.streams import open_stream
from bigrec.sources.table.base import TableSource
from bigrec.sources.table.plan import ITEM, USER
from bigrec.sources.table.quoted_units import plan_quoted_units
from bigrec.sources.table.text_rows import TextRow, read_row
from bigrec.sources.table.text_units import Loop, UnitParser
from bigrec.sources.units import RawUnit, next_line, plan_units
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_SCAN_BYTES: Final = 4 << 20
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_COMPRESSION_GUESS = 4  # text is about this much larger than its compressed file
_CANONICAL_ID: Final = re.compile(r"[1-9][0-9]{0,9}")


class TableTextSource(TableSource, TextSource):
    """A table that is delimited text."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.loop = Loop.of_plan(self.plan, self.ends)
        self.cuts_quotes = self.found_line_ends = self.plan.has_line_ends

    @property
    def first_line(self) -> int:
        """Number of the first line of rows."""
        assert self.plan.dialect is not None  # noqa: S101 - text has one
        return 1 + int(self.plan.dialect.has_header)

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The rows, cut at lines; where fields may hold line ends, outside of quotes."""
        files = self.plan.files
        skip = self.first_line - 1
        self.cuts_quotes = self.found_line_ends
        if self.cuts_quotes:
            return plan_quoted_units(files, unit_bytes, skip_lines=skip)
        return plan_units(files, next_line, unit_bytes, skip_lines=skip, join_files=True)

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> KeyedRows:
        """Parse a unit; rows stay in the order of the files.

        Raises:
            RawFormatError: a row breaks the grammar, and such rows are not to be skipped.
            DataError: times of the day come where days were expected.
        """
        return UnitParser(self, unit, workspace, skip_bad=skip_bad).parse()

    def repeated_lines(
        self,
        unit: RawUnit | None,  # noqa: ARG002
        pairs: set[tuple[Any, Any]],
    ) -> Iterator[BadLine]:
        """The lines on which users rate items again, for (item, user) pairs of keys."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = {(str(item), str(user)): (item, user) for item, user in pairs}
        items, users = (
            pa.array(sorted({pair[side] for pair in wanted}), pa.large_string()) for side in (0, 1)
        )
        counts: dict[tuple[str, str], int] = {}
        first_lines: dict[RawFile, int] = {}
        for part in self.units(_SCAN_BYTES):
            parser = UnitParser(self, part, Workspace(), skip_bad=True)
            rows = parser.parse()
            assert isinstance(rows.item, Keys)  # noqa: S101 - of text
            assert isinstance(rows.user, Keys)  # noqa: S101 - of text
            item, user = rows.item.to_arrow(), rows.user.to_arrow()
            found = pc.and_(pc.is_in(item, items), pc.is_in(user, users))
            for row in np.flatnonzero(np.asarray(found)).tolist():
                pair = item[row].as_py(), user[row].as_py()
                if pair not in wanted:
                    continue
                file, number, text = parser.line_of(row, first_lines, self.first_line)
                if pair in counts:
                    yield BadLine.repeated(file.label, number, text, wanted[pair], counts[pair])
                else:
                    counts[pair] = number
            for file, n_lines in zip(part.files, rows.n_lines, strict=True):
                first_lines[file] = first_lines.get(file, self.first_line) + n_lines

    def sample(self) -> tuple[Array, Array, int]:
        """Ids from lines at places all over the files, and an estimate of rows."""
        ids: dict[str, list[int]] = {USER: [1], ITEM: [1]}
        n_rows = n_read = n_total = 0
        files = self.plan.files
        positions = max(1, _SAMPLE_PLACES // len(files))
        for file in files[:: max(1, len(files) // _SAMPLE_PLACES)]:
            with open_stream(file) as stream:
                every = max(_SAMPLE_BYTES, file.size // positions)
                for position in range(0, file.size, every):
                    if file.is_plain:
                        stream.seek(position)
                    block = stream.read(_SAMPLE_BYTES)
                    lines = block.split(b"\n")[1:-1]
                    n_rows += len(lines)
                    n_read += len(block)
                    self._note_ids(lines, ids)
                    if not file.is_plain:
                        break
        for file in files:
            n_total += file.size if file.is_plain or file.member else file.size * _COMPRESSION_GUESS
        item, user = (np.array(ids[role]).astype(np.int32) for role in (ITEM, USER))
        return item, user, max(1, n_total * n_rows // max(n_read, 1))

    def _note_ids(self, lines: list[bytes], ids: dict[str, list[int]]) -> None:
        """Add the ids of some lines that can be kept."""
        for line in lines[:: max(1, len(lines) // _SAMPLE_PLACES)]:
            row = read_row(line.decode("utf-8", "replace").removesuffix("\r"), self.plan)
            if isinstance(row, TextRow):
                for role, key in ((USER, row.user), (ITEM, row.item)):
                    if _CANONICAL_ID.fullmatch(key.decode()) and int(key) < 1 << 31:
                        ids[role].append(int(key))
