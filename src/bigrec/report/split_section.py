"""The split: its protocol, its counts, and how its two sides compare."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from bigrec.report.figures import Figure, Section, legend_filter, new_chart, share, tooltips
from bigrec.report.theme import SERIES
from bigrec.schema import DATE, RATING
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split

SIDES = ("train", "test")


def describe_split(split: Split) -> Section:
    """Count both sides of a split, streamed.

    Args:
        split: a saved split.
    """
    counts = pl.concat([_counts(getattr(split, side), side) for side in SIDES])
    summary = split.summary
    n_rows = summary.n_train + summary.n_test
    cold_users, cold_movies = _cold(split.users()), _cold(split.movies())
    return Section(
        name="split",
        title="The split",
        text=f"Split {split.name!r}: {split.spec.protocol()}. Every error below is measured on its "
        "test side and means nothing under another protocol.",
        blocks=[_ratings_by_side(counts), _months_by_side(counts)],
        commands=[_create_command(split)],
        numbers={
            "train ratings": f"{summary.n_train:,}",
            "test ratings": f"{summary.n_test:,}",
            "on the test side": share(summary.n_test, n_rows),
            "users": f"{summary.n_users:,}",
            "movies": f"{summary.n_movies:,}",
            "of all pairs rated": f"{100 * n_rows / (summary.n_users * summary.n_movies):.2f} %",
            "cold users in the test": f"{cold_users:,}",
            "cold movies in the test": f"{cold_movies:,}",
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


def _counts(rows: pl.LazyFrame, side: str) -> pl.DataFrame:
    """Ratings of one side by month and stars."""
    grouped = rows.group_by(pl.col(DATE).dt.truncate("1mo").alias("month"), RATING)
    counted = grouped.agg(n_ratings=pl.len()).with_columns(side=pl.lit(side))
    return counted.collect(engine="streaming")


def _cold(counts: pl.LazyFrame) -> int:
    """How many have test rows and no train row."""
    cold = counts.filter((pl.col("n_train") == 0) & (pl.col("n_test") > 0))
    return int(cold.select(pl.len()).collect().item())


def _ratings_by_side(counts: pl.DataFrame) -> Figure:
    grouped = counts.group_by("side", RATING).agg(n_ratings=pl.col("n_ratings").sum())
    percent = 100 * pl.col("n_ratings") / pl.col("n_ratings").sum().over("side")
    rows = grouped.with_columns(percent=percent.round(4)).sort(RATING, "side").to_dicts()
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
            xOffset=alt.XOffset("side:N", sort=list(SIDES)),
            y=alt.Y("percent:Q", title="per cent of the side's ratings"),
            tooltip=tooltips(
                side="side|text", rating="stars|.1f", n_ratings="ratings", percent="per cent|.2f"
            ),
            **_side_encodings(),
        )
        .add_params(legend_filter("side"))
    )
    return Figure(
        name="train-and-test-ratings",
        title="Ratings on either side",
        caption=f"The sides differ by at most {widest:.2f} points of a per cent.",
        alt="Bars of the share of each rating on the train and test side; they differ by at most "
        f"{widest:.2f} points.",
        rows=rows,
        chart=chart,
    )


def _months_by_side(counts: pl.DataFrame) -> Figure:
    grouped = counts.group_by("side", "month").agg(n_ratings=pl.col("n_ratings").sum())
    ordered = grouped.sort("month", "side").with_columns(pl.col("month").cast(pl.String))
    rows: list[dict[str, Any]] = ordered.to_dicts()
    chart = (
        new_chart()
        .mark_line()
        .encode(
            x=alt.X(
                "month:T", title=None, timeUnit="utcyearmonth",
                axis=alt.Axis(format="%Y", tickCount={"interval": "year", "step": 1}),
            ),
            y=alt.Y("n_ratings:Q", title="ratings per month", axis=alt.Axis(format="~s")),
            strokeDash=alt.StrokeDash("side:N", sort=list(SIDES), legend=None),
            tooltip=tooltips(side="side|text", month="month|day", n_ratings="ratings"),
            **_side_encodings(),
        )
        .add_params(legend_filter("side"))
    )  # fmt: skip
    return Figure(
        name="train-and-test-months",
        title="When either side was rated",
        caption="A random split has the same course on both sides; a split by time has not.",
        alt="Lines of the ratings per month on the train and test side.",
        rows=rows,
        chart=chart,
        log_axes=["y"],
    )


def _side_encodings() -> dict[str, Any]:
    scale = alt.Scale(domain=list(SIDES), range=list(SERIES[:2]))
    return {
        "color": alt.Color("side:N", scale=scale),
        "opacity": alt.condition(legend_filter("side"), alt.value(1), alt.value(0.12)),
    }
