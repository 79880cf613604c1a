"""What a source of ratings is: two levels of one contract.

A `BatchSource` yields Arrow record batches in any order, and bigrec does the rest: it checks every
row, sorts, and finds pairs that come twice. That is enough for anybody. A `TextSource` cuts its
files into byte ranges and parses them with compiled loops on all threads, as fast as the disk gives
them.

A source is a class. bigrec asks it whether it recognises a folder, and makes one object of it for
the folder; `registry` says how it is found. Its methods may be called from several threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bigrec.interactions import EXPLICIT, Scale
from bigrec.schema import BY_DAY
from bigrec.sources.parsed import (
    BadLine,
    ItemTable,
    KeyedRows,
    Pairs,
    ParsedRows,
    Titles,
)
from bigrec.sources.raw import RawFile, RawFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from bigrec.sources.units import RawUnit
    from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]


class ReadAgain(Exception):  # noqa: N818 - not a fault
    """A source has learned something about its files: the ingest starts again."""


class Source(ABC):
    """One raw data set on disk: what every source says, whichever way its ratings are read.

    Args:
        folder: a folder or zip archive that the source recognises.
    """

    name: ClassVar[str]
    """What `--source` and the manifest call it: a short word in lower case."""
    signature: ClassVar[str]
    """The files by which people know it, such as 'ratings.csv with its titles (MovieLens)'."""
    item_name: ClassVar[str] = "item"
    """What it calls an item, in the singular; SQL knows that word as well."""

    def __init__(self, folder: RawFolder) -> None:
        self.folder = folder

    @classmethod
    @abstractmethod
    def recognises(cls, folder: RawFolder) -> bool:
        """Whether a folder holds such a set, judged by the names of its files alone.

        Args:
            folder: the files of a folder or archive.
        """

    @abstractmethod
    def files(self) -> list[list[RawFile]]:
        """Every file that is read, in groups of which each is one entry of the manifest.

        A second ingest of the same files, by their names, sizes and times, does nothing.

        Raises:
            DataError: a file that belongs to the set is missing.
        """

    @property
    def scale(self) -> Scale | None:
        """The ratings that it may hold; None where they are those that come."""
        return None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the scale where ratings are those that come; None where these say it."""
        return None

    @property
    def time_unit(self) -> str:
        """What is kept of times: one of bigrec.schema.TIME_UNITS."""
        return BY_DAY

    @property
    def feedback(self) -> str:
        """What a row says, EXPLICIT or IMPLICIT."""
        return EXPLICIT

    @property
    def keyed(self) -> frozenset[str]:
        """The roles, `user` or `item`, whose ids are not to be kept but numbered.

        Where an id shows that it cannot be kept, all of its role are numbered anyway.
        """
        return frozenset()

    @property
    def form(self) -> str:
        """Which form of the data set this is, in words."""
        return self.name

    def coverage(self, counts: Mapping[str, int | None]) -> str:  # noqa: ARG002
        """How much of the published data set a store holds, in words; empty where nobody knows.

        Args:
            counts: of `ratings`, `users` and `items`, and of `NAME pairs` for every table that the
                store has room for; None where the source has none.
        """
        return ""

    def titles(self, bad_lines: list[BadLine] | None) -> Titles:  # noqa: ARG002
        """What is known of items. Those with ratings need no title.

        Args:
            bad_lines: takes lines that break the grammar; None to stop at the first.

        Raises:
            RawFormatError: a line breaks the grammar, and there is no list for it.
        """
        return Titles.from_mapping({})

    def items(self, bad_lines: list[BadLine] | None) -> ItemTable | None:  # noqa: ARG002
        """What is known of items by their keys, in place of titles by ids.

        Args:
            bad_lines: as in `titles`.
        """
        return None

    def tables(
        self,
        bad_lines: list[BadLine] | None,  # noqa: ARG002
    ) -> Mapping[str, Iterator[Pairs]]:
        """Tables of pairs beside the ratings, each in runs, by their names.

        Args:
            bad_lines: as in `titles`.

        Returns:
            Tables that the store has room for: probe, pairs that a split may hold out, and
            qualifying, pairs whose ratings nobody knows.
        """
        return {}


class BatchSource(Source):
    """A source that yields Arrow record batches. Only `batches` is to be written beside the above.

    The first group of `files` holds the ratings. A row that cannot be stored stops the ingest, or
    is left out where that is asked for; in both cases it is named by its number, from 1 over all
    batches, and by that file, or by the folder if they are several.
    """

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """The ratings in any order, some hundred thousand rows at a time.

        Columns are taken by their names, others are passed over: user_id and item_id, integers or
        texts of 1 to bigrec.sources.parsed.MAX_KEY_BYTES bytes (integers from 1 to
        bigrec.schema.MAX_ID are kept as ids, all others are numbered); rating, numbers of the
        scale; date, days or timestamps from 1921 to 2099, in UTC. Nothing is null, and no pair of a
        user and an item comes twice. Without a rating every row has 1; a date is left out where
        time_unit is none.

        It may be called again, to say where something stands, and then yields the same rows.
        """

    def batches_but(self, bad_lines: list[BadLine]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        """The same without rows that cannot even be put into a batch.

        Args:
            bad_lines: takes these, numbered as they are shown to people.
        """
        return self.batches()

    def locate(self, row: int) -> tuple[Path, str, int]:
        """Where a row stands: a file, what rows are called in it, and the number there.

        Args:
            row: its number, from 0 over all batches.
        """
        return self._where, "row", row + 1

    @property
    def _where(self) -> Path:
        files = self.files()[0]
        return files[0].label if len(files) == 1 else self.folder.root

    @property
    def n_rows(self) -> int | None:
        """About how many rows there are; None where that is not known without reading them."""
        return None


class TextSource(Source):
    """A source of text that is cut into units, parsed by any number of threads at a time."""

    item_sorted: ClassVar[bool] = False
    """Whether units hold whole items in ascending order, each sorted by user."""
    bad_lines: ClassVar[tuple[BadLine, ...]] = ()
    """Those that are left out come with the rows of their unit."""

    @property
    def first_line(self) -> int:
        """Number of the first line of ratings in a file."""
        return 1

    @abstractmethod
    def units(self, unit_bytes: int) -> Iterator[RawUnit]:
        """The ratings, cut into units; see `units.plan_units`.

        Args:
            unit_bytes: bytes of text of a unit to aim at.
        """

    @abstractmethod
    def parse(
        self, unit: RawUnit, workspace: Workspace, *, skip_bad: bool
    ) -> ParsedRows | KeyedRows:
        """The rows of one unit.

        Args:
            unit: one of `units`.
            workspace: scratch memory of the thread, which may hold the result.
            skip_bad: whether lines that break the grammar are left out, and noted in the rows.

        Raises:
            RawFormatError: a line breaks the grammar, and such lines are not to be skipped.
        """

    @abstractmethod
    def repeated_lines(
        self, unit: RawUnit | None, pairs: set[tuple[Any, Any]]
    ) -> Iterator[BadLine]:
        """The lines on which users rate items again, in the order of the files.

        Args:
            unit: where they are sought if the source is item-sorted; None for all files.
            pairs: (item, user) of what stands on more than one line, as their ids or, if the source
                yields keys, as those.
        """

    @abstractmethod
    def sample(self) -> tuple[Array, Array, int]:
        """Some item ids and user ids (int32) from all over the files, and an estimate of rows."""
