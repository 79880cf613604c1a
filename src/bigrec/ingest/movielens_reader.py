"""Reading MovieLens sets: rows in any order, with timestamps in seconds that become UTC days."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any, Final

import numpy as np

from bigrec.ingest import kernels
from bigrec.ingest.csv_records import Record, read_records
from bigrec.ingest.movielens import MovieLensFolder
from bigrec.ingest.raw import RawFile
from bigrec.ingest.rows import BadLine, Rows, Titles, note_bad_line, require_few_bad_lines
from bigrec.ingest.streams import BOM, MAX_LINE_BYTES, decode_line, open_stream, read_lines
from bigrec.ingest.units import PADDING, RawUnit, next_line, plan_units, read_unit
from bigrec.schema import MAX_ID
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_RATINGS_HEADER: Final = "userId,movieId,rating,timestamp"
_MOVIES_HEADER: Final = "movieId,title,genres"
_ID: Final = re.compile("[0-9]{1,10}")
_FORBIDDEN: Final = frozenset("\0\r")
_IDS_BYTES = 30  # two ids with what stands behind them are shorter
_SHORTEST_ROW = len("1,1,1,1\n")
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_STREAM_SAMPLE_BYTES = 4 << 20
_COMPRESSION_GUESS = 4  # text is about this much larger than its compressed file
_YEAR = re.compile(r"\s*\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*$")


class MovieLensReader:
    """Reads a MovieLensFolder."""

    item_sorted = False

    def __init__(self, source: MovieLensFolder) -> None:
        self._source = source

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at lines."""
        if self._source.dialect.has_header:
            with open_stream(self._source.ratings_file) as file:
                header = decode_line(file.readline(200).removeprefix(BOM))
            if header and header != _RATINGS_HEADER:
                expected = f"the header {_RATINGS_HEADER!r}"
                raise BadLine(self._source.ratings_file.label, 1, header, expected).error()
        skip = int(self._source.dialect.has_header)
        return plan_units([self._source.ratings_file], next_line, unit_bytes, skip_lines=skip)

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> Rows:
        """Parse a unit; rows stay in the order of the file.

        Raises:
            RawFormatError: a line breaks the grammar.
        """
        text = read_unit(unit, workspace)
        keys = workspace.array("keys", text.edges[-1] // _SHORTEST_ROW + 1, np.uint64)
        movies = workspace.array("item_id", len(keys), np.int32)
        separator = self._source.dialect.separator
        n = 0
        n_lines: list[int] = []
        bad_lines: list[tuple[int, BadLine]] = []
        for number, (position, end) in enumerate(zip(text.edges, text.edges[1:], strict=False)):
            n_before, n_bad, counted, line = n, 0, position, 0
            while position < end:
                code, position, n = kernels.parse_delimited(
                    text.buffer, position, end, ord(separator[0]), len(separator),
                    self._source.dialect.whole_stars, keys, movies, n,
                )  # fmt: skip
                if code == kernels.OK:
                    break
                if not skip_bad:
                    raise text.bad_line(number, position, kernels.EXPECTED[code]).error()
                start, position, found = text.line_at(number, position)
                line += int(np.count_nonzero(text.buffer[counted:start] == ord("\n")))
                counted = start
                bad = BadLine(self._source.ratings_file.label, line, found, kernels.EXPECTED[code])
                bad_lines.append((number, bad))
                require_few_bad_lines(bad.path, len(bad_lines))
                n_bad += 1
            n_lines.append(n - n_before + n_bad)
        halves = keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        return Rows(
            movies[:n], halves[:, 1], halves[:, 0], n_lines=tuple(n_lines), bad_lines=bad_lines
        )

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings."""
        return 1 + int(self._source.dialect.has_header)

    def repeated_lines(
        self,
        unit: RawUnit | None,  # noqa: ARG002
        pairs: set[tuple[int, int]],
    ) -> Iterator[BadLine]:
        """The lines of the file on which users rate movies again, for (movie, user) pairs."""
        separator = self._source.dialect.separator.encode()
        keys, movies = np.empty(1, np.uint64), np.empty(1, np.int32)
        starts = {b"%d%b%d%b" % (user, separator, movie, separator) for movie, user in pairs}
        counts: dict[tuple[int, int], int] = {}
        with open_stream(self._source.ratings_file) as file:
            for number, line in enumerate(file, start=1):
                fields = line[:_IDS_BYTES].removeprefix(BOM).split(separator, 2)
                if len(fields) < 3 or separator.join([*fields[:2], b""]) not in starts:
                    continue
                text = line.removeprefix(BOM).removesuffix(b"\n") + b"\n"
                padded = np.frombuffer(text + bytes(PADDING), np.uint8)
                code, _, _ = kernels.parse_delimited(
                    padded, 0, len(text), separator[0], len(separator),
                    self._source.dialect.whole_stars, keys, movies, 0,
                )  # fmt: skip
                if code != kernels.OK:
                    continue  # it was left out for itself
                pair = int(fields[1]), int(fields[0])
                if pair in counts:
                    yield BadLine.repeated(
                        self._source.ratings_file.label, number, decode_line(text), pair,
                        counts[pair],
                    )  # fmt: skip
                else:
                    counts[pair] = number

    def sample(self) -> tuple[Array, Array, int]:
        """Ids from lines at places all over the file, or from its beginning if it is a stream."""
        separator = re.escape(self._source.dialect.separator).encode()
        row = re.compile(rb"\n(\d{1,10})%b(\d{1,10})%b" % (separator, separator))
        file = self._source.ratings_file
        size = file.size
        n_total = size if file.is_plain or file.member else size * _COMPRESSION_GUESS
        users: list[int] = []
        movies: list[int] = []
        n_read = 0
        with open_stream(file) as stream:
            for place in range(0, size, max(_SAMPLE_BYTES, size // _SAMPLE_PLACES)):
                if file.is_plain:
                    stream.seek(place)
                block = stream.read(_SAMPLE_BYTES if file.is_plain else _STREAM_SAMPLE_BYTES)
                n_read += len(block)
                for user, movie in row.findall(block):
                    if int(user) <= MAX_ID and int(movie) <= MAX_ID:
                        users.append(int(user))
                        movies.append(int(movie))
                if not file.is_plain:
                    break
        estimate = n_total * len(users) // max(n_read, 1)
        return np.array(movies or [1], np.int32), np.array(users or [1], np.int32), estimate

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """Read the movies; the year is the one in brackets behind the title.

        Raises:
            RawFormatError: a line has another form, and there is no list for such lines.
        """
        file = self._source.movies_file()
        titles: dict[int, tuple[str, int | None]] = {}
        for record in self._movie_records(file):
            if expected := self._fault(record, titles):
                note_bad_line(BadLine(file.label, record.line, record.text, expected), bad_lines)
                continue
            movie, title = (record.fields or [])[:2]
            year = _YEAR.search(title)
            titles[int(movie)] = _YEAR.sub("", title), int(year[1]) if year else None
        return Titles.from_mapping(titles)

    def _fault(self, record: Record, titles: Container[int]) -> str:
        """What is expected where a record describes no further movie; empty if it does."""
        fields = record.fields
        if len(record.text) > MAX_LINE_BYTES:
            return f"a line of at most {MAX_LINE_BYTES} bytes"
        if fields is None:
            return "quotes that are closed on their line"
        if self._source.dialect.has_header and len(fields) != _MOVIES_HEADER.count(",") + 1:
            return f"the fields {_MOVIES_HEADER} and no more; a title with a comma needs quotes"
        if len(fields) < 2 or not _is_id(fields[0]) or int(fields[0]) in titles:
            return "a new movie id, then its title"
        return "a title without NUL or CR" if _FORBIDDEN.intersection(fields[1]) else ""

    def probe(self, bad_lines: list[BadLine] | None) -> None:
        """MovieLens has none."""

    def qualifying(self, bad_lines: list[BadLine] | None) -> None:
        """MovieLens has none."""

    def _movie_records(self, file: RawFile) -> Iterator[Record]:
        """Yield what describes movies."""
        lines = read_lines(file)
        if self._source.dialect.has_header:
            number, header = next(lines, (1, ""))
            if header != _MOVIES_HEADER:
                expected = f"the header {_MOVIES_HEADER!r}"
                raise BadLine(file.label, number, header, expected).error()
            for record in read_records(lines, _begins_movie):
                if record.fields != []:  # of a blank line
                    yield record
            return
        separator = "::" if self._source.dialect.separator == "::" else "|"
        for number, line in lines:
            if line:
                yield Record(number, line, line.split(separator))


def _begins_movie(line: str) -> bool:
    return _is_id(line.partition(",")[0])


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and 0 < int(text) <= MAX_ID
