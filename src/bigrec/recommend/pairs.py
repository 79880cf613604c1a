"""Pairs to be scored, as people give them: a csv file, a Parquet file, or a frame."""

from __future__ import annotations

import datetime as dt
import re
from array import array
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from bigrec.errors import DataError
from bigrec.magic import HEAD_BYTES, PARQUET, kind_of
from bigrec.recommend.csv_file import CsvFile
from bigrec.schema import DATE, ITEM_ID, USER_ID
from bigrec.store.catalog import Catalog, scan_file
from bigrec.store.item_names import ITEM
from bigrec.store.vocabulary import items_of, parse_key, users_of

_EPOCH: Final = dt.date(1970, 1, 1)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNKNOWN_DAY: Final = -(1 << 31)


def open_pairs(
    given: Path | pl.DataFrame, catalog: Catalog, *, with_dates: bool = False
) -> pl.DataFrame:
    """The pairs of a file or of a frame: user_id, item_id and perhaps date, ids as in the source.

    Args:
        given: a csv file (see `read_pairs`), a Parquet file, which may hold ids with line ends in
            them, or a frame.
        catalog: the store, which says what ids look like, and what an item is called.
        with_dates: whether dates of a file are read, if there are any.

    Raises:
        DataError: the file cannot be read, or the pairs lack a column or a value, or hold something
            that is no id or date.
    """
    manifest = catalog.manifest
    if isinstance(given, pl.DataFrame):
        check_pairs(given, catalog)
        return given
    if not _is_parquet(given):
        return read_pairs(
            given, with_dates=with_dates, item_name=manifest.item_name,
            user_keys=manifest.user_keys, item_keys=manifest.item_keys,
        )  # fmt: skip
    pairs = _read_parquet(given, with_dates=with_dates, item_name=manifest.item_name)
    try:
        check_pairs(pairs, catalog)
    except DataError as error:
        raise DataError(f"{given}: {error.message}", hint=error.hint) from error
    if not len(pairs):
        raise DataError(f"{given} has no pair", hint="each row is a pair")
    return pairs


def _is_parquet(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe can be read once only
            return False
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES)) == PARQUET
    except (OSError, ValueError):  # which the reader of csv tells
        return False


def _read_parquet(path: Path, *, with_dates: bool, item_name: str) -> pl.DataFrame:
    wanted = (USER_ID, ITEM_ID, DATE) if with_dates else (USER_ID, ITEM_ID)
    own = f"{item_name}_id"
    try:
        frame = scan_file(path)
        names = frame.collect_schema().names()
        if ITEM_ID not in names and own in names:
            frame = frame.rename({own: ITEM_ID})
        columns = [name for name in wanted if name in frame.collect_schema().names()]
        return frame.select(columns).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        hint = "it may be damaged; write it again"
        raise DataError(f"{path} cannot be read: {error}", hint=hint) from error


def read_pairs(
    path: Path,
    *,
    with_dates: bool = False,
    item_name: str = ITEM,
    user_keys: bool = False,
    item_keys: bool = False,
) -> pl.DataFrame:
    """Read a csv file with the columns user_id, item_id and perhaps date (YYYY-MM-DD).

    An id that no store knows is an id: its pair is scored by the fallback, and counted. An empty
    date is an unknown day.

    Args:
        path: the file.
        with_dates: whether dates are read, if there are any.
        item_name: what the store's source calls an item.
        user_keys: whether users have keys that are texts, of which nothing is trimmed.
        item_keys: whether items have.

    Raises:
        DataError: the file is missing, lacks a column or a value, holds something that is no id or
            date, or has no row.
    """
    file = CsvFile(
        path, "pairs", f"{USER_ID} and {ITEM_ID}, and perhaps {DATE}", item_name=item_name
    )
    user_at, item_at = file.position(USER_ID), file.position(ITEM_ID)
    date_at = file.position(DATE) if with_dates and DATE in file.columns else None
    users, items = _IdColumn(USER_ID, user_keys), _IdColumn(ITEM_ID, item_keys)
    days = array("i")
    for line, cells in file.rows():
        for column, text in ((users, cells[user_at]), (items, cells[item_at])):
            if not column.add(text):
                raise file.wrong(line, text, column.expected)
        if date_at is not None:
            try:
                days.append(_parse_day(cells[date_at].strip()))
            except ValueError:
                raise file.wrong(line, cells[date_at], f"YYYY-MM-DD as {DATE}") from None
    if not len(users.values):
        raise DataError(f"{path} has no pair", hint="each line after the first is a pair")
    pairs = pl.DataFrame([users.series(), items.series()])
    if date_at is None:
        return pairs
    day = pl.Series(DATE, np.array(days, np.int32))
    return pairs.with_columns(day.replace(_UNKNOWN_DAY, None).cast(pl.Date))


class _IdColumn:
    """The users or the items of a file, as they are read."""

    def __init__(self, name: str, has_keys: bool) -> None:
        self._name = name
        self._has_keys = has_keys
        self.values: list[Any] | array[int] = [] if has_keys else array("q")
        self.expected = f"{'an id' if has_keys else 'a whole number'} as {name}"

    def add(self, text: str) -> bool:
        """Add one as it is written; say whether it can be one."""
        key = parse_key(text, is_text=self._has_keys)
        if key is not None:
            self.values.append(key)  # type: ignore[arg-type] # which is a number where all are
        return key is not None

    def series(self) -> pl.Series:
        values = self.values if isinstance(self.values, list) else np.array(self.values)
        return pl.Series(self._name, values)


def _parse_day(text: str) -> int:
    """Days since 1970 of a date; _UNKNOWN_DAY of no text.

    Raises:
        ValueError: the text is no date.
    """
    if not text:
        return _UNKNOWN_DAY
    if not _DATE.fullmatch(text):
        raise ValueError
    return (dt.date.fromisoformat(text) - _EPOCH).days


def check_pairs(pairs: pl.DataFrame, catalog: Catalog) -> None:
    """Refuse a frame that is none of pairs: user_id, item_id and perhaps date.

    Args:
        pairs: the frame.
        catalog: the store, which says what ids look like.

    Raises:
        DataError: a column is missing, is of another type, or lacks a value.
    """
    for vocabulary in (users_of(catalog), items_of(catalog)):
        name = vocabulary.id_column
        if name not in pairs.columns:
            raise DataError(
                f"expected the columns {USER_ID} and {ITEM_ID}, and perhaps {DATE}, "
                f"found {', '.join(pairs.columns) or 'none'}"
            )
        kind, expected = pairs[name].dtype, "whole numbers"
        is_id = kind.is_integer()
        if vocabulary.has_keys:
            expected = "texts"
            is_id = is_id or kind in (pl.String, pl.Categorical, pl.Enum)
        if not is_id:
            raise DataError(f"expected {expected} as {name}, found {kind}")
        if pairs[name].null_count():
            raise DataError(f"expected a value of {name} in every row, found a null")
    if DATE in pairs.columns and pairs[DATE].dtype != pl.Date:
        raise DataError(f"expected dates as {DATE}, found {pairs[DATE].dtype}")
