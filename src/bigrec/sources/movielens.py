"""MovieLens: 100K (u.data, u.item), 1M and 10M (ratings.dat, movies.dat), and the csv form.

Rows come in any order, with timestamps in seconds that become UTC days.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.interactions import CODE_BITS, Scale
from bigrec.schema import EPOCH_DAY, MAX_ID
from bigrec.sources.contract import TextSource
from bigrec.sources.csv_records import Record, read_records
from bigrec.sources.fields import (
    BAD_ITEM,
    BAD_RATING,
    BAD_SEPARATOR,
    BAD_TIMESTAMP,
    BAD_USER,
    BAD_WHOLE_STARS,
    BLANK_LINE,
    COLON,
    COMMA,
    DOT,
    EXPECTED,
    FIVE,
    LAST_SECOND,
    MORE_FIELDS,
    NO_RATING,
    NO_TIMESTAMP,
    OK,
    SECONDS_A_DAY,
    ZERO,
    line_end,
    read_id,
)  # fmt: skip
from bigrec.sources.lines import parse_piece, sample_ids
from bigrec.sources.parsed import BadLine, ParsedRows, Titles, note_bad_line
from bigrec.sources.raw import RawFile, RawFolder
from bigrec.sources.streams import BOM, MAX_LINE_BYTES, decode_line, open_stream, read_lines
from bigrec.sources.units import PADDING, RawUnit, next_line, plan_units, read_unit
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

_RATINGS_HEADER: Final = "userId,movieId,rating,timestamp"
_MOVIES_HEADER: Final = "movieId,title,genres"
_GENRES: Final = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""In the order of MovieLens 100K's flags, as its u.genre has them."""
_ID: Final = re.compile("[0-9]{1,10}")
_FORBIDDEN: Final = frozenset("\0\r")
_IDS_BYTES = 30  # two ids with what stands behind them are shorter
_SHORTEST_ROW = len("1,1,1,1\n")
_YEAR = re.compile(r"\s*\((\d{4})(?:[-\u2013]\d{0,4})?\)\s*$")


@dataclass(frozen=True)
class _Dialect:
    """One form of the files."""

    form: str
    ratings: str  # file name
    movies: str  # file name
    separator: str  # between the fields of a rating
    has_header: bool = False
    whole_stars: bool = False


_DIALECTS: Final = (
    _Dialect("MovieLens, csv form", "ratings.csv", "movies.csv", ",", has_header=True),
    _Dialect("MovieLens 1M", "ratings.dat", "movies.dat", "::", whole_stars=True),
    _Dialect("MovieLens 10M", "ratings.dat", "movies.dat", "::"),
    _Dialect("MovieLens 100K", "u.data", "u.item", "\t", whole_stars=True),
)


class MovieLensSource(TextSource):
    """A folder or zip archive of one MovieLens set."""

    name = "movielens"
    signature = "ratings.csv, ratings.dat or u.data with its movies (MovieLens)"
    item_name = "movie"

    def __init__(self, folder: RawFolder) -> None:
        super().__init__(folder)
        present = [dialect for dialect in _DIALECTS if folder.has(dialect.ratings)]
        present = [dialect for dialect in present if folder.has(dialect.movies)] or present
        # Among the .dat sets only 1M knows its users' age and trade, and only it has whole stars.
        with_users = folder.has("users.dat")
        self.dialect = next(
            dialect
            for dialect in present
            if dialect.separator != "::" or dialect.whole_stars == with_users
        )
        ratings = folder.find(self.dialect.ratings)
        assert ratings is not None  # noqa: S101 - `present` holds only such dialects
        self.ratings_file = ratings

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        """Whether the folder has a file of ratings and its titles; without them it is a table."""
        return any(folder.has(each.ratings) and folder.has(each.movies) for each in _DIALECTS)

    @property
    def form(self) -> str:
        """Which set this is, in words."""
        return self.dialect.form

    @property
    def scale(self) -> Scale:
        """The ratings that the set may hold."""
        return Scale.even(1, 5, 5) if self.dialect.whole_stars else Scale.even(0.5, 5, 10)

    def files(self) -> list[list[RawFile]]:
        """Every file that is read."""
        return [[self.ratings_file], [self._movies_file()]]

    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut at lines."""
        if self.dialect.has_header:
            with open_stream(self.ratings_file) as file:
                header = decode_line(file.readline(200).removeprefix(BOM))
            if header and header != _RATINGS_HEADER:
                expected = f"the header {_RATINGS_HEADER!r}"
                raise BadLine(self.ratings_file.label, 1, header, expected).error()
        skip = int(self.dialect.has_header)
        return plan_units([self.ratings_file], next_line, unit_bytes, skip_lines=skip)

    def parse(self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool) -> ParsedRows:
        """Parse a unit; rows stay in the order of the file.

        Raises:
            RawFormatError: a line breaks the grammar.
        """
        text = read_unit(unit, workspace)
        keys = workspace.array("keys", text.edges[-1] // _SHORTEST_ROW + 1, np.uint64)
        movies = workspace.array("item_id", len(keys), np.int32)
        separator = self.dialect.separator
        n = 0

        def parse_on(position: int, end: int) -> tuple[int, int]:
            nonlocal n
            code, offset, n = _parse_delimited(
                text.buffer, position, end, ord(separator[0]), len(separator),
                self.dialect.whole_stars, keys, movies, n,
            )  # fmt: skip
            return code, offset

        n_lines: list[int] = []
        bad_lines: list[tuple[int, BadLine]] = []
        for number in range(len(unit.pieces)):
            n_before = n
            bad = parse_piece(text, number, parse_on, expected=EXPECTED, skip_bad=skip_bad)
            bad_lines += bad
            n_lines.append(n - n_before + len(bad))
        halves = keys[:n].view("<i4").reshape(n, 2)  # payload, user_id
        return ParsedRows(
            movies[:n], halves[:, 1], halves[:, 0], n_lines=tuple(n_lines), bad_lines=bad_lines
        )

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings."""
        return 1 + int(self.dialect.has_header)

    def repeated_lines(
        self,
        unit: RawUnit | None,  # noqa: ARG002
        pairs: set[tuple[Any, Any]],
    ) -> Iterator[BadLine]:
        """The lines of the file on which users rate movies again, for (movie, user) pairs."""
        separator = self.dialect.separator.encode()
        keys, movies = np.empty(1, np.uint64), np.empty(1, np.int32)
        starts = {b"%d%b%d%b" % (user, separator, movie, separator) for movie, user in pairs}
        counts: dict[tuple[int, int], int] = {}
        with open_stream(self.ratings_file) as file:
            for number, line in enumerate(file, start=1):
                fields = line[:_IDS_BYTES].removeprefix(BOM).split(separator, 2)
                if len(fields) < 3 or separator.join([*fields[:2], b""]) not in starts:
                    continue
                text = line.removeprefix(BOM).removesuffix(b"\n") + b"\n"
                padded = np.frombuffer(text + bytes(PADDING), np.uint8)
                code, _, _ = _parse_delimited(
                    padded, 0, len(text), separator[0], len(separator),
                    self.dialect.whole_stars, keys, movies, 0,
                )  # fmt: skip
                if code != OK:
                    continue  # it was left out for itself
                pair = int(fields[1]), int(fields[0])
                if pair in counts:
                    yield BadLine.repeated(
                        self.ratings_file.label, number, decode_line(text), pair,
                        counts[pair],
                    )  # fmt: skip
                else:
                    counts[pair] = number

    def sample(self) -> tuple[Array, Array, int]:
        """Ids from lines at places all over the file."""
        separator = re.escape(self.dialect.separator).encode()
        row = re.compile(rb"\n(\d{1,10})%b(\d{1,10})%b" % (separator, separator))
        ids, n_rows = sample_ids([self.ratings_file], row)
        return ids[:, 1], ids[:, 0], n_rows

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:
        """Read the movies; the year is the one in brackets behind the title, `genres` is kept.

        Raises:
            RawFormatError: a line has another form, and there is no list for such lines.
        """
        import pyarrow as pa

        file = self._movies_file()
        titles: dict[int, tuple[str, int | None]] = {}
        genres: dict[int, str | None] = {}
        for record in self._movie_records(file):
            if expected := self._fault(record, titles):
                note_bad_line(BadLine(file.label, record.line, record.text, expected), bad_lines)
                continue
            movie, title, *others = record.fields or []
            year = _YEAR.search(title)
            titles[int(movie)] = _YEAR.sub("", title), int(year[1]) if year else None
            named = "".join(others[:1]) if self._names_genres else _flagged(others)
            genres[int(movie)] = named or None
        in_order = pa.array([genres[movie] for movie in sorted(genres)], pa.string())
        return replace(Titles.from_mapping(titles), attributes=pa.table({"genres": in_order}))

    @property
    def _names_genres(self) -> bool:
        """Whether genres stand as words behind the title; 100K has flags."""
        return self.dialect.has_header or self.dialect.separator == "::"

    def _fault(self, record: Record, titles: Container[int]) -> str:
        """What is expected where a record describes no further movie; empty if it does."""
        fields = record.fields
        if len(record.text) > MAX_LINE_BYTES:
            return f"a line of at most {MAX_LINE_BYTES} bytes"
        if fields is None:
            return "quotes that are closed on their line"
        if self.dialect.has_header and len(fields) != _MOVIES_HEADER.count(",") + 1:
            return f"the fields {_MOVIES_HEADER} and no more; a title with a comma needs quotes"
        if len(fields) < 2 or not _is_id(fields[0]) or int(fields[0]) in titles:
            return "a new movie id, then its title"
        named = "".join(fields[1:])
        return "a title and genres without NUL or CR" if _FORBIDDEN.intersection(named) else ""

    def _movie_records(self, file: RawFile) -> Iterator[Record]:
        """Yield what describes movies."""
        lines = read_lines(file)
        if self.dialect.has_header:
            number, header = next(lines, (1, ""))
            if header != _MOVIES_HEADER:
                expected = f"the header {_MOVIES_HEADER!r}"
                raise BadLine(file.label, number, header, expected).error()
            for record in read_records(lines, _begins_movie):
                if record.fields != []:  # of a blank line
                    yield record
            return
        separator = "::" if self._names_genres else "|"
        for number, line in lines:
            if line:
                yield Record(number, line, line.split(separator))

    def _movies_file(self) -> RawFile:
        """The file of titles; raises DataError if it is missing."""
        file = self.folder.find(self.dialect.movies)
        if file is None:
            raise self.folder.missing(self.dialect.movies)
        return file


def _flagged(fields: Sequence[str]) -> str:
    """The genres that have a flag, with | between them as in other files; flags come last."""
    flags = fields[-len(_GENRES) :]
    return "|".join(name for name, flag in zip(_GENRES, flags, strict=False) if flag == "1")


def _begins_movie(line: str) -> bool:
    return _is_id(line.partition(",")[0])


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and 0 < int(text) <= MAX_ID


@compiled
def _blame_id(byte, bad_id):  # type: ignore[no-untyped-def]
    """The code for a byte behind an id that is not the separator: is it one of another file?"""
    for separator in (9, 10, 13, 32, COMMA, COLON, 59, 124):
        if byte == separator:
            return BAD_SEPARATOR
    return bad_id


@compiled
def _parse_delimited(  # type: ignore[no-untyped-def]
    text, position, end, separator, separator_width, whole_stars, keys, items, n_rows
):  # fmt: skip
    """Parse lines `user_id SEP item_id SEP rating SEP timestamp`, in any order.

    Args:
        text: uint8; text[end - 1] is a newline, and 16 more bytes may be looked at.
        position, end: the bytes to parse.
        separator: the byte between fields.
        separator_width: how often it stands there: 1, or 2 for `::`.
        whole_stars: whether a rating is a digit from 1 to 5, not half stars from 0.5 to 5. The
            lowest of them has code 0.
        keys: uint64 out, one a row.
        items: int32 out, one a row.
        n_rows: how much of the arrays is in use already.

    Returns:
        (error code, offset of the offence, number of rows).
    """
    bad_rating = BAD_WHOLE_STARS if whole_stars else BAD_RATING
    while position < end:
        line = position
        user, position = read_id(text, position)
        if user < 0:
            return (BLANK_LINE if line_end(text, line) >= 0 else BAD_USER), line, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                return _blame_id(text[position], BAD_USER), position, n_rows
            position += 1
        item, position = read_id(text, position)
        if item < 0:
            return BAD_ITEM, position, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                if line_end(text, position) >= 0:
                    return NO_RATING, position, n_rows
                return _blame_id(text[position], BAD_ITEM), position, n_rows
            position += 1
        rating_at = position
        half_stars = (np.int64(text[position]) - ZERO) * 2
        if half_stars < 0 or half_stars > 10:
            return bad_rating, rating_at, n_rows
        position += 1
        if text[position] == DOT and not whole_stars:
            if text[position + 1] == FIVE:
                half_stars += 1
            elif text[position + 1] != ZERO:
                return bad_rating, rating_at, n_rows
            position += 2
            while text[position] == ZERO:  # 4.00 is 4.0
                position += 1
        if half_stars < 1 or half_stars > 10:
            return bad_rating, rating_at, n_rows
        for _ in range(separator_width):
            if text[position] != separator:
                missing = line_end(text, position) >= 0
                return (NO_TIMESTAMP if missing else bad_rating), rating_at, n_rows
            position += 1
        seconds = np.int64(0)
        first_digit = position
        digit = np.int64(text[position]) - ZERO
        while 0 <= digit <= 9 and position - first_digit < 11:
            seconds = seconds * 10 + digit
            position += 1
            digit = np.int64(text[position]) - ZERO
        after = line_end(text, position)
        if position == first_digit or seconds > LAST_SECOND or after < 0:
            more = position > first_digit and text[position] == separator
            return (MORE_FIELDS if more else BAD_TIMESTAMP), first_digit, n_rows
        code = half_stars // 2 - 1 if whole_stars else half_stars - 1
        payload = (EPOCH_DAY + seconds // SECONDS_A_DAY) << CODE_BITS | code
        keys[n_rows] = (np.uint64(user) << np.uint64(32)) | np.uint64(payload)
        items[n_rows] = item
        n_rows += 1
        position = after
    return OK, position, n_rows
