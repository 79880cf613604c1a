"""The data: the notebook's five figures, the mean over time and age, the long tail, titles."""

from __future__ import annotations

import datetime as dt
import itertools
import statistics
from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from bigrec.interactions import IMPLICIT, STARS
from bigrec.query.session import Session
from bigrec.report.figures import (
    Figure,
    Row,
    Section,
    ask,
    ask_exactly,
    cursor,
    diagonal,
    legend_filter,
    level,
    new_chart,
    plain,
    share,
    sql_command,
    tooltips,
    total,
)
from bigrec.report.rating_figure import rating_distribution
from bigrec.report.rating_groups import rating_word
from bigrec.report.theme import ACCENT, SERIES
from bigrec.report.title_figures import title_figures
from bigrec.schema import NO_TIME
from bigrec.store.manifest import Manifest

_MOST_STEPS: Final = 4000
_SMOOTHED_DAYS: Final = 28
_FEW: Final = 0.2
"""Steps with less than this share of the usual number of ratings do not stretch the scale."""
_NETFLIX_ODDITY: Final = (
    " In the Netflix Prize data the line jumps early in 2004, the set's best-known oddity."
)
_ITEM_CLIP: Final = {"clip": 18_000, "width": 100}
_USER_CLIP: Final = {"clip": 300, "width": 2}


def describe_store(session: Session) -> Section:
    """Ask the store and draw what it answers.

    Args:
        session: the open store.
    """
    manifest = session.manifest
    density = ask(session, "density")[0]
    has_times = manifest.time_unit != NO_TIME
    is_rated = manifest.feedback != IMPLICIT
    daily = ask_exactly(session, "ratings_over_time", days=1) if has_times else []
    return Section(
        name="data",
        title="The data",
        text=f"{manifest.n_ratings:,} ratings from {manifest.source} files. "
        + ("" if is_rated else "They count how often a user chose an item (implicit feedback). ")
        + ("" if has_times else "The store has no times, so there are no figures over time. ")
        + "Every figure is one SQL query over the whole store; the command below it prints its "
        "numbers.",
        blocks=[
            rating_distribution(session),
            *([_ratings_per_day(session, daily)] if has_times else []),
            *([_mean_over_time(session, daily)] if has_times and is_rated else []),
            *_items_by_year(session),
            _ratings_per_item(session),
            _ratings_per_user(session),
            _long_tail(session),
            *([_item_age(session)] if has_times and is_rated else []),
            *title_figures(session),
        ],
        commands=[["bigrec", "ingest", "RAW"]],
        numbers={
            "ratings": f"{manifest.n_ratings:,}",
            "users": f"{manifest.n_users:,}",
            "items": f"{manifest.n_items:,}",
            f"mean {'rating' if is_rated else 'count'}": f"{manifest.mean_rating:.3f}",
            **({} if rating_word(manifest) == STARS else {"scale": _scale(manifest)}),
            "of all pairs rated": f"{density['percent_filled']:.2f} %",
            "ratings per user": f"{density['ratings_per_user']:,.1f}",
            "ratings per item": f"{density['ratings_per_item']:,.1f}",
            **(
                {"from": manifest.first_date or "", "to": manifest.last_date or ""}
                if has_times
                else {"times": "none"}
            ),
        },
    )


def _scale(manifest: Manifest) -> str:
    return f"{manifest.scale.low:g} to {manifest.scale.high:g}"


def _ratings_per_day(session: Session, daily: Sequence[Row]) -> Figure:
    step, every = _time_step(session, 1)
    rows, column = _in_steps(daily, step), "from_date"
    command = sql_command("ratings_over_time", days=step)
    if step == 1:
        column, command = "date", sql_command("ratings_per_day")
        rows = [{"date": row["from_date"], "n_ratings": row["n_ratings"]} for row in rows]
    busiest = max(rows, key=lambda row: row["n_ratings"])
    half = max(1, _SMOOTHED_DAYS // step) // 2
    x = alt.X(f"{column}:T", title=None, timeUnit="utcyearmonthdate", axis=_date_axis())
    base = new_chart()
    days = base.mark_line(stroke=ACCENT, strokeWidth=1, opacity=0.45).encode(
        x=x, y=alt.Y("n_ratings:Q", title=f"ratings {every}", axis=alt.Axis(format="~s"))
    )
    smooth = (
        base.transform_window(
            smoothed="mean(n_ratings)", frame=[-half, half], sort=[alt.SortField(column)]
        )
        .mark_line(stroke=ACCENT, strokeWidth=2)
        .encode(x=x, y="smoothed:Q")
    )
    return Figure(
        name="ratings-per-day",
        title=f"{session.manifest.n_ratings:,} ratings {every}",
        caption=f"The busiest: {busiest[column]} with {busiest['n_ratings']:,} ratings. "
        f"The bold line is the mean of {2 * half + 1} neighbors.",
        alt=f"A line of the ratings {every} from {rows[0][column]} to {rows[-1][column]}, "
        f"highest on {busiest[column]} with {busiest['n_ratings']:,}.",
        rows=rows,
        chart=days + smooth + cursor(x, tooltips(**{column: "day|day", "n_ratings": "ratings"})),
        log_axes=["y"],
        command=command,
    )


def _mean_over_time(session: Session, daily: Sequence[Row]) -> Figure:
    step, every = _time_step(session, 7)
    rows = _in_steps(daily, step)
    x = alt.X("from_date:T", title=None, timeUnit="utcyearmonthdate", axis=_date_axis())
    usual = statistics.median(row["n_ratings"] for row in rows)
    shown = [row for row in rows if row["n_ratings"] >= _FEW * usual]
    domain = [pick(row["mean_rating"] for row in shown) for pick in (min, max)]
    outside = sum(not domain[0] <= row["mean_rating"] <= domain[1] for row in rows)
    y = alt.Y(
        "mean_rating:Q", title="mean rating", scale=alt.Scale(domain=domain, nice=True, zero=False)
    )
    base = new_chart()
    line = base.mark_line(strokeWidth=1.5, clip=True).encode(x=x, y=y)
    overall = level(round(session.manifest.mean_rating, 4))
    fields = tooltips(from_date="from|day", mean_rating="mean rating|.3f", n_ratings="ratings")
    return Figure(
        name="mean-rating-over-time",
        title="Mean rating over time",
        caption=f"Means {every}; the dashed line is the mean of all."
        + (_NETFLIX_ODDITY if session.manifest.source == "netflix" else "")
        + (f" Outside the picture, with very few ratings: {outside}." if outside else ""),
        alt=f"A line of the mean rating {every}, from {rows[0]['mean_rating']:.2f} at first to "
        f"{rows[-1]['mean_rating']:.2f} at last.",
        rows=rows,
        chart=overall + line + cursor(x, fields),
        command=sql_command("ratings_over_time", days=step),
    )


def _items_by_year(session: Session) -> list[Figure]:
    rows = ask(session, "items_by_release_year")
    if not rows:
        return []
    dated = total(rows, "n_items")
    undated = session.manifest.n_items - dated
    chart = (
        new_chart()
        .mark_line(point=alt.OverlayMarkDef(size=18, fill=ACCENT, stroke=ACCENT))
        .encode(
            x=alt.X(
                "year:Q", title="year of release", scale=alt.Scale(zero=False, nice=False),
                axis=alt.Axis(format="d"),
            ),
            y=alt.Y("n_items:Q", title="items"),
            tooltip=tooltips(year="year|d", n_items="items"),
        )
    )  # fmt: skip
    most = max(rows, key=lambda row: row["n_items"])
    figure = Figure(
        name="items-by-release-year",
        title=f"{dated:,} items by year of release",
        caption=f"Most came out in {most['year']}: {most['n_items']:,}. "
        + (f"Left out for want of a year: {undated:,}." if undated else ""),
        alt=f"A line of items by year of release, highest in {most['year']}.",
        rows=rows,
        chart=chart,
        log_axes=["y"],
        command=sql_command("items_by_release_year"),
    )
    return [figure]


def _ratings_per_item(session: Session) -> Figure:
    return _histogram(session, "ratings_per_item", "n_items", "item", _ITEM_CLIP)


def _ratings_per_user(session: Session) -> Figure:
    return _histogram(session, "ratings_per_user", "n_users", "user", _USER_CLIP)


def _histogram(
    session: Session, query: str, column: str, what: str, parameters: dict[str, int]
) -> Figure:
    """How many items or users have so many ratings, in equal bins up to a clip."""
    clip, width = parameters["clip"], parameters["width"]
    rows: list[dict[str, Any]] = [
        row | {"to_n_ratings": row["from_n_ratings"] + width}
        for row in ask(session, query, **parameters)
    ]
    n_clipped, n = total(rows, "n_clipped"), total(rows, column)
    chart = (
        new_chart()
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X(
                "from_n_ratings:Q", bin="binned", title=f"ratings of the {what}",
                axis=alt.Axis(format=",d", tickCount=8),
            ),
            x2="to_n_ratings:Q",
            y=alt.Y(f"{column}:Q", title=f"{what}s"),
            tooltip=tooltips(
                from_n_ratings="ratings from", to_n_ratings="to below",
                **{column: f"{what}s", "n_clipped": f"of them above {clip:,}"},
            ),
        )
    )  # fmt: skip
    return Figure(
        name=query.replace("_", "-"),
        title=f"Ratings per {what}",
        caption=f"In bins of {width:,}; counts above {clip:,} are put at {clip:,}. "
        f"Clipped: {n_clipped:,} of {n:,} {what}s ({share(n_clipped, n)}).",
        alt=f"A histogram of how many ratings each {what} has, clipped at {clip:,}; "
        f"{share(n_clipped, n)} of the {what}s lie above.",
        rows=rows,
        chart=chart,
        log_axes=["y"],
        command=sql_command(query, **parameters),
    )


def _long_tail(session: Session) -> Figure:
    rows: list[dict[str, Any]] = []
    for what in ("items", "users"):
        rows.append({"what": what, "top_percent": 0, "percent_of_ratings_so_far": 0})
        rows += [
            {
                "what": what,
                "top_percent": row["top_percent"],
                "percent_of_ratings_so_far": row["percent_of_ratings_so_far"],
            }
            for row in ask(session, f"long_tail_of_{what}", n_groups=100)
        ]
    tenth = {
        row["what"]: row["percent_of_ratings_so_far"] for row in rows if row["top_percent"] == 10
    }
    words = " and ".join(
        f"the most rated tenth of the {what} holds {percent:.0f} %"
        if what == "items"
        else f"the most active tenth of the {what} {percent:.0f} %"
        for what, percent in tenth.items()
    )
    selected = legend_filter("what")
    lines = (
        new_chart()
        .mark_line()
        .encode(
            x=alt.X("top_percent:Q", title="per cent of items or users, most active first"),
            y=alt.Y("percent_of_ratings_so_far:Q", title="per cent of all ratings"),
            color=alt.Color(
                "what:N", scale=alt.Scale(domain=["items", "users"], range=list(SERIES[:2]))
            ),
            strokeDash=alt.StrokeDash("what:N", legend=None),
            opacity=alt.condition(selected, alt.value(1), alt.value(0.12)),
            tooltip=tooltips(
                what="|text", top_percent="top per cent|.0f",
                percent_of_ratings_so_far="per cent of ratings|.1f",
            ),
        )
        .add_params(selected)
    )  # fmt: skip
    return Figure(
        name="long-tail",
        title="The long tail",
        caption=(words[:1].upper() + words[1:] + " of all ratings. " if words else "")
        + "An even spread would be the diagonal.",
        alt=f"Curves of the share of ratings by the share of items and of users; {words}.",
        rows=rows,
        chart=diagonal(0, 100) + lines,
        command=sql_command("long_tail_of_items", n_groups=100),
    )


def _item_age(session: Session) -> Figure:
    rows = [
        row | {"from_age_years": round(row["from_age_days"] / 365.25, 3)}
        for row in ask(session, "rating_by_item_age")
    ]
    base = new_chart()
    points = STARS if rating_word(session.manifest) == STARS else "points"
    chart = base.mark_line(point=alt.OverlayMarkDef(size=18, fill=ACCENT, stroke=ACCENT)).encode(
        x=alt.X("from_age_years:Q", title="years since the item's first rating"),
        y=alt.Y(
            "drift:Q", title=f"{points} above the items' own means", scale=alt.Scale(zero=False)
        ),
        tooltip=tooltips(
            from_age_days="days from", drift="above own means|+.3f", mean_rating="mean rating|.3f",
            n_ratings="ratings",
        ),
    )  # fmt: skip
    return Figure(
        name="rating-by-item-age",
        title="Ratings by an item's age",
        caption="In steps of 90 days since the item's first rating, against the mean of the same "
        "items, so that the line does not merely show that better items stay longer.",
        alt=f"A line of how far ratings lie from their items' means by the items' age, from "
        f"{rows[0]['drift']:+.3f} to {rows[-1]['drift']:+.3f} {points}.",
        rows=rows,
        chart=level(0) + chart,
        command=sql_command("rating_by_item_age"),
    )


def _time_step(session: Session, days: int) -> tuple[int, str]:
    """Days a step, at least those given, so that the data's span has few enough, and words."""
    first, last = session.manifest.first_date, session.manifest.last_date
    assert first is not None  # noqa: S101 - there are times
    assert last is not None  # noqa: S101
    span = dt.date.fromisoformat(last) - dt.date.fromisoformat(first)
    step = max(days, -(-(span.days + 1) // _MOST_STEPS))
    return step, {1: "per day", 7: "per week"}.get(step, f"per {step} days")


def _in_steps(daily: Sequence[Row], days: int) -> list[dict[str, Any]]:
    """What `ratings_over_time` gives for longer steps, out of its answer for single days.

    One scan of the store serves all figures over time.

    Args:
        daily: exact rows of single days, in order.
        days: length of a step.
    """

    def position(row: Row) -> int:
        return int((row["from_date"] - daily[0]["from_date"]).days // days)

    rows = []
    for number, grouped in itertools.groupby(daily, position):
        inside = list(grouped)
        n_ratings = total(inside, "n_ratings")
        rating_sum = sum(row["n_ratings"] * row["mean_rating"] for row in inside)
        start = daily[0]["from_date"] + dt.timedelta(days=number * days)
        mean_rating = rating_sum / n_ratings
        rows.append(plain({"from_date": start, "n_ratings": n_ratings, "mean_rating": mean_rating}))
    return rows


def _date_axis() -> alt.Axis:
    return alt.Axis(format="%Y", tickCount={"interval": "year", "step": 1}, labelAngle=0)
