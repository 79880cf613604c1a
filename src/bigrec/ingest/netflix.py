"""The Netflix Prize set, in Kaggle's form or the original one.

Kaggle's has combined_data_1.txt to _4.txt, the original training_set/mv_*.txt, one movie a file;
both have movie_titles, probe and qualifying.
"""

from __future__ import annotations

from typing import Final

from bigrec.ingest.raw import RawFile, RawFolder
from bigrec.interactions import Scale

_RATING_FILES: Final = ("combined_data_*.txt", "training_set/mv_*.txt", "mv_*.txt")

PUBLISHED_COUNTS: Final = {
    "ratings": 100_480_507,
    "users": 480_189,
    "items": 17_770,
    "probe pairs": 1_408_395,
    "qualifying pairs": 2_817_131,
}


class NetflixFolder:
    """A folder or zip archive of the set. Files of ratings may be absent: a part is valid."""

    name = "netflix"
    item_name = "movie"
    signature = "combined_data_*.txt or training_set/mv_*.txt, and movie_titles (Netflix Prize)"
    scale = Scale.even(1, 5, 5)

    def __init__(self, folder: RawFolder) -> None:
        self._folder = folder
        self.rating_files = _rating_files(folder)
        self.one_movie_a_file = self.rating_files[0].label.name.startswith("mv_")
        self.probe_file = folder.find("probe.txt")
        self.qualifying_file = folder.find("qualifying.txt")
        self._is_synthetic = folder.has("SYNTHETIC.txt")  # `bigrec synth` marks them

    @staticmethod
    def recognises(folder: RawFolder) -> bool:
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
        return [*ratings, [self.titles_file()], *([file] for file in optional if file)]

    def coverage(self, counts: dict[str, int | None]) -> str:
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

    def titles_file(self) -> RawFile:
        """The file of titles.

        Raises:
            DataError: it is missing.
        """
        file = self._folder.find("movie_titles.csv", "movie_titles.txt")
        if file is None:
            raise self._folder.missing("movie_titles.csv", "movie_titles.txt")
        return file


def _rating_files(folder: RawFolder) -> list[RawFile]:
    for pattern in _RATING_FILES:
        if files := folder.glob(pattern, looks_inside="mv_" not in pattern):
            return files
    return []
