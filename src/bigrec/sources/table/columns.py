"""Which column of a table is the user, which the item, the rating and the time.

By their names where they have names, else by what stands in them. Where neither is enough, the
error is a question, with the flag that answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bigrec.errors import DataError, SettingsError
from bigrec.sources.table.column_names import fold, is_count, is_no_role, plain_name, rank_of
from bigrec.sources.table.plan import ITEM, RATING, ROLES, TIME, USER, TableOptions
from bigrec.sources.table.value_shapes import (
    are_booleans,
    are_fractions,
    are_integers,
    are_iso_days,
    are_numbers,
    have_decimal_commas,
    is_missing,
    is_number,
    look_like_ratings,
    look_like_times,
    role_of_keys,
    time_unit_of,
    why_no_times,
)

NONE: Final = "none"
"""What somebody says of a role that is not there."""
_SHOWN_FIELDS: Final = 12
_SHOWN_LENGTH: Final = 40
_MANY_COLUMNS: Final = 20


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are taken for."""

    positions: Mapping[str, int]
    """The position of each role, from 0; a role that is not there is missing."""
    time_unit: str | None
    """One of plan.TIME_UNITS; None where there are no times."""
    implicit: bool
    """Whether there are no ratings, or they are counts."""


def choose_columns(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    options: TableOptions,
    *,
    has_names: bool,
    label: Path,
) -> Columns:
    """Find the columns of a table.

    Args:
        names: of the columns; where they have none, anything for each.
        rows: examples as text, each with a field for every name.
        options: what somebody says of them, which decides.
        has_names: whether the columns have names, as Parquet, JSON and a header give them.
        label: the file, as errors name it.

    Raises:
        SettingsError: the options name a column that is not there, or one for two roles.
        DataError: it is not sure which column is which, or how times are written.
    """
    return _Choice(names, rows, options, has_names=has_names, label=label).made()


def find_column(names: Sequence[str], said: str) -> int:
    """The position, from 0, of a column that somebody names.

    Args:
        names: of the columns.
        said: its name, with or without case and punctuation, or its position from 1.

    Raises:
        SettingsError: there is none of this name, or several.
    """
    for alike in (str, plain_name, fold):
        found = [position for position, name in enumerate(names) if alike(name) == alike(said)]
        if len(found) == 1:
            return found[0]
        if found:
            raise SettingsError(
                f"{len(found)} columns are called {said!r}",
                hint="give the position of one, from 1: "
                + " or ".join(str(position + 1) for position in found),
            )
    if said.isdecimal() and 1 <= int(said) <= len(names):
        return int(said) - 1
    if said.isdecimal():
        raise SettingsError(
            f"there is no column {said}: the table has {len(names)}",
            hint=f"give a position from 1 to {len(names)}, or a name",
        )
    raise SettingsError.unknown_name("column", said, names)


class _Choice:
    """The columns of one table while they are being found."""

    def __init__(
        self,
        names: Sequence[str],
        rows: Sequence[Sequence[str]],
        options: TableOptions,
        *,
        has_names: bool,
        label: Path,
    ) -> None:
        self.names, self.rows, self.options = names, rows, options
        self.has_names, self.label = has_names, label
        self.values = [
            [row[position] for row in rows if not is_missing(row[position])]
            for position in range(len(names))
        ]
        self.found: dict[str, int] = {}
        self.open = list(ROLES)
        """Roles that are still to be found."""

    def made(self) -> Columns:
        self._take_given()
        if self.has_names:
            self._take_by_names()
        else:
            self._take_by_shapes()
        self._check_rating()
        rating = self.found.get(RATING)
        is_counted = rating is not None and self.has_names and is_count(self.names[rating])
        return Columns(
            {role: self.found[role] for role in ROLES if role in self.found},
            self._time_unit(),
            self.options.implicit or rating is None or is_counted,
        )

    def _take_given(self) -> None:
        for role, said in self.options.columns.items():
            if role not in ROLES:
                raise SettingsError.unknown_name("role of a column", role, ROLES)
            if said != NONE:
                self._take(role, find_column(self.names, said))
            elif role in (USER, ITEM):
                raise SettingsError(
                    f"{role}=none: every table has a column of {role}s",
                    hint="none is for rating and time",
                )
            else:
                self.open.remove(role)

    def _take(self, role: str, position: int) -> None:
        for other, taken in self.found.items():
            if taken == position:
                raise SettingsError(
                    f"column {position + 1} is given for {other} and for {role}",
                    hint="give one column for each",
                )
        self.found[role] = position
        self.open.remove(role)

    def _free(self) -> list[int]:
        taken = self.found.values()
        return [position for position in range(len(self.names)) if position not in taken]

    # ------------------------------------------------------------ by names

    def _take_by_names(self) -> None:
        for role in (USER, ITEM, TIME, RATING):
            if role in self.open:
                candidates = self._candidates(role)
                if len(candidates) > 1:
                    shown = " or ".join(repr(self.names[position]) for position in candidates)
                    raise self._question(f"is the {role} {shown}?", {role: candidates[0]})
                if candidates:
                    self._take(role, candidates[0])
        missing = [role for role in (USER, ITEM) if role in self.open]
        unknown = [position for position in self._free() if self.values[position]]
        if len(missing) == 1 and len(unknown) == 1 and not are_fractions(self.values[unknown[0]]):
            self._take(missing[0], unknown[0])
        elif missing:
            self._ask_for(missing)
        if TIME in self.open:
            self._take_unnamed_time()
        if RATING in self.open:
            self._take_unnamed_rating()

    def _take_unnamed_time(self) -> None:
        """Take the only column that is left whose values are times."""
        times = [position for position in self._free() if look_like_times(self.values[position])]
        if len(times) > 1:
            shown = " or ".join(repr(self.names[position]) for position in times)
            raise self._question(
                f"is the time {shown}, or is there none (--columns time=none)?", {TIME: times[0]}
            )
        if times:
            self._take(TIME, times[0])

    def _candidates(self, role: str) -> list[int]:
        """The columns whose names fit a role best."""
        ranks = {
            position: rank
            for position in self._free()
            if (rank := rank_of(self.names[position], role)) is not None
        }
        if role == TIME:
            # A second time in words that nobody can read does not matter.
            readable = {p: r for p, r in ranks.items() if time_unit_of(self.values[p])}
            ranks = readable or ranks
        return [position for position in ranks if ranks[position] == min(ranks.values())]

    def _take_unnamed_rating(self) -> None:
        """Take the only column that is left for the rating; none if there are no numbers."""
        left = [position for position in self._free() if not self._is_other(position)]
        numbers = [position for position in left if are_numbers(self.values[position])]
        if len(numbers) == 1 and len(left) == 1 and look_like_ratings(self.values[left[0]]):
            self._take(RATING, left[0])
        elif numbers:
            shown = " or ".join(repr(self.names[position]) for position in numbers)
            raise self._question(
                f"is the rating {shown}, or is there none (--columns rating=none)?",
                {RATING: numbers[0]},
            )

    def _is_other(self, position: int) -> bool:
        name = self.names[position]
        is_time = rank_of(name, TIME) is not None
        return is_no_role(name) or is_time or fold(name).endswith("id")

    # ------------------------------------------------------------ by shapes

    def _take_by_shapes(self) -> None:
        needed = [role for role in (USER, ITEM) if role in self.open]
        times = [position for position in self._free() if look_like_times(self.values[position])]
        if TIME in self.open and times:
            if len(needed) > 1:
                # Ids come first, and may be as large as seconds.
                times = [position for position in times if position > 1]
                if not times:
                    self._ask_for([*needed, TIME])
            if len(times) > 1:
                shown = " or ".join(str(position + 1) for position in times)
                raise self._question(f"is the time in column {shown}?", {TIME: times[0]})
            self._take(TIME, times[0])
        free = self._free()
        if len(free) < len(needed):
            self._ask_for(needed)
        ids, others = free[: len(needed)], free[len(needed) :]
        if any(are_fractions(self.values[position]) for position in ids):
            self._ask_for(needed)
        if len(needed) > 1 and ids != [0, 1]:
            self._ask_for(needed)
        if len(needed) > 1 and self._item_is_first(*ids):
            ids.reverse()
        for role, position in zip(needed, ids, strict=True):
            self._take(role, position)
        if RATING not in self.open or not others:
            return
        if len(others) > 1 or not look_like_ratings(self.values[others[0]]):
            raise self._question(
                "which column is the rating, or is there none (--columns rating=none)?",
                {RATING: others[0]},
            )
        self._take(RATING, others[0])

    def _item_is_first(self, first: int, second: int) -> bool:
        """Whether the first of two columns of ids is the item; where nothing says so, the user."""
        roles = role_of_keys(self.values[first]), role_of_keys(self.values[second])
        if roles[0] == roles[1] is not None:
            raise self._question("which column is the user, which the item?")
        days = TIME in self.found and are_iso_days(self.values[self.found[TIME]])
        if days and are_integers([*self.values[first], *self.values[second]]):
            raise self._question(
                "which column is the user, which the item? Rows with days, such as those of "
                "Netflix, often have the item first"
            )
        return roles[0] == ITEM or roles[1] == USER

    # ------------------------------------------------------------ checks and questions

    def _check_rating(self) -> None:
        if RATING not in self.found:
            return
        values = self.values[self.found[RATING]]
        if not values or are_numbers(values) or are_booleans(values):
            return
        if have_decimal_commas(values):
            example = next(value for value in values if "," in value)
            raise DataError(
                f"{self.label}: ratings have decimal commas, found {example!r}, expected "
                f"{example.replace(',', '.')}. {self._shown()}",
                hint="write the file again with decimal points",
            )
        if not any(map(is_number, values)):
            name = self.names[self.found[RATING]]
            raise DataError(
                f"{self.label}: the column {name!r} is to be the rating and holds {values[0]!r}, "
                f"expected numbers. {self._shown()}",
                hint="say which column is the rating, or that there is none: --columns rating=none",
            )

    def _time_unit(self) -> str | None:
        if TIME not in self.found:
            return None
        if self.options.time_unit:
            return self.options.time_unit
        values = self.values[self.found[TIME]]
        unit = time_unit_of(values)
        if unit is None:
            name = self._spoken(self.found[TIME])
            why, remedy = why_no_times(values)
            raise DataError(
                f"{self.label}: how are times written? The column {name} holds {why}. "
                f"{self._shown()}",
                hint=f"{remedy}; or leave the times out: --columns time=none",
            )
        return unit

    def _ask_for(self, roles: Iterable[str]) -> None:
        words = " and which the ".join(roles)
        raise self._question(f"which column is the {words}?")

    def _question(self, words: str, guess: Mapping[str, int] = {}) -> DataError:
        """The error that asks, and shows how to answer.

        Args:
            words: the question.
            guess: columns that the example of an answer names.
        """
        answer = {**self.found, **guess}
        free = [position for position in range(len(self.names)) if position not in answer.values()]
        for role in (USER, ITEM):
            named = self._candidates(role) if self.has_names else []
            likely = [position for position in named if position in free] or free
            if role not in answer and likely:
                answer[role] = likely[0]
                free.remove(likely[0])
        columns = ",".join(
            f"{role}={self._spoken(answer[role])}" for role in ROLES if role in answer
        )
        hint = f"say it, for example: --columns {columns}"
        if not self.has_names and len(self.names) > _MANY_COLUMNS:
            hint += "; a line for each user, as in Jester, is read with --source jester"
        return DataError(f"{self.label}: {words} {self._shown()}", hint=hint)

    def _spoken(self, position: int) -> str:
        """A column as a flag names it."""
        name = self.names[position]
        is_plain = self.has_names and name and not set(name) & set(" ,=\"'\\$`;|&()<>*?!#")
        is_only = sum(fold(name) == fold(other) for other in self.names) == 1
        return name if is_plain and is_only and name != NONE else str(position + 1)

    def _shown(self) -> str:
        """The header, or the first row where there is none."""
        if self.has_names:
            return f"Its columns are {_listed(self.names)}"
        return f"Its first line is {_listed(self.rows[0] if self.rows else self.names)}"


def _listed(fields: Sequence[str]) -> str:
    shown = [
        field if len(field) <= _SHOWN_LENGTH else field[:_SHOWN_LENGTH] + "…" for field in fields
    ]
    more = f" and {len(fields) - _SHOWN_FIELDS} more" if len(fields) > _SHOWN_FIELDS else ""
    return " | ".join(shown[:_SHOWN_FIELDS]) + more
