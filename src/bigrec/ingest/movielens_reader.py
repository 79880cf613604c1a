"""Reading MovieLens sets: rows in any order, with timestamps in seconds that become UTC days."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bigrec.ingest import kernels
from bigrec.ingest.movielens import MovieLensFolder
from bigrec.ingest.raw import RawFile
from bigrec.ingest.rows import BadLine, Rows, Titles, repeated_text
from bigrec.ingest.streams import open_stream, read_whole
from bigrec.ingest.units import RawUnit, next_line, plan_units, read_unit
from bigrec.schema import MAX_ID
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_RATINGS_HEADER: Final = "userId,movieId,rating,timestamp"
_MOVIES_HEADER: Final = "movieId,title,genres"
_SHORTEST_ROW = len("1,1,1,1\n")
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_STREAM_SAMPLE_BYTES = 4 << 20
_COMPRESSION_GUESS = 4  # text is about this much larger than its compressed file
_YEAR = re.compile(r"\s*\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*$")


class MovieLensReader:
    """Reads a MovieLensFolder."""

    movie_sorted = False

    def __init__(self, source: MovieLensFolder) -> None:
        self._source = source

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at lines."""
        if self._source.dialect.has_header:
            with open_stream(self._source.ratings_file) as file:
                header = file.readline(200).decode("utf-8-sig", "replace").rstrip("\r\n")
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
        movies = workspace.array("movie_id", len(keys), np.int32)
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
                    raise text.bad_line(number, position, code).error()
                start, position, found = text.line_at(number, position)
                line += int(np.count_nonzero(text.buffer[counted:start] == ord("\n")))
                counted = start
                bad = BadLine(self._source.ratings_file.label, line, found, kernels.EXPECTED[code])
                bad_lines.append((number, bad))
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
        seen: set[tuple[int, int]] = set()
        with open_stream(self._source.ratings_file) as file:
            for number, line in enumerate(file, start=1):
                fields = line.split(separator, 2)
                if len(fields) < 3 or not (fields[0].isdigit() and fields[1].isdigit()):
                    continue
                pair = int(fields[1]), int(fields[0])
                if pair in seen:
                    found = line.decode("iso-8859-1").rstrip("\r\n")
                    yield BadLine(
                        self._source.ratings_file.label, number, found, repeated_text(*pair)
                    )
                elif pair in pairs:
                    seen.add(pair)

    def sample(self) -> tuple[Array, Array, int]:
        """Ids from lines at places all over the file, or from its beginning if it is a stream."""
        separator = re.escape(self._source.dialect.separator).encode()
        row = re.compile(rb"\n(\d{1,10})%b(\d{1,10})%b" % (separator, separator))
        file = self._source.ratings_file
        size = file.member_bytes if file.member else file.path.stat().st_size
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
        for number, text, fields in self._movie_lines(file):
            wrong_width = len(fields) != 3 if self._source.dialect.has_header else len(fields) < 2
            if wrong_width or not _is_id(fields[0]) or int(fields[0]) in titles:
                bad = BadLine(file.label, number, text, "a new movie id, then its title")
                if bad_lines is None:
                    raise bad.error()
                bad_lines.append(bad)
                continue
            year = _YEAR.search(fields[1])
            titles[int(fields[0])] = _YEAR.sub("", fields[1]), int(year[1]) if year else None
        return Titles.from_mapping(titles)

    def probe(self, bad_lines: list[BadLine] | None) -> None:
        """MovieLens has none."""

    def qualifying(self, bad_lines: list[BadLine] | None) -> None:
        """MovieLens has none."""

    def _movie_lines(self, file: RawFile) -> Iterator[tuple[int, str, list[str]]]:
        """Yield (line number, text, fields) of the lines that describe movies."""
        data = read_whole(file)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:  # the sets up to 1M
            text = data.decode("iso-8859-1")
        lines = text.replace("\r\n", "\n").split("\n")
        if self._source.dialect.has_header:
            if lines[0] != _MOVIES_HEADER:
                expected = f"the header {_MOVIES_HEADER!r}"
                raise BadLine(file.label, 1, lines[0], expected).error()
            reader = csv.reader(line + "\n" for line in lines)
            for fields in reader:
                if fields and reader.line_num > 1:
                    yield reader.line_num, ",".join(fields), fields
            return
        separator = "::" if self._source.dialect.separator == "::" else "|"
        for number, line in enumerate(lines, start=1):
            if line:
                yield number, line, line.split(separator)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= MAX_ID
