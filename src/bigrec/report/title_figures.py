"""Items by name: the most rated, the most loved, the most divisive."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from bigrec.interactions import IMPLICIT
from bigrec.query.session import Session
from bigrec.report.figures import Figure, ask, new_chart, sql_command, tooltips
from bigrec.report.rating_groups import store_unit
from bigrec.report.theme import ACCENT

_N_TITLES: Final = 12


def title_figures(session: Session) -> list[Figure]:
    """Three rankings of items; where there are no ratings the first of them.

    Args:
        session: the open store.
    """
    if session.manifest.feedback == IMPLICIT:
        return [_most_rated(session)]
    return [_most_rated(session), _most_loved(session), _most_divisive(session)]


def _most_rated(session: Session) -> Figure:
    return _titles(
        session, "most_rated_items", {"top": _N_TITLES}, "n_ratings", "ratings", "~s",
        title="Most rated", caption="The items with most ratings.",
    )  # fmt: skip


def _most_loved(session: Session) -> Figure:
    damping = _enough_ratings(session)
    return _titles(
        session, "most_loved_items", {"damping": damping, "top": _N_TITLES}, "damped_mean",
        "damped mean rating", ".2f", title="Most loved",
        caption=f"The highest means, each item given {damping:,} more ratings of the overall "
        "mean, so that a few raters cannot put one on top.",
    )  # fmt: skip


def _most_divisive(session: Session) -> Figure:
    least = _enough_ratings(session)
    return _titles(
        session, "most_divisive_items", {"min_ratings": least, "top": _N_TITLES},
        "standard_deviation", f"standard deviation, {store_unit(session.manifest)}", ".2f",
        title="Most divisive",
        caption=f"Where opinions differ most, among items with at least {least:,} ratings.",
    )  # fmt: skip


def _titles(
    session: Session,
    query: str,
    parameters: dict[str, int],
    column: str,
    words: str,
    number_format: str,
    *,
    title: str,
    caption: str,
) -> Figure:
    """Items by name along one measure: bars from zero for counts, points for the rest."""
    found = ask(session, query, **parameters)
    keys = _item_keys(session, [row["item_id"] for row in found])
    rows: list[dict[str, Any]] = [
        row | {"item": _item_name(row, keys.get(row["item_id"]))} for row in found
    ]
    is_count = column == "n_ratings"
    base = new_chart(alt.Step(20))
    points = base.mark_point(size=70, filled=True, fill=ACCENT)
    chart = (base.mark_bar() if is_count else points).encode(
        x=alt.X(
            f"{column}:Q", title=words, scale=alt.Scale(zero=is_count),
            axis=alt.Axis(format=number_format, grid=True),
        ),
        y=alt.Y(
            "item:N", title=None, sort=None,
            axis=alt.Axis(
                labelLimit=alt.ExprRef("width < 420 ? 150 : 260"), grid=not is_count,
                labelColor="var(--ink)",
            ),
        ),
        tooltip=tooltips(
            item="|text", **{column: f"{words}|{'' if is_count else '.3f'}"},
            **({} if is_count else {"n_ratings": "ratings"}), mean_rating="mean rating|.3f",
        ),
    )  # fmt: skip
    return Figure(
        name=query.removesuffix("_items").replace("_", "-"),
        title=title,
        caption=caption if rows else "No item has enough ratings.",
        alt=f"{title}: " + ", ".join(row["item"] for row in rows),
        rows=rows,
        chart=chart,
        command=sql_command(query, **parameters),
    )


def _item_keys(session: Session, ids: list[int]) -> dict[int, str]:
    """The keys of some items; none where their ids are the source's own."""
    if not session.manifest.item_keys or not ids:
        return {}
    listed = ", ".join(map(str, ids))
    query = f"SELECT item_id, key FROM items WHERE item_id IN ({listed})"  # noqa: S608
    return dict(session.run(query).fetchall())


def _item_name(row: dict[str, Any], key: str | None) -> str:
    title = row["title"] or key or f"item {row['item_id']}"
    return f"{title} ({row['year']})" if row["year"] else str(title)


def _enough_ratings(session: Session) -> int:
    """How many ratings make an item's mean trustworthy: 1,000 at full size, 20 in a small store."""
    return min(1000, max(20, session.manifest.n_ratings // 20_000))
