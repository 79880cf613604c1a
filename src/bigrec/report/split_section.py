"""The split: its protocol, its counts, and how its two subsets compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl

from bigrec.interactions import IMPLICIT, STARS
from bigrec.report.figures import Figure, Section, legend_filter, new_chart, share, tooltips
from bigrec.report.rating_groups import group_starts, rating_word
from bigrec.report.theme import SERIES
from bigrec.resources import SILENT, Budget, Progress
from bigrec.schema import DATE, FIRST_DATE, LAST_DATE, NO_TIME, RATING
from bigrec.splits.kernels import N_SUBSETS, TEST, TRAIN, VALIDATION
from bigrec.splits.selection import scan_ratings
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split
from bigrec.store.manifest import Manifest

Array = np.ndarray[Any, Any]

_COLOURS: Final = {"train": SERIES[0], "validation": SERIES[3], "test": SERIES[1]}
_SUBSET_NAMES: Final = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}
_SUBSETS: Final = ("train", "validation", "test")


def describe_split(split: Split, *, budget: Budget, progress: Progress = SILENT) -> Section:
    """Count both subsets of a split in one scan.

    Args:
        split: a saved split.
        budget: threads to scan with.
        progress: told of scanned rows.
    """
    by_rating, by_month = _count_subsets(split, budget, progress)
    summary = split.summary
    n_rows = summary.n_train + summary.n_validation + summary.n_test
    cold_users, cold_items = _cold(split.users()), _cold(split.items())
    return Section(
        name="split",
        title="The split",
        text=f"Split {split.name!r}: {split.spec.protocol()}. Every error below is measured on its "
        "test subset and means nothing under another protocol.",
        blocks=[
            _ratings_by_subset(by_rating, split.catalog.manifest),
            *([] if by_month is None else [_months_by_subset(by_month)]),
        ],
        commands=[_create_command(split)],
        numbers={
            "train ratings": f"{summary.n_train:,}",
            **({"validation": f"{summary.n_validation:,}"} if summary.n_validation else {}),
            "test ratings": f"{summary.n_test:,}",
            "in the test subset": share(summary.n_test, n_rows),
            "users": f"{summary.n_users:,}",
            "items": f"{summary.n_items:,}",
            "of all pairs rated": f"{100 * n_rows / (summary.n_users * summary.n_items):.2f} %",
            "cold users in the test": f"{cold_users:,}",
            "cold items in the test": f"{cold_items:,}",
        },
    )


def _create_command(split: Split) -> list[str]:
    default = SplitSpec().to_json()
    flags = [
        f"--{name.replace('_', '-')}={value}"
        for name, value in split.spec.to_json().items()
        if value != default.get(name)
    ]
    return ["bigrec", "split", "create", split.name, *flags]


def _count_subsets(
    split: Split, budget: Budget, progress: Progress
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Ratings of each subset by value and by month; None for the latter without times.

    Columns are subset, rating or month, and n_ratings.
    """
    manifest = split.catalog.manifest
    has_times = manifest.time_unit != NO_TIME
    days = np.arange(np.datetime64(FIRST_DATE), np.datetime64(LAST_DATE) + 1)
    month_of_day = days.astype("datetime64[M]").astype(np.int64)
    month_of_day -= month_of_day[0]  # (n_days,), months since FIRST_DATE
    by_rating = np.zeros((len(manifest.scale.values), N_SUBSETS), np.int64)
    by_month = np.zeros((int(month_of_day[-1]) + 1, N_SUBSETS), np.int64)
    columns = {RATING, DATE} if has_times else {RATING}
    for rows in scan_ratings(
        split.catalog, split.selection(), budget, progress, "counting", columns=columns
    ):
        _count(by_rating, rows.pair & rows.packing.code_mask, rows.subset)
        if has_times:
            _count(by_month, month_of_day[rows.day], rows.subset)
    first = np.datetime64(FIRST_DATE, "M")
    months = _tabulate(by_month, "month", lambda number: str(first + number))
    ratings = _tabulate(by_rating, RATING, lambda code: manifest.scale.values[code])
    return ratings, months if has_times else None


def _count(counts: Array, positions: Array, subset: Array) -> None:
    """Add rows to (n_positions, N_SUBSETS) counts."""
    cells = positions * N_SUBSETS + subset
    counts += np.bincount(cells, minlength=counts.size).reshape(counts.shape)


def _tabulate(counts: Array, column: str, name: Callable[[int], object]) -> pl.DataFrame:
    """The counts that are not 0: subset, the column, n_ratings."""
    positions, subsets = (found.tolist() for found in np.nonzero(counts))
    table = {
        "subset": [_SUBSET_NAMES[number] for number in subsets],
        column: [name(position) for position in positions],
        "n_ratings": counts[counts > 0].tolist(),
    }
    return pl.DataFrame(table, schema_overrides={"n_ratings": pl.Int64})


def _cold(counts: pl.LazyFrame) -> int:
    """How many have test rows and no train row."""
    cold = counts.filter((pl.col("n_train") == 0) & (pl.col("n_test") > 0))
    return int(cold.select(pl.len()).collect().item())


def _ratings_by_subset(counts: pl.DataFrame, manifest: Manifest) -> Figure:
    ratings = counts[RATING].unique().to_list()
    starts = group_starts(ratings, is_count=manifest.feedback == IMPLICIT)
    word = rating_word(manifest) + (", from" if len({*starts.values()}) < len(starts) else "")
    grouped = (
        counts.with_columns(pl.col(RATING).replace_strict(starts))
        .group_by("subset", RATING)
        .agg(n_ratings=pl.col("n_ratings").sum())
    )
    percent = 100 * pl.col("n_ratings") / pl.col("n_ratings").sum().over("subset")
    rows = grouped.with_columns(percent=percent.round(4)).sort(RATING, "subset").to_dicts()
    widest = max(
        abs(one["percent"] - other["percent"])
        for one in rows
        for other in rows
        if one[RATING] == other[RATING]
    )
    chart = (
        new_chart()
        .mark_bar()
        .encode(
            x=alt.X(f"{RATING}:O", title=word, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("subset:N", sort=list(_SUBSETS)),
            y=alt.Y("percent:Q", title="per cent of the subset's ratings"),
            tooltip=tooltips(
                subset="subset|text",
                rating=f"{word}|{'.1f' if word == STARS else ''}",
                n_ratings="ratings",
                percent="per cent|.2f",
            ),
            **_subset_encodings(rows),
        )
        .add_params(legend_filter("subset"))
    )
    return Figure(
        name="train-and-test-ratings",
        title="Ratings in either subset",
        caption=f"The subsets differ by at most {widest:.2f} points of a per cent.",
        alt="Bars of the share of each rating on the train and test subset; they differ by at most "
        f"{widest:.2f} points.",
        rows=rows,
        chart=chart,
    )


def _months_by_subset(counts: pl.DataFrame) -> Figure:
    rows: list[dict[str, Any]] = counts.sort("month", "subset").to_dicts()
    chart = (
        new_chart()
        .mark_line()
        .encode(
            x=alt.X(
                "month:T", title=None, timeUnit="utcyearmonth",
                axis=alt.Axis(format="%Y", tickCount={"interval": "year", "step": 1}),
            ),
            y=alt.Y("n_ratings:Q", title="ratings per month", axis=alt.Axis(format="~s")),
            strokeDash=alt.StrokeDash("subset:N", sort=list(_SUBSETS), legend=None),
            tooltip=tooltips(subset="subset|text", month="month|day", n_ratings="ratings"),
            **_subset_encodings(rows),
        )
        .add_params(legend_filter("subset"))
    )  # fmt: skip
    return Figure(
        name="train-and-test-months",
        title="When either subset was rated",
        caption="A random split has the same course in both subsets; a split by time has not.",
        alt="Lines of the ratings per month on the train and test subset.",
        rows=rows,
        chart=chart,
        log_axes=["y"],
    )


def _subset_encodings(rows: list[dict[str, Any]]) -> dict[str, Any]:
    shown = [subset for subset in _SUBSETS if any(row["subset"] == subset for row in rows)]
    scale = alt.Scale(domain=shown, range=[_COLOURS[subset] for subset in shown])
    return {
        "color": alt.Color("subset:N", scale=scale),
        "opacity": alt.condition(legend_filter("subset"), alt.value(1), alt.value(0.12)),
    }
