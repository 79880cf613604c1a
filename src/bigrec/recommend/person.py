"""The ratings of a person who is not in the data, from a csv file or as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError
from bigrec.recommend.csv_file import CsvFile, parse_decimal
from bigrec.recommend.items import Items
from bigrec.rows import DataSpec, Rows
from bigrec.schema import ITEM_ID, KEY, RATING
from bigrec.store.item_names import ITEM
from bigrec.store.vocabulary import parse_whole

Array = np.ndarray[Any, Any]

_TITLE: Final = "title"


@dataclass(frozen=True)
class PersonRatings:
    """What a person has rated, of the items of a split."""

    item_index: Array
    """(n,) int32, ascending; at least one."""
    rating: Array
    """(n,) float32, stars."""
    left_out: tuple[str, ...]
    """Ids or titles in the file that are no item of the split."""

    @property
    def rows(self) -> Rows:
        """The ratings as the row of one user."""
        return Rows(np.array([0, len(self.rating)]), self.item_index, self.rating)


def read_person(
    path: Path, items: Items, spec: DataSpec, *, item_name: str = ITEM
) -> PersonRatings:
    """Read a csv file with the columns item_id or title, and rating.

    Args:
        path: the file.
        items: of the split; titles are found as `Items.find` does.
        spec: the scale.
        item_name: what the store's source calls an item.

    Raises:
        DataError: the file is missing or is no such file, a rating is off the scale, a title fits
            several items, an item is rated twice, or no item is of the split.
    """
    file = CsvFile(path, "ratings", f"{ITEM_ID} or {_TITLE}, and {RATING}", item_name=item_name)
    item_at, rating_at = file.position(ITEM_ID, _TITLE), file.position(RATING)
    column = file.columns[item_at]
    expected = f"an {ITEM_ID}" if column == ITEM_ID else f"a {_TITLE}"
    low, high = spec.min_rating, spec.max_rating
    rated: dict[int, float] = {}
    left_out = []
    for line, cells in file.rows():
        text, rating = cells[item_at], parse_decimal(cells[rating_at])
        key = items.parse(text) if column == ITEM_ID else None
        if (key is None and not text.strip()) or rating is None or not low <= rating <= high:
            shown = cells[rating_at] if rating is None and cells[rating_at].strip() else rating
            raise DataError(
                f"{path}, line {line}: found {text!r} rated {shown}, expected {expected}, and a "
                f"rating as a number from {low:g} to {high:g}",
                hint="correct or remove that line",
            )
        if column == ITEM_ID and key is None:
            raise file.wrong(line, text, "an item_id, a whole number")
        try:
            position = items.find(text) if key is None else items.find_key(key)
        except DataError as error:
            raise DataError(f"{path}, line {line}: {error.message}", hint=error.hint) from error
        if position is None:
            left_out.append(text)
        elif position in rated:
            raise DataError(
                f"{path}, line {line}: {items.name(position)} is rated twice",
                hint="correct or remove one of the two lines",
            )
        else:
            rated[position] = rating
    if not rated and not left_out:
        raise DataError(f"{path} has no rating", hint="each line after the first is a rating")
    if not rated:
        raise DataError(
            f"{path}: none of its {len(left_out)} items is in the split",
            hint="see the split's items with: bigrec sql 'SELECT "  # noqa: S608
            f"{ITEM_ID if items.texts is None else KEY}, title FROM items'",
        )
    return _of(rated, left_out)


def person_of(ratings: Mapping[int | str, float], items: Items, spec: DataSpec) -> PersonRatings:
    """The ratings of a person, from stars by item.

    Args:
        ratings: stars by key, or by title, found as `Items.find` does.
        items: of the split.
        spec: the scale.

    Raises:
        DataError: a rating is off the scale, a title fits several items, an item is rated twice, or
            no item is of the split.
    """
    low, high = spec.min_rating, spec.max_rating
    rated: dict[int, float] = {}
    left_out = []
    for key, stars in ratings.items():
        is_number = isinstance(stars, Real) and not isinstance(stars, bool)
        if not is_number or not low <= stars <= high:
            raise DataError(
                f"expected the rating of {key!r} as a number from {low:g} to {high:g}, "
                f"found {stars!r}"
            )
        is_id = isinstance(key, Integral) and not isinstance(key, bool)
        if not is_id and not (isinstance(key, str) and (key.strip() or items.parse(key))):
            raise DataError(f"expected an item's id or title, found {key!r}")
        item_id = parse_whole(str(key)) if is_id else None
        position = items.find(str(key)) if item_id is None else items.find_key(item_id)
        if position is None:
            left_out.append(str(key))
        elif position in rated:
            raise DataError(f"{items.name(position)} is rated twice")
        else:
            rated[position] = float(stars)
    if not rated:
        raise DataError(
            f"none of the {len(left_out)} rated items is in the split" if left_out
            else "expected at least one rating, found none"
        )  # fmt: skip
    return _of(rated, left_out)


def _of(rated: Mapping[int, float], left_out: Sequence[str]) -> PersonRatings:
    positions = np.array(sorted(rated), np.int32)
    stars = np.array([rated[position] for position in positions.tolist()], np.float32)
    return PersonRatings(positions, stars, tuple(left_out))
