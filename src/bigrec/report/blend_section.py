"""What the components of a blend count, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt

from bigrec.models.blend import BlendWeights
from bigrec.report.figures import Figure, new_chart, tooltips
from bigrec.report.theme import MUTED, SERIES
from bigrec.runs import RunDirectory

_AVERAGE: Final = "average pair"
_USER: Final = "more active user"
_ITEM: Final = "more popular item"
_COLOURS: Final = {_AVERAGE: MUTED, _USER: SERIES[0], _ITEM: SERIES[1]}
_SHAPES: Final = {_AVERAGE: "circle", _USER: "triangle-right", _ITEM: "diamond"}


def blend_figures(runs: Sequence[RunDirectory]) -> list[Figure]:
    """The weights of each blend among these runs."""
    return [_weights_figure(run) for run in runs if run.config.components]


def _weights_figure(run: RunDirectory) -> Figure:
    weights = BlendWeights.from_json(dict(run.config.weights or {}))
    components = sorted(weights.components, key=lambda own: -own.weight)
    rows: list[dict[str, Any]] = [
        {"component": own.run, "pair": pair, "weight": round(weight, 4)}
        for own in components
        for pair, weight in (
            (_AVERAGE, own.weight),
            (_USER, own.weight + own.by_user),
            (_ITEM, own.weight + own.by_item),
        )
    ]
    colours = alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))
    shapes = alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values()))
    legend = alt.Legend(columns=alt.ExprRef("containerSize()[0] < 640 ? 2 : 3"))
    axis = alt.Axis(
        labelColor="var(--ink)", grid=True, labelLimit=alt.ExprRef("width < 420 ? 150 : 240")
    )
    chart = (
        new_chart(alt.Step(30))
        .mark_point(filled=True, size=90)
        .encode(
            x=alt.X("weight:Q", title="weight", axis=alt.Axis(grid=True, tickCount=6)),
            y=alt.Y("component:N", sort=[own.run for own in components], axis=axis),
            color=alt.Color("pair:N", scale=colours, legend=legend),
            shape=alt.Shape("pair:N", scale=shapes, legend=legend),
            tooltip=tooltips(component="component|text", pair="for|text", weight="weight|.4f"),
        )
    )
    words = ", ".join(f"{own.run} {own.weight:.3f}" for own in components)
    return Figure(
        name=f"weights-of-{run.name}",
        title=f"What {run.name} is made of",
        caption="A blend adds to the bias model's score each component's difference from it, times "
        "the component's weight: for a user and an item with an average number of train ratings, "
        "and where the user or the item has more by one standard deviation (of the logarithm). "
        f"Fitted to {weights.n_fitted:,} validation ratings with a ridge penalty of "
        f"{weights.penalty:g}.",
        alt=f"Points of the weight of each component of {run.name}, for an average pair: {words}.",
        rows=rows,
        chart=chart,
    )
