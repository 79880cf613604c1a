"""MovieLens: 100K (u.data, u.item), 1M and 10M (ratings.dat, movies.dat), and the csv form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bigrec.ingest.raw import RawFile, RawFolder
from bigrec.interactions import Scale


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


class MovieLensFolder:
    """A folder or zip archive of one MovieLens set."""

    name = "movielens"
    item_name = "movie"
    signature = "ratings.csv, ratings.dat or u.data with its movies (MovieLens)"

    def __init__(self, folder: RawFolder) -> None:
        self._folder = folder
        present = [dialect for dialect in _DIALECTS if folder.has(dialect.ratings)]
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

    @staticmethod
    def recognises(folder: RawFolder) -> bool:
        """Whether the folder has a file of ratings."""
        return folder.has(*(dialect.ratings for dialect in _DIALECTS))

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
        return [[self.ratings_file], [self.movies_file()]]

    def coverage(self, counts: dict[str, int | None]) -> str:  # noqa: ARG002
        """MovieLens sets are many; nothing is said."""
        return ""

    def movies_file(self) -> RawFile:
        """The file of titles.

        Raises:
            DataError: it is missing.
        """
        file = self._folder.find(self.dialect.movies)
        if file is None:
            raise self._folder.missing(self.dialect.movies)
        return file
