"""Scores of given pairs: a file of pairs, the official probe, or the qualifying set.

The ending of the file that they are written to decides its form:

    .csv, .parquet    user_id, item_id, score, is_fallback
    .txt              as the Netflix Prize took submissions: a line `item_id:` before the pairs of
                      an item, then a score a line, in the order of the pairs. The store keeps
                      qualifying.txt in its own order, so that lines match.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import DataError
from bigrec.models.scoring import Scorer
from bigrec.recommend.csv_file import CsvFile
from bigrec.recommend.endings import check_ending
from bigrec.schema import DATE, EPOCH_DAY, ITEM_ID, RATING, USER_ID
from bigrec.store.catalog import Catalog
from bigrec.store.item_names import ITEM
from bigrec.store.publish import publishing_file
from bigrec.store.vocabulary import items_of, parse_key, users_of

ENDINGS: Final = (".csv", ".parquet", ".txt")
"""Of the files that can be written."""

_ROWS_AT_ONCE: Final = 1 << 16
_EPOCH: Final = dt.date(1970, 1, 1)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNKNOWN_DAY: Final = -(1 << 31)


@dataclass(frozen=True)
class PredictSummary:
    """What a prediction scored and wrote."""

    n_pairs: int
    n_fallback: int
    """Pairs whose user or item has no train row, scored by the bias model."""
    rmse: float | None
    """For the probe: RMSE against the ratings of the store, in stars. None otherwise."""
    n_in_train: int | None
    """For the probe: pairs that the run was trained on, which makes the RMSE too good."""
    output: str | None
    """The file; None if there was to be none."""


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


def predict_pairs(
    recommender: Scorer, data: TrainingData, catalog: Catalog, pairs: pl.DataFrame, output: Path
) -> PredictSummary:
    """Score pairs and write them to a file.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        pairs: user_id, item_id and perhaps date, any order; the output keeps it. Dates matter to
            a run with day biases.
        output: ends in .csv, .parquet or .txt; see the module.

    Raises:
        SettingsError: the output names no file.
        DataError: it has another ending.
        RunError: the model gives scores that are no numbers.
    """
    check_ending(output, *ENDINGS)
    scored = score_frame(recommender, data, catalog, pairs)
    _write_scored(scored, output)
    return PredictSummary(len(scored), int(scored["is_fallback"].sum()), None, None, str(output))


def predict_probe(
    recommender: Scorer, data: TrainingData, catalog: Catalog, output: Path | None = None
) -> PredictSummary:
    """Score the official probe, and measure it against its ratings.

    A probe pair that the store has no rating of is scored, and left out of the RMSE.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store, which holds the probe and its ratings.
        output: as in `predict_pairs`; None writes no file.

    Raises:
        SettingsError: the output names no file.
        DataError: it has another ending.
        RunError: the model gives scores that are no numbers.
    """
    if output is not None:
        check_ending(output, *ENDINGS)
    pairs = catalog.probe().select(USER_ID, ITEM_ID).collect()
    if recommender.biases.days is not None:
        # The table of a join is that of its right side, which must not be all ratings.
        dates = catalog.ratings().select(USER_ID, ITEM_ID, DATE)
        found = dates.join(pairs.lazy(), on=[USER_ID, ITEM_ID], how="inner").collect()
        pairs = pairs.join(found, on=[USER_ID, ITEM_ID], how="left", maintain_order="left")
    scored = _score_ids(recommender, data, pairs)
    if output is not None:
        _write_scored(with_keys(catalog, scored), output)
    rated = (
        catalog.ratings()
        .select(USER_ID, ITEM_ID, RATING)
        .join(scored.lazy(), on=[USER_ID, ITEM_ID], how="inner")
        .collect()
    )
    rmse = None
    if len(rated):
        differences = rated["score"].cast(pl.Float64) - rated[RATING]
        rmse = math.sqrt(float((differences**2).sum()) / len(rated))
    return PredictSummary(
        n_pairs=len(scored),
        n_fallback=int(scored["is_fallback"].sum()),
        rmse=rmse,
        n_in_train=_count_trained(recommender, data, rated),
        output=None if output is None else str(output),
    )


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


def score_frame(
    recommender: Scorer, data: TrainingData, catalog: Catalog, pairs: pl.DataFrame
) -> pl.DataFrame:
    """Score pairs.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        pairs: user_id, item_id and perhaps date, in any order, ids as in the source.

    Returns:
        The ids of the pairs with score and is_fallback, in the same order.

    Raises:
        RunError: the model gives scores that are no numbers.
    """
    numbered = pairs.with_columns(
        [
            pl.Series(found.id_column, found.ids_of(pairs[found.id_column]))
            for found in (users_of(catalog), items_of(catalog))
            if found.has_keys
        ]
    )
    scored = _score_ids(recommender, data, numbered)
    return scored.with_columns(pairs[USER_ID], pairs[ITEM_ID])


def with_keys(catalog: Catalog, pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of the store as its source calls them.

    Args:
        catalog: the store.
        pairs: have user_id and item_id of the store.
    """
    return pairs.with_columns(
        [
            found.keys_of(pairs[found.id_column].to_numpy()).alias(found.id_column)
            for found in (users_of(catalog), items_of(catalog))
            if found.has_keys
        ]
    )


def _score_ids(recommender: Scorer, data: TrainingData, pairs: pl.DataFrame) -> pl.DataFrame:
    """As `score_frame`, of ids of the store."""
    user_index = data.find_users(pairs[USER_ID].to_numpy())
    item_index = data.find_items(pairs[ITEM_ID].to_numpy())
    day = np.full(len(pairs), -1, np.int32)
    if DATE in pairs.columns:
        day = (pairs[DATE].cast(pl.Int32) + EPOCH_DAY).fill_null(-1).to_numpy()
    order = np.lexsort((item_index, user_index))
    scores = np.empty(len(pairs), np.float32)
    cold = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), _ROWS_AT_ONCE):
        part = order[start : start + _ROWS_AT_ONCE]
        scores[part], cold[part] = recommender.score_pairs(
            user_index[part], item_index[part], day[part]
        )
    return pairs.select(USER_ID, ITEM_ID).with_columns(
        score=pl.Series(scores), is_fallback=pl.Series(cold)
    )


def _write_scored(scored: pl.DataFrame, output: Path) -> None:
    with publishing_file(output) as partial:
        if output.suffix.lower() == ".csv":
            scored.write_csv(partial, float_precision=4)
        elif output.suffix.lower() == ".parquet":
            scored.write_parquet(partial)
        else:
            _write_submission(scored, partial)


def _write_submission(scored: pl.DataFrame, path: Path) -> None:
    """A header line where the item changes, then a score a line."""
    is_new = pl.col(ITEM_ID).ne_missing(pl.col(ITEM_ID).shift(1))
    header = pl.when(is_new).then(pl.format("{}:\n", ITEM_ID)).otherwise(pl.lit(""))
    score = pl.col("score").cast(pl.Float64).round(4)
    lines = scored.select(pl.format("{}{}", header, score))
    lines.write_csv(path, include_header=False, quote_style="never")


def _count_trained(recommender: Scorer, data: TrainingData, pairs: pl.DataFrame) -> int:
    """How many of the pairs are in the train subset."""
    user_index = data.find_users(pairs[USER_ID].to_numpy())
    item_index = data.find_items(pairs[ITEM_ID].to_numpy())
    known = (user_index >= 0) & (item_index >= 0)
    n_items = data.spec.n_items
    users = np.unique(user_index[known])
    rows = recommender.rows.take(users)
    trained = np.repeat(users.astype(np.int64), rows.lengths()) * n_items + rows.column
    wanted = user_index[known].astype(np.int64) * n_items + item_index[known]
    return int(np.isin(wanted, trained).sum())
