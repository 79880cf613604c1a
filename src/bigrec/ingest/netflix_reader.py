"""Reading the Netflix Prize set: movie blocks of ratings, titles, and pairs without ratings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from bigrec.ingest import kernels, row_kernels
from bigrec.ingest.netflix import NetflixFolder
from bigrec.ingest.raw import RawFile, empty_file_error
from bigrec.ingest.rows import (
    BadLine,
    Pairs,
    Rows,
    Titles,
    note_bad_line,
    require_few_bad_lines,
)
from bigrec.ingest.streams import MAX_LINE_BYTES, open_stream, read_lines
from bigrec.ingest.units import RawUnit, next_movie_header, plan_units, read_slices, read_unit
from bigrec.interactions import CODE_BITS
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
_TITLE_LINE: Final = re.compile(r"([1-9][0-9]{0,9}),(NULL|[0-9]{4}),([^\0\r]+)")


class NetflixReader:
    """Reads a NetflixFolder."""

    item_sorted = True
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
        n, n_items = blocks.n_rows, blocks.n_items
        movies, starts = blocks.movies[:n_items], blocks.starts[: n_items + 1]
        scratch = workspace.array("sort", int(np.diff(starts).max(initial=0)), np.uint64)
        row_kernels.sort_within_items(blocks.keys, starts, n_items, scratch)
        item_id = workspace.array("item_id", n, np.int32)
        row_kernels.spread_items(movies, starts, n_items, item_id)
        halves = blocks.keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        return Rows(
            item_id,
            halves[:, 1],
            halves[:, 0],
            int(movies[0]) if n_items else 0,
            int(movies[-1]) if n_items else 0,
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
            first = 0
            for match in lines:
                if match[0] != b"\n":
                    break
                place = match.end() + (block.end() if block else 0)
                piece = int(np.searchsorted(text.edges, place, side="right")) - 1
                bad = text.bad_line(piece, place, "")
                if first:
                    yield BadLine.repeated(bad.path, bad.line, bad.found, (movie, user), first)
                first = first or bad.line

    def sample(self) -> tuple[Array, Array, int]:
        """Movie ids are not sampled, since units come sorted by movie."""
        users: list[int] = []
        n_read = n_rows = n_total = 0
        places = max(1, _SAMPLE_PLACES // len(self._rating_files))
        every = max(1, len(self._rating_files) // _SAMPLE_PLACES)
        for number, file in enumerate(self._rating_files):
            size = file.size
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
        """Read the titles: split on the first two commas only; quotes belong to them.

        Raises:
            RawFormatError: a line is no `id,year,title`, and there is no list for such lines.
        """
        file = self._source.titles_file()
        titles: dict[int, tuple[str, int | None]] = {}
        for number, line in read_lines(file):
            match = _TITLE_LINE.fullmatch(line) if len(line) <= MAX_LINE_BYTES else None
            if match and int(match[1]) not in titles and int(match[1]) <= MAX_ID:
                titles[int(match[1])] = match[3], None if match[2] == "NULL" else int(match[2])
            elif line:
                repeated = match and int(match[1]) in titles
                expected = (
                    "a movie not listed before" if repeated else "id,year,title (year may be NULL)"
                )
                note_bad_line(BadLine(file.label, number, line, expected), bad_lines)
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
        bad_line = {} if has_rating else {kernels.BAD_LINE: kernels.BAD_LINE_OF_PAIRS[has_date]}
        self._expected = kernels.EXPECTED | bad_line
        self.n_rows = self.n_items = 0
        self.n_lines: list[int] = []
        self.bad_lines: list[tuple[int, BadLine]] = []
        if skip_bad or not self._parse_slices(unit, workspace):
            self.n_rows = self.n_items = 0
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
            code, _, in_block, self.n_rows, self.n_items = kernels.parse_netflix(
                buffer, 0, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_items,
            )  # fmt: skip
            if code != kernels.OK or not end:
                return False
        self.n_lines.append(self.n_rows + self.n_items)
        return True

    def _parse_piece(self, number: int) -> None:
        text = self._text
        position, end = text.edges[number], text.edges[number + 1]
        n_lines = -(self.n_rows + self.n_items)
        counted, line = position, 0  # lines before `counted`
        in_block = False
        while position < end:
            code, position, in_block, self.n_rows, self.n_items = kernels.parse_netflix(
                text.buffer, position, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_items,
            )  # fmt: skip
            if code == kernels.OK:
                break
            if not self._skip_bad:
                raise text.bad_line(number, position, self._expected[code]).error()
            start, position, found = text.line_at(number, position)
            line += int(np.count_nonzero(text.buffer[counted:start] == ord("\n")))
            counted = start
            path = self._text.unit.pieces[number].file.label
            self.bad_lines.append((number, BadLine(path, line, found, self._expected[code])))
            require_few_bad_lines(path, len(self.bad_lines))
            n_lines += 1
            # What looks like a header hides whose ratings follow, so these are left out as well.
            no_header = code == kernels.BLANK_LINE or ("," in found and ":" not in found)
            in_block = in_block and no_header
        self.starts[self.n_items] = self.n_rows
        self.n_lines.append(n_lines + self.n_rows + self.n_items)

    def drop_repeated_users(self) -> None:
        """Leave out all but a user's first rating of a movie, and note the lines of the others."""
        n, starts = self.n_rows, self.starts[: self.n_items + 1]
        movie = np.repeat(np.arange(self.n_items), np.diff(starts))
        users = self.keys[:n] >> np.uint64(32)
        order = np.lexsort((users, movie))
        same = (np.diff(users[order]) == 0) & (np.diff(movie[order]) == 0)
        if not same.any():
            return
        # Of rows that are the same, in the order of the file, all but the first are left out.
        is_first = np.concatenate([[True], ~same])
        first = order[np.maximum.accumulate(np.where(is_first, np.arange(n), 0))]
        repeated, counting = order[~is_first], first[~is_first]
        by_row = np.argsort(repeated)
        repeated, counting = repeated[by_row], counting[by_row]
        require_few_bad_lines(
            self._text.unit.pieces[0].file.label, len(self.bad_lines) + len(repeated)
        )
        for row, kept_row in zip(repeated.tolist(), counting.tolist(), strict=True):
            number, line, found = self._line_of(row)
            path = self._text.unit.pieces[number].file.label
            pair = int(self.movies[movie[row]]), int(users[row])
            earlier = self._line_of(kept_row)[1]
            bad = BadLine.repeated(path, line, found, pair, earlier)
            self.bad_lines.append((number, bad))
        kept = np.delete(self.keys[:n], repeated)
        starts -= np.searchsorted(repeated, starts)
        self.n_rows = len(kept)
        self.keys[: self.n_rows] = kept
        self.bad_lines.sort(key=lambda item: (item[0], item[1].line))

    def _line_of(self, row: int) -> tuple[int, int, str]:
        """The piece of a row, the number of its line there, from 0, and the line's text."""
        offset = int(self._offsets[row])
        number = int(np.searchsorted(self._text.edges, offset, side="right")) - 1
        _, _, found = self._text.line_at(number, offset)
        before = self._text.buffer[self._text.edges[number] : offset]
        return number, int(np.count_nonzero(before == ord("\n"))), found


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
            for _, bad in blocks.bad_lines:
                note_bad_line(bad.numbered(lines_before), bad_lines)
        lines_before += sum(blocks.n_lines)
        n, n_items = blocks.n_rows, blocks.n_items
        halves = blocks.keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        yield Pairs(
            item_id=np.repeat(blocks.movies[:n_items], np.diff(blocks.starts[: n_items + 1])),
            user_id=halves[:, 1].copy(),
            day=(halves[:, 0].view(np.uint32) >> CODE_BITS).astype(np.int32) if has_date else None,
        )
