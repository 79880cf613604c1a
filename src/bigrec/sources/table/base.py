"""What tables of ratings share, however they are written."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError
from bigrec.interactions import EXPLICIT, IMPLICIT, Scale
from bigrec.schema import BY_DAY, BY_SECOND, NO_TIME
from bigrec.sources.contract import Source
from bigrec.sources.parsed import BadLine, ItemTable
from bigrec.sources.raw import RawFile, RawFolder
from bigrec.sources.table.files import bare_name, group_files
from bigrec.sources.table.items_file import ItemsPlan, peek_items, read_items
from bigrec.sources.table.named_sets import NamedSet
from bigrec.sources.table.plan import ITEM, TIME, USER, TablePlan
from bigrec.sources.table.times import are_days

KEPT_TIMES: Final = ("seconds", "days")
"""What may be kept of times."""
_CANONICAL_ID: Final = re.compile(r"[1-9][0-9]{0,9}")
_, _DAYS = KEPT_TIMES


@dataclass(frozen=True)
class TableSettings:
    """What is to be kept of a table; what is not said follows from the rows."""

    ends: tuple[float, float] | None = None
    """The lowest and the highest rating that there may be."""
    time: str | None = None
    """One of KEPT_TIMES."""
    items: Path | None = None
    """A file that says what items are."""
    item_columns: Mapping[str, str] = field(default_factory=dict)
    """Its columns; see items_file.ITEM_ROLES."""

    def __post_init__(self) -> None:
        if self.time is not None and self.time not in KEPT_TIMES:
            raise SettingsError.unknown_name("choice for time", self.time, KEPT_TIMES)


class TableSource(Source):
    """A table of ratings.

    Args:
        folder: where it is.
        plan: how it is written.
        settings: what is to be kept.
        named: the published set that it is, if it was said to be one.
    """

    name = "table"
    signature = "any table of ratings, as text, JSON lines, Parquet or Arrow"

    def __init__(
        self,
        folder: RawFolder,
        plan: TablePlan,
        settings: TableSettings,
        named: NamedSet | None = None,
    ) -> None:
        super().__init__(folder)
        self.plan = plan
        self._settings = settings
        if named is not None:
            # Of this object alone: there is no class for each set.
            self.name, self.item_name = named.name, named.item_name  # type: ignore[misc]
        self._title = named.title if named else ""
        self._item_columns: Mapping[str, str] = {}
        self._items_file = RawFile(settings.items) if settings.items else None
        if named is not None and self._items_file is None:
            self._items_file = _find_items(folder.root, named)
            self._item_columns = named.item_columns

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:  # noqa: ARG003
        """Never by names alone; see bigrec.sources.table.recognise."""
        return False

    @property
    def form(self) -> str:
        """Which set and which form it is, in words."""
        return f"{self._title}, {self.plan.form}" if self._title else f"table, {self.plan.form}"

    def files(self) -> list[list[RawFile]]:
        """Every file that is read."""
        groups = [list(self.plan.files)]
        return [*groups, [self._items_file]] if self._items_file else groups

    def items(self, bad_lines: list[BadLine] | None) -> ItemTable | None:
        """What is known of items, if there is a file of them."""
        if self._items_file is None:
            return None
        return read_items(self._items_file, *self._said_of_items, bad_lines)

    def peek_items(self) -> ItemsPlan | None:
        """What the file of items is taken for, if there is one.

        Raises:
            SettingsError: a column that is named is not there.
            DataError: it cannot be read, or does not show which column is the key.
        """
        if self._items_file is None:
            return None
        return peek_items(self._items_file, *self._said_of_items)

    @property
    def _said_of_items(self) -> tuple[Mapping[str, str], str]:
        """The columns of the file of items, and what the ratings call theirs."""
        columns: Mapping[str, int] = self.plan.columns
        name = self.plan.names[columns[ITEM]] if ITEM in columns else ""
        return self._settings.item_columns or self._item_columns, name

    @property
    def scale(self) -> Scale | None:
        """None: ratings are those that come."""
        return None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the scale that somebody gave."""
        return self._settings.ends

    @property
    def feedback(self) -> str:
        """What a row says."""
        return IMPLICIT if self.plan.implicit else EXPLICIT

    @property
    def forgets_ratings(self) -> bool:
        """Whether the column of ratings is not read."""
        return bool(self.plan.no_rating) and self.plan.no_rating_rows == "implicit"

    @property
    def days_are_guessed(self) -> bool:
        """Whether only the first rows say that times are whole days."""
        return self._settings.time is None

    @property
    def time_unit(self) -> str:
        """What is kept of times: seconds, unless all that the first rows have is days."""
        if TIME not in self.plan.columns:
            return NO_TIME
        if self._settings.time is not None:
            return BY_DAY if self._settings.time == _DAYS else BY_SECOND
        return BY_DAY if are_days(self.plan) else BY_SECOND

    @property
    def keyed(self) -> frozenset[str]:
        """The roles whose ids in the first rows are none that can be kept."""
        columns: Mapping[str, int] = self.plan.columns
        return frozenset(
            role
            for role in (USER, ITEM)
            if role in columns
            and not all(_CANONICAL_ID.fullmatch(row[columns[role]]) for row in self.plan.examples)
        )


def _find_items(root: Path, named: NamedSet) -> RawFile | None:
    """The file of items of a published set, if it lies beside the ratings."""
    files = [file for group in group_files(root).values() for file in group]
    for pattern in named.items_patterns:
        for file in files:
            if fnmatch.fnmatchcase(bare_name(file).lower(), pattern):
                return file
    return None
