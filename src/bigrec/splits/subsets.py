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
from bigrec.schema import (
    BY_DAY,
    BY_SECOND,
    DATE,
    FIRST_DATE,
    ITEM_ID,
    NO_TIME,
    SECOND,
    TIME,
    USER_ID,
)
from bigrec.splits.kernels import (
    BY_KEY,
    BY_LIST,
    BY_TIME,
    ITEM_BITS,
    NO_SUBSETS,
    SECONDS_A_DAY,
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

START_ITEM = "test_from_item_id"
"""Column of users.parquet in the leave-last method: the item of a user's first test row."""

_KEY = "random_key"

_WAYS = {
    "random": BY_KEY, "folds": BY_KEY, "temporal": BY_TIME, "leave-last": BY_TIME, "probe": BY_LIST,
}  # fmt: skip
_NO_IDS = np.empty(0, np.int32)
_NO_ENDS = np.empty(0, np.int64)
_NO_ORDERS = np.empty(0, np.uint64)
_START_OF_TIME = np.datetime64(FIRST_DATE, "s")
_NO_FLAGS = np.empty(0, np.bool_)


def time_column(time_unit: str) -> str:
    """The column of ratings that orders them in time.

    Args:
        time_unit: of the store.
    """
    return TIME if time_unit == BY_SECOND else DATE


def start_column(time_unit: str) -> str:
    """The column of users.parquet in the leave-last method: when a user's first test row is."""
    return f"test_from_{time_column(time_unit)}"


def require_times(catalog: Catalog, what: str) -> None:
    """Stop where a store has no times.

    Args:
        catalog: the store.
        what: needs them, as people call it.

    Raises:
        SplitError: it has none.
    """
    if catalog.manifest.time_unit == NO_TIME:
        raise SplitError(
            f"{what} needs the times of ratings, and this store has none",
            hint="use --method random or --method folds, and no dates or day biases",
        )


def check_times(catalog: Catalog, spec: SplitSpec) -> None:
    """Stop where a split needs times that a store does not keep.

    Raises:
        SplitError: it does.
    """
    if _WAYS[spec.method] == BY_TIME:
        require_times(catalog, f"the split method {spec.method}")
    if spec.first_date or spec.last_date:
        require_times(catalog, "a filter by date")
    if spec.test_from and ":" in spec.test_from and catalog.manifest.time_unit != BY_SECOND:
        raise SplitError(
            f"expected a day to test from, for this store keeps days, found {spec.test_from}",
            hint=f"write --test-from {spec.test_from[:10]}",
        )


def rule_for(
    spec: SplitSpec,
    users: IdIndex,
    items: IdIndex,
    *,
    subsets: bool = True,
    starts: Array = _NO_ORDERS,
    time_unit: str = BY_DAY,
    probe: pl.LazyFrame | None = None,
    warm: tuple[Array, Array] | None = None,
) -> Rule:
    """The rule of a split in the form that the scans read.

    Args:
        spec: the split.
        users, items: those that take part.
        subsets: False to put all rows in the train subset.
        starts: (n_users,) uint64, time order of the first row of each user's test subset; temporal
            and leave-last only.
        time_unit: of the store.
        probe: pairs of the test subset; probe only.
        warm: users and items with a train row, (n,) bool each, where others are to be dropped.
    """
    ends, listed = _NO_ENDS, _NO_IDS
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
        reads_seconds=way == BY_TIME and time_unit == BY_SECOND,
        first_day=_day(spec.first_date, np.iinfo(np.int32).min),
        last_day=_day(spec.last_date, np.iinfo(np.int32).max),
        drops_cold=warm is not None,
        warm_users=warm_users,
        warm_items=warm_items,
    )


def temporal_starts(test_from: str, users: IdIndex) -> Array:
    """The time order from which rows are test, the same for every user: (n_users,) uint64."""
    seconds = max(np.datetime64(test_from, "s") - _START_OF_TIME, np.timedelta64(0, "s"))
    return np.full(len(users.ids), seconds.astype(np.uint64) << ITEM_BITS, np.uint64)


def find_test_from(
    catalog: Catalog, selection: Selection, spec: SplitSpec, budget: Budget, progress: Progress
) -> str:
    """The first day, or second, of the test subset: its share is then nearest to the fraction.

    Of two that are equally near the earlier is taken. The first of all is always train.

    Raises:
        SplitError: all rows are of one day, or second, or there are none.
    """
    counts = np.zeros(1, np.int64)
    for rows in scan_ratings(catalog, selection, budget, progress, "dating", columns=[DATE]):
        more = np.bincount(rows.day, minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    days = np.flatnonzero(counts)
    n_from = np.cumsum(counts[::-1])[::-1][days]
    wanted = spec.test_fraction * counts.sum()
    if catalog.manifest.time_unit != BY_SECOND or not len(days):
        if len(days) < 2:
            raise SplitError("a temporal split needs ratings of two days at least")
        return _date(int(days[_nearest(n_from, wanted)])).isoformat()
    # What is nearest lies in the last day with as many rows from it on, or is the next after it.
    last = np.flatnonzero(n_from >= wanted)[-1]
    times, n_from = _count_seconds(
        catalog, selection, budget, progress, days[last : last + 2], int(n_from[last])
    )
    if last > 0:  # so that no second of these days is the first of all
        times, n_from = np.insert(times, 0, 0), np.insert(n_from, 0, counts.sum())
    if len(times) < 2:
        raise SplitError("a temporal split needs ratings of two seconds at least")
    return str(_START_OF_TIME + times[_nearest(n_from, wanted)]).replace("T", " ")


def _nearest(n_from: Array, wanted: float) -> int:
    """The place, but for the first, where n_from is nearest to the number wanted."""
    return 1 + int(np.argmin(np.abs(n_from[1:] - wanted)))


def _count_seconds(
    catalog: Catalog,
    selection: Selection,
    budget: Budget,
    progress: Progress,
    days: Array,
    n_rows: int,
) -> tuple[Array, Array]:
    """The distinct times of one or two days, and how many rows there are from each of them on.

    Args:
        catalog, selection, budget, progress: see `find_test_from`.
        days: (n,) since 1921, ascending, without another between them.
        n_rows: from the first of them on, in all days.

    Returns:
        (n_times,) int64, seconds since 1921, ascending; (n_times,) int64.
    """
    counts = np.zeros((len(days), SECONDS_A_DAY), np.int64)
    for rows in scan_ratings(
        catalog, selection, budget, progress, "timing", columns=[DATE, SECOND]
    ):
        for of_day, day in zip(counts, days, strict=True):
            of_day += np.bincount(rows.second[rows.day == day], minlength=SECONDS_A_DAY)
    place, second = np.nonzero(counts)
    n_before = np.cumsum(counts[place, second]) - counts[place, second]
    return days[place] * SECONDS_A_DAY + second, n_rows - n_before


def find_last_starts(
    catalog: Catalog, selection: Selection, spec: SplitSpec, budget: Budget, progress: Progress
) -> Array:
    """The first of each user's `last` latest rows in time order: (n_users,) uint64; 0: all are."""
    latest = np.zeros((len(selection.users.ids), spec.last), np.uint64)
    columns = [DATE, SECOND] if catalog.manifest.time_unit == BY_SECOND else [DATE]
    for rows in scan_ratings(catalog, selection, budget, progress, "dating", columns=columns):
        keep_latest(latest, rows.pair, rows.packing, rows.day, rows.second, selection.items.ids)
    return latest[:, 0]


def start_columns(starts: Array, time_unit: str) -> dict[str, Array]:
    """Starts as columns of users.parquet: dates or times, and item ids.

    Args:
        starts: (n_users,) uint64.
        time_unit: of the store.
    """
    times = _START_OF_TIME + (starts >> ITEM_BITS).astype("timedelta64[s]")
    kind = "datetime64[us]" if time_unit == BY_SECOND else "datetime64[D]"
    items = (starts & ((np.uint64(1) << ITEM_BITS) - np.uint64(1))).astype(np.int32)
    return {start_column(time_unit): times.astype(kind), START_ITEM: items}


def starts_of(users: pl.DataFrame, time_unit: str) -> Array:
    """Read the columns of users.parquet back: (n_users,) uint64."""
    times = users[start_column(time_unit)].cast(pl.Datetime("us")).to_numpy()
    seconds = (times.astype("datetime64[s]") - _START_OF_TIME).astype(np.uint64)
    starts: Array = seconds << ITEM_BITS | users[START_ITEM].to_numpy().astype(np.uint64)
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
        test_from: first day or time of the test subset in the temporal method.
        subset: TRAIN, VALIDATION or TEST.
    """
    if subset != TRAIN and spec.warm:
        users, items = (frame.filter(pl.col("n_train") > 0) for frame in (users, items))
    frame = catalog.ratings()
    time_unit = catalog.manifest.time_unit
    columns = frame.collect_schema().names()
    if spec.first_date is not None:
        frame = frame.filter(pl.col(DATE) >= dt.date.fromisoformat(spec.first_date))
    if spec.last_date is not None:
        frame = frame.filter(pl.col(DATE) <= dt.date.fromisoformat(spec.last_date))
    frame = frame.join(items.select(ITEM_ID), on=ITEM_ID, how="semi")
    if spec.method == "leave-last":
        starts = users.select(USER_ID, start_column(time_unit), START_ITEM)
        frame = frame.join(starts, on=USER_ID, how="inner")
    else:
        frame = frame.join(users.select(USER_ID), on=USER_ID, how="semi")
    if spec.method == "probe":
        how = "semi" if subset == TEST else "anti"
        frame = frame.join(catalog.probe(), on=[ITEM_ID, USER_ID], how=how)  # type: ignore[arg-type]
    else:
        if _WAYS[spec.method] == BY_KEY:
            frame = _with_key(frame, spec.seed)
        is_test = _is_test(spec, test_from, time_unit)
        frame = frame.filter(is_test if subset == TEST else ~is_test)
    if subset != TEST and spec.validation_fraction:
        is_validation = pl.col(_KEY) < threshold(spec.validation_fraction)
        frame = _with_key(frame, second_seed(spec.seed))
        frame = frame.filter(is_validation if subset == VALIDATION else ~is_validation)
    elif subset == VALIDATION:
        frame = frame.filter(pl.lit(False))
    return frame.select(columns)


def _is_test(spec: SplitSpec, test_from: str | None, time_unit: str) -> pl.Expr:
    time, start = pl.col(time_column(time_unit)), pl.col(start_column(time_unit))
    if spec.method == "temporal":
        assert test_from is not None  # noqa: S101
        moment = dt.datetime.fromisoformat(test_from)
        return time >= (moment if time_unit == BY_SECOND else moment.date())
    if spec.method == "leave-last":
        return (time > start) | ((time == start) & (pl.col(ITEM_ID) >= pl.col(START_ITEM)))
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
