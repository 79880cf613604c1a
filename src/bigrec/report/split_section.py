"""The split: its protocol, its counts, and how its two subsets compare."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl

from bigrec.report.figures import Figure, Section, legend_filter, new_chart, share, tooltips
from bigrec.report.theme import SERIES
from bigrec.resources import SILENT, Budget, Progress
from bigrec.schema import DATE, FIRST_DATE, LAST_DATE, RATING
from bigrec.splits.kernels import N_SUBSETS, TEST, TRAIN, VALIDATION
from bigrec.splits.selection import scan_ratings
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split

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
    counts = _count_subsets(split, budget, progress)
    summary = split.summary
    n_rows = summary.n_train + summary.n_validation + summary.n_test
    cold_users, cold_items = _cold(split.users()), _cold(split.items())
    return Section(
        name="split",
        title="The split",
        text=f"Split {split.name!r}: {split.spec.protocol()}. Every error below is measured on its "
        "test subset and means nothing under another protocol.",
        blocks=[_ratings_by_subset(counts), _months_by_subset(counts)],
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


def _count_subsets(split: Split, budget: Budget, progress: Progress) -> pl.DataFrame:
    """Ratings of each subset by month and value: subset, month, rating, n_ratings."""
    days = np.arange(np.datetime64(FIRST_DATE), np.datetime64(LAST_DATE) + 1)
    month_of_day = days.astype("datetime64[M]").astype(np.int64)
    month_of_day -= month_of_day[0]  # (n_days,), months since FIRST_DATE
    values = split.catalog.manifest.scale.values
    shape = (int(month_of_day[-1]) + 1, len(values), N_SUBSETS)
    counts = np.zeros(shape, np.int64)
    rows_read = scan_ratings(
        split.catalog, split.selection(), budget, progress, "counting", columns={RATING, DATE}
    )
    for rows in rows_read:
        codes = rows.pair & rows.packing.code_mask
        positions = (month_of_day[rows.day] * len(values) + codes) * N_SUBSETS + rows.subset
        counts += np.bincount(positions, minlength=counts.size).reshape(shape)
    months, levels, subsets = (found.tolist() for found in np.nonzero(counts))
    first = np.datetime64(FIRST_DATE, "M")
    table = {
        "subset": [_SUBSET_NAMES[number] for number in subsets],
        "month": [str(first + number) for number in months],
        RATING: [values[level] for level in levels],
        "n_ratings": counts[counts > 0].tolist(),
    }
    return pl.DataFrame(table, schema_overrides={"n_ratings": pl.Int64})


def _cold(counts: pl.LazyFrame) -> int:
    """How many have test rows and no train row."""
    cold = counts.filter((pl.col("n_train") == 0) & (pl.col("n_test") > 0))
    return int(cold.select(pl.len()).collect().item())


def _ratings_by_subset(counts: pl.DataFrame) -> Figure:
    grouped = counts.group_by("subset", RATING).agg(n_ratings=pl.col("n_ratings").sum())
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
            x=alt.X(f"{RATING}:O", title="stars", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("subset:N", sort=list(_SUBSETS)),
            y=alt.Y("percent:Q", title="per cent of the subset's ratings"),
            tooltip=tooltips(
                subset="subset|text",
                rating="stars|.1f",
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
    grouped = counts.group_by("subset", "month").agg(n_ratings=pl.col("n_ratings").sum())
    rows: list[dict[str, Any]] = grouped.sort("month", "subset").to_dicts()
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
