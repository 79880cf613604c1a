"""In which subset of a split a row is: the rule that the scans read, and the same as lazy frames.

A method that depends on other rows (the latest of each user, a fraction in time order) is settled
once, when the split is created; from then in the subset of a row depends on that row alone.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl

from bigrec.errors import SplitError
from bigrec.resources import Budget, Progress
from bigrec.schema import DATE, EPOCH_DAY, FIRST_DATE, ITEM_ID, USER_ID
from bigrec.splits.kernels import (
    BY_KEY,
    BY_LIST,
    BY_TIME,
    NO_SUBSETS,
    TEST,
    TRAIN,
    VALIDATION,
    IdIndex,
    Rule,
    keep_latest,
)  # fmt: skip
from bigrec.splits.random_key import random_key, second_seed, threshold
from bigrec.splits.selection import Selection, scan_ratings
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

START_DATE = "test_from_date"
START_ITEM = "test_from_item_id"
"""Columns of users.parquet in the leave-last method: date and item of a user's first test row."""

_KEY = "random_key"

_WAYS = {
    "random": BY_KEY, "folds": BY_KEY, "temporal": BY_TIME, "leave-last": BY_TIME, "probe": BY_LIST,
}  # fmt: skip
_NO_IDS = np.empty(0, np.int32)
_NO_ORDERS = np.empty(0, np.int64)
_NO_FLAGS = np.empty(0, np.bool_)


def rule_for(
    spec: SplitSpec,
    users: IdIndex,
    items: IdIndex,
    *,
    subsets: bool = True,
    starts: Array = _NO_ORDERS,
    probe: pl.LazyFrame | None = None,
    warm: tuple[Array, Array] | None = None,
) -> Rule:
    """The rule of a split in the form that the scans read.

    Args:
        spec: the split.
        users, items: those that take part.
        subsets: False to put all rows in the train subset.
        starts: (n_users,) int64, first row of each user's test subset; temporal and leave-last
            only.
        probe: pairs of the test subset; probe only.
        warm: users and items with a train row, (n,) bool each, where others are to be dropped.
    """
    ends, listed = _NO_ORDERS, _NO_IDS
    if subsets and probe is not None:
        ends, listed = _index_pairs(probe, users, items)
    low, high = spec.key_range
    way = _WAYS[spec.method] if subsets else NO_SUBSETS
    warm_users, warm_items = warm or (_NO_FLAGS, _NO_FLAGS)
    return Rule(
        way=way,
        seed=spec.seed,
        low=low,
        high=high,
        starts=starts,
        listed_ends=ends,
        listed=listed,
        validation_seed=second_seed(spec.seed),
        validation_bound=threshold(spec.validation_fraction) if subsets else 0,
        reads_days=way == BY_TIME or spec.first_date is not None or spec.last_date is not None,
        first_day=_day(spec.first_date, np.iinfo(np.int32).min),
        last_day=_day(spec.last_date, np.iinfo(np.int32).max),
        drops_cold=warm is not None,
        warm_users=warm_users,
        warm_items=warm_items,
    )


def temporal_starts(test_from: str, users: IdIndex) -> Array:
    """The first row of the test subset in time order, the same for every user: (n_users,) int64."""
    return np.full(len(users.ids), _day(test_from, 0) << 32, np.int64)


def find_test_from(
    catalog: Catalog, selection: Selection, spec: SplitSpec, budget: Budget, progress: Progress
) -> str:
    """The first day of the test subset, so that its share is nearest to the fraction.

    Of two days that are equally near the earlier is taken. The first day of all is always train.

    Raises:
        SplitError: all rows are of one day, or there are none.
    """
    counts = np.zeros(1, np.int64)
    for rows in scan_ratings(catalog, selection, budget, progress, "dating", columns=[DATE]):
        more = np.bincount(rows.day, minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    days = np.flatnonzero(counts)[1:]
    if not len(days):
        raise SplitError("a temporal split needs ratings of two days at least")
    n_from = np.cumsum(counts[::-1])[::-1]
    wanted = spec.test_fraction * n_from[0]
    return _date(int(days[np.argmin(np.abs(n_from[days] - wanted))])).isoformat()


def find_last_starts(
    catalog: Catalog, selection: Selection, spec: SplitSpec, budget: Budget, progress: Progress
) -> Array:
    """The first of each user's `last` latest rows in time order: (n_users,) int64, 0 if all are."""
    latest = np.full((len(selection.users.ids), spec.last), -1, np.int64)
    for rows in scan_ratings(catalog, selection, budget, progress, "dating", columns=[DATE]):
        keep_latest(latest, rows.pair, rows.packing, rows.day, selection.items.ids)
    return np.maximum(latest[:, 0], 0)


def start_columns(starts: Array) -> dict[str, Array]:
    """Starts as columns of users.parquet: dates and item ids."""
    dates = np.asarray((starts >> 32) - EPOCH_DAY, "datetime64[D]")
    return {START_DATE: dates, START_ITEM: (starts & 0xFFFF_FFFF).astype(np.int32)}


def starts_of(users: pl.DataFrame) -> Array:
    """Read the columns of users.parquet back: (n_users,) int64."""
    days = users[START_DATE].cast(pl.Int32).to_numpy().astype(np.int64) + EPOCH_DAY
    starts: Array = days << 32 | users[START_ITEM].to_numpy()
    return starts


def lazy_subset(
    catalog: Catalog,
    spec: SplitSpec,
    users: pl.LazyFrame,
    items: pl.LazyFrame,
    test_from: str | None,
    subset: int,
) -> pl.LazyFrame:
    """One side of a saved split as a lazy frame over the store, with the columns of ratings.

    Args:
        catalog: the store.
        spec: the split.
        users, items: users.parquet and items.parquet of the saved split.
        test_from: first day of the test subset in the temporal method.
        subset: TRAIN, VALIDATION or TEST.
    """
    if subset != TRAIN and spec.warm:
        users, items = (frame.filter(pl.col("n_train") > 0) for frame in (users, items))
    frame = catalog.ratings()
    columns = frame.collect_schema().names()
    if spec.first_date is not None:
        frame = frame.filter(pl.col(DATE) >= dt.date.fromisoformat(spec.first_date))
    if spec.last_date is not None:
        frame = frame.filter(pl.col(DATE) <= dt.date.fromisoformat(spec.last_date))
    frame = frame.join(items.select(ITEM_ID), on=ITEM_ID, how="semi")
    if spec.method == "leave-last":
        starts = users.select(USER_ID, START_DATE, START_ITEM)
        frame = frame.join(starts, on=USER_ID, how="inner")
    else:
        frame = frame.join(users.select(USER_ID), on=USER_ID, how="semi")
    if spec.method == "probe":
        how = "semi" if subset == TEST else "anti"
        frame = frame.join(catalog.probe(), on=[ITEM_ID, USER_ID], how=how)  # type: ignore[arg-type]
    else:
        if _WAYS[spec.method] == BY_KEY:
            frame = _with_key(frame, spec.seed)
        is_test = _is_test(spec, test_from)
        frame = frame.filter(is_test if subset == TEST else ~is_test)
    if subset != TEST and spec.validation_fraction:
        is_validation = pl.col(_KEY) < threshold(spec.validation_fraction)
        frame = _with_key(frame, second_seed(spec.seed))
        frame = frame.filter(is_validation if subset == VALIDATION else ~is_validation)
    elif subset == VALIDATION:
        frame = frame.filter(pl.lit(False))
    return frame.select(columns)


def _is_test(spec: SplitSpec, test_from: str | None) -> pl.Expr:
    if spec.method == "temporal":
        assert test_from is not None  # noqa: S101
        return pl.col(DATE) >= dt.date.fromisoformat(test_from)
    if spec.method == "leave-last":
        same_day = pl.col(DATE) == pl.col(START_DATE)
        return (pl.col(DATE) > pl.col(START_DATE)) | (
            same_day & (pl.col(ITEM_ID) >= pl.col(START_ITEM))
        )
    low, high = spec.key_range
    return (pl.col(_KEY) >= low) & (pl.col(_KEY) < high)


def _with_key(frame: pl.LazyFrame, seed: int) -> pl.LazyFrame:
    """Add the random key: a column, since Polars computes a filter's repeated terms repeatedly."""
    key = random_key(pl.col(USER_ID).cast(pl.Int64), pl.col(ITEM_ID).cast(pl.Int64), seed)
    return frame.with_columns(key.alias(_KEY))


def _index_pairs(pairs: pl.LazyFrame, users: IdIndex, items: IdIndex) -> tuple[Array, Array]:
    """The pairs of known users and items: (n_users + 1,) int64 ends, (n_pairs,) item indices."""
    tables = [
        pl.LazyFrame({column: index.ids, position: np.arange(len(index.ids), dtype=np.int32)})
        for column, position, index in ((USER_ID, "user", users), (ITEM_ID, "item", items))
    ]
    known = (
        pairs.join(tables[0], on=USER_ID)
        .join(tables[1], on=ITEM_ID)
        .select("user", "item")
        .sort("user", "item")
        .collect()
    )
    lengths = np.bincount(known["user"].to_numpy(), minlength=len(users.ids))
    return np.concatenate(([0], np.cumsum(lengths))), np.array(known["item"])


def _day(text: str | None, default: int) -> int:
    return (dt.date.fromisoformat(text) - FIRST_DATE).days if text else int(default)


def _date(day: int) -> dt.date:
    return FIRST_DATE + dt.timedelta(days=day)
