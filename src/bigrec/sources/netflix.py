"""The Netflix Prize set, in Kaggle's form or the original one.

Kaggle's has combined_data_1.txt to _4.txt, the original training_set/mv_*.txt, one movie a file;
both have movie_titles, probe and qualifying. Ratings stand in blocks, one a movie.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from bigrec.interactions import CODE_BITS, Scale
from bigrec.schema import EPOCH_DAY, MAX_ID
from bigrec.sources.contract import TextSource
from bigrec.sources.fields import BAD_LINE, BLANK_LINE, EXPECTED, OK
from bigrec.sources.lines import count_lines, parse_piece, sample_ids
from bigrec.sources.netflix_kernels import parse_netflix, sort_within_items, spread_items
from bigrec.sources.parsed import (
    BadLine,
    Pairs,
    ParsedRows,
    Titles,
    note_bad_line,
    require_few_bad_lines,
)
from bigrec.sources.raw import RawFile, RawFolder, empty_file_error
from bigrec.sources.streams import MAX_LINE_BYTES, read_lines
from bigrec.sources.units import RawUnit, next_movie_header, plan_units, read_slices, read_unit
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_RATING_FILES: Final = ("combined_data_*.txt", "training_set/mv_*.txt", "mv_*.txt")

PUBLISHED_COUNTS: Final = {
    "ratings": 100_480_507,
    "users": 480_189,
    "items": 17_770,
    "probe pairs": 1_408_395,
    "qualifying pairs": 2_817_131,
}

_SHORTEST_HEADER = len("1:\n")
_SHORTEST_RATING = len("1,1,2000-01-01\n")
_SHORTEST_PAIR = len("1\n")
_PAIR_UNIT_BYTES = 8 << 20
_ITEM_HEADER: Final = re.compile(r"[0-9]+:\s*")
_ROW = re.compile(rb"\n(\d{1,10}),")
_TITLE_LINE: Final = re.compile(r"([1-9][0-9]{0,9}),(NULL|[0-9]{4}),([^\0\r]+)")
_LINE_OF_PAIRS: Final = {
    False: "an item header such as '8:' or the id of a user such as '1488844'",
    True: "an item header such as '8:' or a line such as '1488844,2005-09-06'",
}  # what BAD_LINE expects without ratings, by whether there are days


def looks_like_netflix(folder: RawFolder) -> bool:
    """Whether a file of ratings begins with the header of an item, whatever else is there.

    Args:
        folder: of that file.
    """
    files = _rating_files(folder)
    if not files:
        return False
    _, line = next(read_lines(files[0]), (1, ""))
    return bool(_ITEM_HEADER.fullmatch(line))


class NetflixSource(TextSource):
    """A folder or zip archive of the set. Files of ratings may be absent: a part is valid."""

    name = "netflix"
    signature = "combined_data_*.txt or training_set/mv_*.txt, and movie_titles (Netflix Prize)"
    item_name = "movie"
    scale = Scale.even(1, 5, 5)
    item_sorted = True

    def __init__(self, folder: RawFolder) -> None:
        super().__init__(folder)
        self.rating_files = _rating_files(folder)
        self.one_movie_a_file = self.rating_files[0].label.name.startswith("mv_")
        self.probe_file = folder.find("probe.txt")
        self.qualifying_file = folder.find("qualifying.txt")
        self._is_synthetic = folder.has("SYNTHETIC.txt")  # `bigrec synth` marks them

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        """Whether the folder has at least one file of ratings."""
        return any(folder.has_any(pattern) for pattern in _RATING_FILES)

    @property
    def form(self) -> str:
        """Which form of the set this is, in words."""
        return f"Netflix Prize, {'original' if self.one_movie_a_file else 'Kaggle'} form"

    def files(self) -> list[list[RawFile]]:
        """Every file that is read; files of one movie each are one group."""
        ratings = [self.rating_files] if self.one_movie_a_file else [[f] for f in self.rating_files]
        optional = (self.probe_file, self.qualifying_file)
        return [*ratings, [self._titles_file()], *([file] for file in optional if file)]

    def coverage(self, counts: Mapping[str, int | None]) -> str:
        """How the counts of a store, named as in PUBLISHED_COUNTS, compare with those."""
        if self._is_synthetic:
            return "synthetic data in the form of the Netflix Prize set"
        if counts == PUBLISHED_COUNTS:
            return "the complete Netflix Prize set"
        share = (counts["ratings"] or 0) / PUBLISHED_COUNTS["ratings"]
        differing = [
            f"{counts[name] or 0:,} of {published:,} {name}"
            for name, published in PUBLISHED_COUNTS.items()
            if counts[name] != published
        ]
        kind = "a part of" if share <= 1 else "more than"
        return f"{kind} the Netflix Prize set: {', '.join(differing)}"

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at movie headers, in ascending order of movies."""
        return plan_units(
            self.rating_files,
            next_movie_header,
            unit_bytes,
            join_files=self.one_movie_a_file,
        )

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> ParsedRows:
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
        sort_within_items(blocks.keys, starts, n_items, scratch)
        item_id = workspace.array("item_id", n, np.int32)
        spread_items(movies, starts, n_items, item_id)
        halves = blocks.keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        return ParsedRows(
            item_id,
            halves[:, 1],
            halves[:, 0],
            int(movies[0]) if n_items else 0,
            int(movies[-1]) if n_items else 0,
            tuple(blocks.n_lines),
            blocks.bad_lines,
        )

    def repeated_lines(
        self, unit: RawUnit | None, pairs: set[tuple[Any, Any]]
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
                position = match.end() + (block.end() if block else 0)
                piece = int(np.searchsorted(text.edges, position, side="right")) - 1
                bad = text.bad_line(piece, position, "")
                if first:
                    yield BadLine.repeated(bad.path, bad.line, bad.found, (movie, user), first)
                first = first or bad.line

    def sample(self) -> tuple[Array, Array, int]:
        """Movie ids are not sampled, since units come sorted by movie."""
        ids, n_rows = sample_ids(self.rating_files, _ROW)
        return np.zeros(1, np.int32), ids[:, 0], n_rows

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """Read the titles: split on the first two commas only; quotes belong to them.

        Raises:
            RawFormatError: a line is no `id,year,title`, and there is no list for such lines.
        """
        file = self._titles_file()
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

    def tables(self, bad_lines: list[BadLine] | None) -> Mapping[str, Iterator[Pairs]]:
        """The pairs of probe.txt and those of qualifying.txt with their days, if they are there."""
        found = {}
        if self.probe_file:
            found["probe"] = _read_pairs(self.probe_file, bad_lines, has_date=False)
        if self.qualifying_file:
            found["qualifying"] = _read_pairs(self.qualifying_file, bad_lines, has_date=True)
        return found

    def _titles_file(self) -> RawFile:
        """The file of titles; raises DataError if it is missing."""
        file = self.folder.find("movie_titles.csv", "movie_titles.txt")
        if file is None:
            raise self.folder.missing("movie_titles.csv", "movie_titles.txt")
        return file


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
        bad_line = {} if has_rating else {BAD_LINE: _LINE_OF_PAIRS[has_date]}
        self._expected = EXPECTED | bad_line
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
            code, _, in_block, self.n_rows, self.n_items = parse_netflix(
                buffer, 0, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_items,
            )  # fmt: skip
            if code != OK or not end:
                return False
        self.n_lines.append(self.n_rows + self.n_items)
        return True

    def _parse_piece(self, number: int) -> None:
        n_before = self.n_rows + self.n_items
        in_block = False

        def parse_on(position: int, end: int) -> tuple[int, int]:
            nonlocal in_block
            code, offset, in_block, self.n_rows, self.n_items = parse_netflix(
                self._text.buffer, position, end, in_block, *self._options,
                self.keys, self._offsets, self.movies, self.starts, self.n_rows, self.n_items,
            )  # fmt: skip
            return code, offset

        def leave_block(code: int, found: str) -> None:
            # What looks like a header hides whose ratings follow, so these are left out as well.
            nonlocal in_block
            no_header = code == BLANK_LINE or ("," in found and ":" not in found)
            in_block = in_block and no_header

        bad_lines = parse_piece(
            self._text, number, parse_on,
            expected=self._expected, skip_bad=self._skip_bad, skipped=leave_block,
        )  # fmt: skip
        self.starts[self.n_items] = self.n_rows
        self.bad_lines += bad_lines
        self.n_lines.append(len(bad_lines) + self.n_rows + self.n_items - n_before)

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
        return number, count_lines(before), found


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
            day=_days_of(halves[:, 0]) if has_date else None,
        )


def _days_of(payload: Array) -> Array:
    """Days since 1970-01-01, (n,) int32."""
    return (payload.view(np.uint32) >> CODE_BITS).astype(np.int32) - np.int32(EPOCH_DAY)


def _rating_files(folder: RawFolder) -> list[RawFile]:
    for pattern in _RATING_FILES:
        if files := folder.glob(pattern, looks_inside="mv_" not in pattern):
            return files
    return []
