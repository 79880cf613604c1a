"""Reading the Netflix Prize set: movie blocks of ratings, titles, and pairs without ratings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from bigrec.ingest import kernels, row_kernels
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.raw import RawFile, empty_file_error
from bigrec.ingest.rows import BadLine, Pairs, Rows, Titles, repeated_text
from bigrec.ingest.streams import open_stream, read_whole
from bigrec.ingest.units import RawUnit, next_movie_header, plan_units, read_slices, read_unit
from bigrec.schema import MAX_ID
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_SHORTEST_HEADER = len("1:\n")
_SHORTEST_RATING = len("1,1,2000-01-01\n")
_SHORTEST_PAIR = len("1\n")
_PAIR_UNIT_BYTES = 8 << 20
_SAMPLE_PLACES, _SAMPLE_BYTES = 64, 1 << 14
_STREAM_SAMPLE_BYTES = 4 << 20
_COMPRESSION_GUESS = 4  # text is about this much larger than its compressed file
_ROW = re.compile(rb"\n(\d{1,10}),")
_TITLE_LINE: Final = re.compile(r"([1-9][0-9]{0,9}),(NULL|[0-9]{4}),(.+)")


class NetflixReader:
    """Reads a NetflixFolder."""

    movie_sorted = True
    first_line = 1

    def __init__(self, source: NetflixFolder) -> None:
        self._source = source
        self._rating_files = source.rating_files

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at movie headers, in ascending order of movies."""
        return plan_units(
            self._rating_files,
            next_movie_header,
            unit_bytes,
            join_files=self._source.one_movie_a_file,
        )

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> Rows:
        """Parse a unit and sort each movie's ratings by user.

        Raises:
            RawFormatError: a line breaks the grammar, or a user rates one movie twice.
        """
        blocks = _Blocks(unit, workspace, has_rating=True, has_date=True, skip_bad=skip_bad)
        if skip_bad:
            blocks.drop_repeated_users()
        n, n_movies = blocks.n_rows, blocks.n_movies
        movies, starts = blocks.movies[:n_movies], blocks.starts[: n_movies + 1]
        scratch = workspace.array("sort", int(np.diff(starts).max(initial=0)), np.uint64)
        row_kernels.sort_within_movies(blocks.keys, starts, n_movies, scratch)
        movie_id = workspace.array("movie_id", n, np.int32)
        row_kernels.spread_movies(movies, starts, n_movies, movie_id)
        halves = blocks.keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        return Rows(
            movie_id,
            halves[:, 1],
            halves[:, 0],
            int(movies[0]) if n_movies else 0,
            int(movies[-1]) if n_movies else 0,
            tuple(blocks.n_lines),
            blocks.bad_lines,
        )

    def repeated_lines(
        self, unit: RawUnit | None, pairs: set[tuple[int, int]]
    ) -> Iterator[BadLine]:
        """The lines inside a unit on which users rate movies again, for (movie, user) pairs."""
        if unit is None:
            return
        text = read_unit(unit, Workspace())
        data = text.buffer.tobytes()
        for movie, user in pairs:
            block = re.search(rb"(?:^|\n)%d:\r?(?=\n)" % movie, data)
            lines = re.finditer(
                rb"\n(?:(?=%d,)|[0-9]+:)" % user, data[block.end() if block else 0 :]
            )
            for count, match in enumerate(lines):
                if match[0] != b"\n":
                    break
                if count:
                    place = match.end() + (block.end() if block else 0)
                    piece = int(np.searchsorted(text.edges, place, side="right")) - 1
                    bad = text.bad_line(piece, place, kernels.BAD_LINE)
                    yield replace(bad, expected=repeated_text(movie, user))

    def sample(self) -> tuple[Array, Array, int]:
        """Movie ids are not sampled, since units come sorted by movie."""
        users: list[int] = []
        n_read = n_rows = n_total = 0
        places = max(1, _SAMPLE_PLACES // len(self._rating_files))
        every = max(1, len(self._rating_files) // _SAMPLE_PLACES)
        for number, file in enumerate(self._rating_files):
            size = file.path.stat().st_size if not file.member else file.member_bytes
            n_total += size if file.is_plain or file.member else size * _COMPRESSION_GUESS
            if number % every:
                continue
            with open_stream(file) as stream:
                for place in range(0, size, max(_SAMPLE_BYTES, size // places)):
                    if file.is_plain:
                        stream.seek(place)
                    block = stream.read(_SAMPLE_BYTES if file.is_plain else _STREAM_SAMPLE_BYTES)
                    found = [int(user) for user in _ROW.findall(block)]
                    users += [user for user in found if user <= MAX_ID]
                    n_rows += len(found)
                    n_read += len(block)
                    if not file.is_plain:
                        break
        estimate = n_total * n_rows // max(n_read, 1)
        return np.zeros(1, np.int32), np.array(users or [1], np.int32), estimate

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """Read the titles: split on the first two commas only, decoded as ISO-8859-1.

        Raises:
            RawFormatError: a line is no `id,year,title`, and there is no list for such lines.
        """
        file = self._source.titles_file()
        titles: dict[int, tuple[str, int | None]] = {}
        for number, line in enumerate(read_whole(file).decode("iso-8859-1").split("\n"), start=1):
            line = line.removesuffix("\r")
            match = _TITLE_LINE.fullmatch(line)
            if match and int(match[1]) not in titles and int(match[1]) <= MAX_ID:
                titles[int(match[1])] = match[3], None if match[2] == "NULL" else int(match[2])
            elif line:
                repeated = match and int(match[1]) in titles
                expected = (
                    "a movie not listed before" if repeated else "id,year,title (year may be NULL)"
                )
                bad = BadLine(file.label, number, line, expected)
                if bad_lines is None:
                    raise bad.error()
                bad_lines.append(bad)
        if not titles:
            raise empty_file_error(file)
        return Titles.from_mapping(titles)

    def probe(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The pairs of probe.txt, if it is there, in runs."""
        return self._pairs(self._source.probe_file, bad_lines, has_date=False)

    def qualifying(self, bad_lines: list[BadLine] | None) -> Iterator[Pairs] | None:
        """The pairs and days of qualifying.txt, if it is there, in runs."""
        return self._pairs(self._source.qualifying_file, bad_lines, has_date=True)

    def _pairs(
        self, file: RawFile | None, bad_lines: list[BadLine] | None, *, has_date: bool
    ) -> Iterator[Pairs] | None:
        return None if file is None else _read_pairs(file, bad_lines, has_date=has_date)


class _Blocks:
    """The parsed movie blocks of one unit, in the workspace's memory."""

    def __init__(
        self,
        unit: RawUnit,
        workspace: Workspace,
        *,
        has_rating: bool,
        has_date: bool,
        skip_bad: bool,
    ) -> None:
        length = unit.n_bytes + len(unit.pieces)
        most_rows = length // (_SHORTEST_RATING if has_rating else _SHORTEST_PAIR) + 1
        most_movies = length // _SHORTEST_HEADER + 1
        self.keys = workspace.array("keys", most_rows, np.uint64)
        self.movies = workspace.array("movies", most_movies, np.int32)
        self.starts = workspace.array("starts", most_movies + 1, np.int64)
        self._offsets = workspace.array("offsets", most_rows if skip_bad else 0, np.int64)
        self._options = (has_rating, has_date)
        self._skip_bad = skip_bad
        self.n_rows = self.n_movies = 0
        self.n_lines: list[int] = []
        self.bad_lines: list[tuple[int, BadLine]] = []
        if skip_bad or not self._parse_slices(unit, workspace):
            self.n_rows = self.n_movies = 0
            self._text = read_unit(unit, workspace)
            for number in range(len(unit.pieces)):
                self._parse_piece(number)

    def _parse_slices(self, unit: RawUnit, workspace: Workspace) -> bool:
        """Parse one piece while it passes through the cache; False if it takes the whole text."""
        piece = unit.pieces[0]
        # The end of a file may lack a newline or have too many.
        if len(unit.pieces) > 1 or piece.text is not None or piece.ends_file:
            return False
        in_block = False
        for buffer, end in read_slices(piece, workspace):
            code, _, in_block, self.n_rows, self.n_movies = kernels.parse_netflix(
                buffer, 0, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_movies,
            )  # fmt: skip
            if code != kernels.OK or not end:
                return False
        self.n_lines.append(self.n_rows + self.n_movies)
        return True

    def _parse_piece(self, number: int) -> None:
        text = self._text
        position, end = text.edges[number], text.edges[number + 1]
        n_lines = -(self.n_rows + self.n_movies)
        counted, line = position, 0  # lines before `counted`
        in_block = False
        while position < end:
            code, position, in_block, self.n_rows, self.n_movies = kernels.parse_netflix(
                text.buffer, position, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_movies,
            )  # fmt: skip
            if code == kernels.OK:
                break
            if not self._skip_bad:
                raise text.bad_line(number, position, code).error()
            start, position, found = text.line_at(number, position)
            line += int(np.count_nonzero(text.buffer[counted:start] == ord("\n")))
            counted = start
            path = self._text.unit.pieces[number].file.label
            self.bad_lines.append((number, BadLine(path, line, found, kernels.EXPECTED[code])))
            n_lines += 1
            # What looks like a header hides whose ratings follow, so these are left out as well.
            no_header = code == kernels.BLANK_LINE or ("," in found and ":" not in found)
            in_block = in_block and no_header
        self.starts[self.n_movies] = self.n_rows
        self.n_lines.append(n_lines + self.n_rows + self.n_movies)

    def drop_repeated_users(self) -> None:
        """Leave out all but a user's first rating of a movie, and note the lines of the others."""
        n, starts = self.n_rows, self.starts[: self.n_movies + 1]
        movie = np.repeat(np.arange(self.n_movies), np.diff(starts))
        users = self.keys[:n] >> np.uint64(32)
        order = np.lexsort((users, movie))
        same = (np.diff(users[order]) == 0) & (np.diff(movie[order]) == 0)
        repeated = np.sort(order[1:][same])
        if not len(repeated):
            return
        for row in repeated.tolist():
            offset = int(self._offsets[row])
            number = int(np.searchsorted(self._text.edges, offset, side="right")) - 1
            _, _, found = self._text.line_at(number, offset)
            begin = self._text.edges[number]
            line = int(np.count_nonzero(self._text.buffer[begin:offset] == ord("\n")))
            expected = repeated_text(int(self.movies[movie[row]]), int(users[row]))
            path = self._text.unit.pieces[number].file.label
            self.bad_lines.append((number, BadLine(path, line, found, expected)))
        kept = np.delete(self.keys[:n], repeated)
        starts -= np.searchsorted(repeated, starts)
        self.n_rows = len(kept)
        self.keys[: self.n_rows] = kept
        self.bad_lines.sort(key=lambda item: (item[0], item[1].line))


def _read_pairs(
    file: RawFile, bad_lines: list[BadLine] | None, *, has_date: bool
) -> Iterator[Pairs]:
    workspace = Workspace()
    lines_before = 1
    for unit in plan_units([file], next_movie_header, _PAIR_UNIT_BYTES):
        blocks = _Blocks(
            unit, workspace, has_rating=False, has_date=has_date, skip_bad=bad_lines is not None
        )
        if bad_lines is not None:
            bad_lines += [
                BadLine(bad.path, lines_before + bad.line, bad.found, bad.expected)
                for _, bad in blocks.bad_lines
            ]
        lines_before += sum(blocks.n_lines)
        n, n_movies = blocks.n_rows, blocks.n_movies
        halves = blocks.keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        yield Pairs(
            movie_id=np.repeat(blocks.movies[:n_movies], np.diff(blocks.starts[: n_movies + 1])),
            user_id=halves[:, 1].copy(),
            day=halves[:, 0] >> 8 if has_date else None,
        )
