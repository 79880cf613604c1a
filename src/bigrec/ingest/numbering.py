"""From rows as a source has them to rows as a store has them: keys become ids, ratings codes.

Units are looked up by all threads at a time. What is new in a unit, a key or a rating, is numbered
when it is the unit's turn, so that the same files give the same store whatever the threads.

Where the keys fill the memory, rows of further ones wait in a file. When all units are through, the
tables are emptied and the rows of the file are the next round's units, until none waits. The ids
are those that one table without bounds would have given.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.ingest.key_file import KeyFile, KeyReader
from bigrec.ingest.key_table import KeyTable, Memory
from bigrec.ingest.value_table import ValueTable
from bigrec.ingest.waiting_rows import HalfKnown, WaitingRows
from bigrec.interactions import CODE_BITS, Scale
from bigrec.schema import MAX_ID
from bigrec.sources.fields import ZERO
from bigrec.sources.keys import KEY_PADDING, Keys
from bigrec.sources.parsed import KeyedRows, ParsedRows
from bigrec.sources.raw import RawFile
from bigrec.workspace import Workspace

Array = np.ndarray[Any, Any]

ITEM, USER = "item", "user"
ROLES: Final = (ITEM, USER)
_READ_KEYS: Final = 1 << 16
_ONE: Final = np.ones(1, np.float32)
"""The rating of every row where there are none."""
_NONE_FAILED: Final = 1 << 62


class OtherKeys(Exception):  # noqa: N818 - not a fault: the ingest starts again
    """Ids that were to be kept are none that can be: they are to be numbered as keys.

    Args:
        role: user or item.
    """

    def __init__(self, role: str) -> None:
        super().__init__(role)
        self.role = role


class Abandoned(Exception):  # noqa: N818 - of a unit whose turn never comes
    """An earlier unit failed, and its error is the one to tell."""


class Turns:
    """Lets units pass one at a time, in the order of their numbers."""

    def __init__(self) -> None:
        self._next = self._n_done = 0
        self._failed = _NONE_FAILED
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        """Wait for the turn of a unit.

        Raises:
            Abandoned: an earlier unit failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: number > self._failed or self._next == number)
            if number > self._failed:
                raise Abandoned

    def pass_on(self) -> None:
        """It is the next unit's turn."""
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def break_off(self, number: int) -> None:
        """No unit behind this one gets its turn."""
        with self._changed:
            self._failed = min(self._failed, number)
            self._changed.notify_all()

    def done(self) -> None:
        """A unit is through with everything."""
        with self._changed:
            self._n_done += 1
            self._changed.notify_all()

    def wait_for_all(self, n_units: int) -> None:
        """Wait until so many units are through, or one has failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._failed != _NONE_FAILED or self._n_done >= n_units)


@dataclass(frozen=True)
class WaitingUnit:
    """Rows of an earlier unit that waited for a table with room."""

    rows: WaitingRows
    """Where they wait."""
    unit: int
    """The number of that unit."""
    n_bytes: int = 0
    """The files have been read."""
    files: tuple[RawFile, ...] = ()
    """No line of theirs is counted again."""


class Numbering:
    """Turns keyed rows into parsed rows.

    Args:
        folder: for temporary files.
        keyed: the roles, user or item, whose ids are numbered; others are kept.
        scale: the ratings that there may be; None to take those that come.
        max_bytes: memory for the tables of keys.
    """

    def __init__(
        self, folder: Path, keyed: frozenset[str], scale: Scale | None, max_bytes: int
    ) -> None:
        self.turns = Turns()
        self.values = ValueTable(scale)
        self._folder = folder
        self._memory = Memory(max_bytes)
        self._tables = {
            role: KeyTable(folder / f"keys-{role}-0", self._memory) for role in sorted(keyed)
        }
        self._full: list[tuple[str, KeyTable]] = []  # of earlier rounds
        self._n_rounds = self._n_begun = 0
        self._waiting = WaitingRows(folder / "waiting-0")

    def number(self, number: int, rows: KeyedRows, workspace: Workspace) -> ParsedRows:
        """The rows of a unit as a store has them; those that wait are left out.

        Args:
            number: of the unit, from 0.
            rows: of the unit.
            workspace: scratch memory of the thread, which holds the result.

        Raises:
            OtherKeys: ids were to be kept, and one is none that can be.
            DataError: there are too many distinct ratings, users or items.
            Abandoned: an earlier unit failed.
        """
        rating = _ONE if rows.rating is None else rows.rating
        keys = {ITEM: rows.item, USER: rows.user}
        ids = {role: self._find(role, keys[role], workspace) for role in ROLES}
        payload = workspace.array("payload", len(ids[ITEM]), np.int32)
        codes = payload if rows.rating is not None else np.empty(1, np.int32)
        self.values.find(rating, codes)
        self.turns.wait(number)
        for role, table in self._tables.items():
            table.add(_as_keys(keys[role]), ids[role])
        self.values.add(rating, codes)
        self.turns.pass_on()
        if rows.rating is None:
            payload[:] = codes[0]
        if rows.day is not None:
            add_days(payload, rows.day)
        whole = HalfKnown(ids, {}, payload, rows.second)
        if any(table.is_full for table in self._tables.values()):
            whole.keys.update({role: _as_keys(keys[role]) for role in ROLES})
        return self._known(number, whole, rows)

    def number_waiting(self, number: int, unit: WaitingUnit, workspace: Workspace) -> ParsedRows:
        """The same of rows that waited.

        Args:
            number: of the unit, one behind the other over all rounds.
            unit: one of `rounds`.
            workspace: scratch memory of the thread.

        Raises:
            Abandoned: an earlier unit failed.
        """
        rows = unit.rows.read(unit.unit)
        ids = {role: rows.ids[role].copy() for role in ROLES}
        unknown = {role: np.flatnonzero(ids[role] == 0) for role in self._tables}
        keys = {role: rows.keys[role].take(unknown[role]) for role in self._tables}
        found = {
            role: table.find(keys[role], workspace, f"{role} ids")
            for role, table in self._tables.items()
        }
        self.turns.wait(number)
        for role, table in self._tables.items():
            table.add(keys[role], found[role])
        self.turns.pass_on()
        for role in self._tables:
            ids[role][unknown[role]] = found[role]
        return self._known(number, HalfKnown(ids, rows.keys, rows.payload, rows.second))

    def rounds(self, units: Iterator[Any]) -> Iterator[Any]:
        """All units, then those of the rows that waited, until none waits.

        Args:
            units: those of the files.
        """
        if not self._tables:
            yield from units  # of which none can wait
            return
        while True:
            for unit in units:
                self._n_begun += 1
                yield unit
            self.turns.wait_for_all(self._n_begun)
            if not self._waiting.n_rows:
                return
            units = self._next_round()

    def key_readers(self) -> dict[str, KeyReader]:
        """What reads the keys of each role that has them, in the order of their ids."""
        files: dict[str, list[KeyFile]] = {}
        for role, table in [*self._full, *self._tables.items()]:
            files.setdefault(role, []).append(table.file)
        return {role: KeyReader(some) for role, some in files.items()}

    def key_pairs(self, pairs: set[tuple[int, int]]) -> set[tuple[Any, Any]]:
        """Pairs of ids as the source has them.

        Args:
            pairs: (item_id, user_id).
        """
        item, user = (
            self._keys_of(role, np.unique([pair[side] for pair in pairs]))
            for side, role in enumerate(ROLES)
        )
        return {(item.get(one, one), user.get(other, other)) for one, other in pairs}

    def _keys_of(self, role: str, ids: Array) -> dict[int, str]:
        """The keys of some ids, ascending; empty where ids are the source's own."""
        found: dict[int, str] = {}
        if (reader := self.key_readers().get(role)) is None:
            return found
        first = 1
        while len(found) < len(ids):
            keys = reader.read(_READ_KEYS)
            for number in ids[(ids >= first) & (ids < first + len(keys))].tolist():
                found[number] = keys[number - first].as_py()
            first += len(keys)
        reader.close()
        return found

    def append_keys(self, role: str, keys: Keys) -> None:
        """Add keys behind all others, of what has no row.

        Args:
            role: whose they are.
            keys: none of which is there.
        """
        self._tables[role].file.append(keys)

    def release(self) -> None:
        """Give the memory of the tables back; the keys stay on disk."""
        for table in self._tables.values():
            table.release()

    def close(self) -> None:
        """Delete the temporary files."""
        for _, table in [*self._full, *self._tables.items()]:
            table.file.close()
        self._waiting.close()

    def _find(self, role: str, keys: Keys | Array, workspace: Workspace) -> Array:
        """The ids of a column, 0 where one is unknown."""
        if not isinstance(keys, Keys):
            return keys
        if role in self._tables:
            return self._tables[role].find(keys, workspace, f"{role} ids")
        ids = workspace.array(f"{role} ids", len(keys.starts), np.int32)
        if keep_ids(keys.text, keys.starts, keys.lengths, ids) < len(ids):
            raise OtherKeys(role)
        return ids

    def _known(self, number: int, rows: HalfKnown, unit: KeyedRows | None = None) -> ParsedRows:
        """The rows that have both their ids; others go to the file."""
        item, user, payload, second = rows.ids[ITEM], rows.ids[USER], rows.payload, rows.second
        if rows.keys:
            known = (item != 0) & (user != 0)
            if not known.all():
                self._waiting.add(number, rows.take(np.flatnonzero(~known)))
                item, user, payload = item[known], user[known], payload[known]
                second = None if second is None else second[known]
        self.turns.done()
        n_lines, bad_lines = (unit.n_lines, unit.bad_lines) if unit else ((), [])
        return ParsedRows(item, user, payload, n_lines=n_lines, bad_lines=bad_lines, second=second)

    def _next_round(self) -> Iterator[WaitingUnit]:
        """The rows that wait, once the tables that are full are empty."""
        self._n_rounds += 1
        waiting = self._waiting
        self._waiting = WaitingRows(self._folder / f"waiting-{self._n_rounds}")
        for role, table in self._tables.items():
            if table.is_full:
                table.release()
                self._full.append((role, table))
                path = self._folder / f"keys-{role}-{self._n_rounds}"
                self._tables[role] = KeyTable(path, self._memory, table.next_id)
        for unit in waiting.units():
            yield WaitingUnit(waiting, unit)
        self.turns.wait_for_all(self._n_begun)
        waiting.close()


def _as_keys(keys: Keys | Array) -> Keys:
    """Keys that are there, or none for ids that are kept."""
    if isinstance(keys, Keys):
        return keys
    none = np.zeros(len(keys), np.int32)
    return Keys(np.zeros(KEY_PADDING, np.uint8), none.astype(np.int64), none)


@compiled
def keep_ids(text, starts, lengths, ids):  # type: ignore[no-untyped-def]
    """Read keys that are ids of a store, in decimal digits without leading zeros.

    Args:
        text: uint8.
        starts, lengths: (n,) where the keys are.
        ids: (n,) int32 out.

    Returns:
        The number of keys before the first that is none.
    """
    for row in range(len(starts)):
        length, start = lengths[row], starts[row]
        if length > 10 or text[start] == ZERO:
            return row
        value = np.int64(0)
        for byte in range(length):
            digit = np.int64(text[start + byte]) - ZERO
            if digit < 0 or digit > 9:
                return row
            value = value * 10 + digit
        if value > MAX_ID:
            return row
        ids[row] = value
    return len(starts)


@compiled
def add_days(payload, days):  # type: ignore[no-untyped-def]
    """Put days (n,) int32 beside the codes of payloads (n,) int32."""
    for row in range(len(payload)):
        payload[row] |= days[row] << CODE_BITS
