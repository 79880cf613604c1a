"""How often each rating was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from bigrec.interactions import IMPLICIT, STARS
from bigrec.query.session import Session
from bigrec.report.figures import Figure, Row, ask, new_chart, plain, sql_command, tooltips
from bigrec.report.rating_groups import group_starts, rating_word


def rating_distribution(session: Session) -> Figure:
    """Bars of how often each rating was given, or of groups of them where there are many.

    Args:
        session: the open store.
    """
    manifest = session.manifest
    every = ask(session, "rating_distribution")
    starts = group_starts((row["rating"] for row in every), is_count=manifest.feedback == IMPLICIT)
    rows = _in_groups(every, starts) if len({*starts.values()}) < len(starts) else every
    is_grouped = rows is not every
    word = f"{rating_word(manifest)}, from" if is_grouped else rating_word(manifest)

    def name(rating: float) -> str:
        return f"{rating:g} {STARS}" if word == STARS else f"{rating:g}"

    most = max(rows, key=lambda row: row["n_ratings"])
    base = new_chart().encode(
        x=alt.X("rating:O", title=word, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("n_ratings:Q", title="ratings", axis=alt.Axis(format="~s")),
        tooltip=tooltips(
            rating=f"{word}|{'.1f' if word == STARS else ''}", n_ratings="ratings",
            percent="per cent|.2f",
        ),
    )  # fmt: skip
    label = alt.Text("label:N")
    chart = base.mark_bar() + base.transform_calculate(
        label="format(datum.percent, '.1f') + ' %'"
    ).mark_text(dy=-8).encode(text=label)
    words = "Most are in the group from" if is_grouped else "Most are"
    return Figure(
        name="rating-distribution",
        title=f"Distribution of {manifest.n_ratings:,} ratings",
        caption=f"{words} {name(most['rating'])}: {most['percent']:.1f} % of all ratings.",
        alt="Bars of how often each rating was given: "
        + ", ".join(f"{name(row['rating'])} {row['percent']:.1f} %" for row in rows),
        rows=rows,
        chart=chart,
        command=sql_command("rating_distribution"),
    )


def _in_groups(rows: Sequence[Row], starts: Mapping[float, float]) -> list[dict[str, Any]]:
    """The distribution of ratings by groups of them, the highest first."""
    counts: dict[float, int] = {}
    for row in rows:
        start = starts[row["rating"]]
        counts[start] = counts.get(start, 0) + row["n_ratings"]
    n = sum(counts.values())
    return [
        plain({"rating": start, "n_ratings": count, "percent": 100 * count / n})
        for start, count in sorted(counts.items(), reverse=True)
    ]
