"""The models: the comparison with its baselines, errors over epochs and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt

from bigrec.evaluate.compare import Comparison
from bigrec.models.registry import MODELS
from bigrec.report.figures import HEIGHT, Figure, Table, tooltips
from bigrec.report.theme import MUTED, SERIES
from bigrec.runs import RunDirectory

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


def model_title(name: str) -> str:
    """A model's name for people."""
    return MODELS[name].title if name in MODELS else name


def model_scale(models: Sequence[str]) -> dict[str, Any]:
    """Domain and colours of some models: a model has the same colour in every figure."""
    order = [*MODELS, *(name for name in models if name not in MODELS)]
    shown = [name for name in order if name in models]
    return {
        "domain": [model_title(name) for name in shown],
        "range": [SERIES[order.index(name) % len(SERIES)] for name in shown],
    }


def model_encodings(models: Sequence[str]) -> dict[str, Any]:
    """Colour of each model, and the legend that singles one out (see `legend_filter`)."""
    legend = alt.Legend(columns=alt.ExprRef("width < 480 ? 2 : 5"))
    return {"color": alt.Color("model:N", scale=alt.Scale(**model_scale(models)), legend=legend)}


def legend_filter() -> alt.Parameter:
    """The selection that a click on a model in the legend makes."""
    return alt.selection_point(name="model", fields=["model"], bind="legend")


def comparison_table(comparison: Comparison, presets: dict[str, str]) -> Table:
    """Runs, best first, then the baselines.

    Args:
        comparison: of one split.
        presets: of each run by name.
    """
    rows: list[tuple[object, ...]] = [
        (
            row.run, model_title(row.model), presets[row.run], round(row.test_rmse, 4),
            round(row.test_mae, 4), round(row.seconds, 1),
        )
        for row in comparison.runs
    ]  # fmt: skip
    rows += [
        (
            baseline.name,
            "baseline",
            "",
            round(baseline.test_rmse, 4),
            round(baseline.test_mae, 4),
            None,
        )
        for baseline in comparison.baselines
    ]
    n_test = comparison.runs[0].n_test if comparison.runs else 0
    return Table(
        title="Comparison",
        columns=("run", "model", "preset", "test RMSE", "test MAE", "seconds"),
        rows=rows,
        caption=f"{comparison.protocol}. Errors over {n_test:,} test ratings, in stars, scores "
        "clipped to the scale; seconds of the whole training, tests included.",
        best_row=0 if comparison.runs else None,
    )


def comparison_figure(comparison: Comparison, presets: dict[str, str]) -> Figure:
    """Test errors as points along one line each, baselines as rules."""
    rows: list[dict[str, Any]] = [
        {
            "run": row.run, "model": model_title(row.model), "preset": presets[row.run],
            "test_rmse": round(row.test_rmse, 5), "test_mae": round(row.test_mae, 5),
        }
        for row in comparison.runs
    ]  # fmt: skip
    baselines = {baseline.name: round(baseline.test_rmse, 5) for baseline in comparison.baselines}
    selected = legend_filter()
    base = alt.Chart(height=alt.Step(22))
    points = (
        base.mark_point(filled=True, size=90)
        .encode(
            x=alt.X("test_rmse:Q", title="test RMSE", scale=alt.Scale(zero=False, padding=9)),
            y=alt.Y(
                "run:N", title=None, sort=[row["run"] for row in rows],
                axis=alt.Axis(labelColor="var(--ink)", grid=True, labelLimit=220),
            ),
            opacity=alt.condition(selected, alt.value(1), alt.value(0.12)),
            tooltip=tooltips(
                run="run|text", model="model|text", preset="preset|text", test_rmse="test RMSE|.4f",
                test_mae="test MAE|.4f",
            ),
            **model_encodings([row.model for row in comparison.runs]),
        )
        .add_params(selected)
    )  # fmt: skip
    layers = [points]
    for name, rmse in baselines.items():
        rule = base.mark_rule(stroke=MUTED, strokeDash=[4, 4]).encode(x=alt.datum(rmse))
        label = base.mark_text(angle=270, align="left", dy=-6, fill=MUTED).encode(
            x=alt.datum(rmse), y=alt.value(alt.ExprRef("height - 4")), text=alt.value(name)
        )
        layers += [rule, label]
    return Figure(
        name="comparison",
        title="Test error of each run",
        caption="Left is better. Dashed lines are the baselines of the same test side.",
        alt="Points of the test RMSE of each run: "
        + ", ".join(f"{row['run']} {row['test_rmse']:.4f}" for row in rows)
        + "; baselines: "
        + ", ".join(f"{name} {rmse:.4f}" for name, rmse in baselines.items()),
        rows=rows,
        chart=alt.layer(*layers),
        command="bigrec compare",
    )


def loss_figures(runs: Sequence[RunDirectory]) -> list[Figure]:
    """Errors on both sides over epochs and over seconds, of all runs that were trained by steps."""
    rows = [row for run in runs for row in _history(run)]
    if not rows:
        return []
    models = list(dict.fromkeys(run.config["model"] for run in runs if len(run.history) > 1))
    return [
        _loss_figure(rows, models, "epoch", "epoch"),
        _loss_figure(rows, models, "seconds", "seconds of training"),
    ]


def _history(run: RunDirectory) -> list[dict[str, Any]]:
    """Two rows an epoch, train and test; none for a model that is fitted in one piece."""
    if len(run.history) < 2:
        return []
    rows = []
    seconds = 0.0
    for epoch in run.history:
        seconds += epoch["seconds"]
        train = None if epoch["train_mse"] is None else math.sqrt(epoch["train_mse"])
        for side, rmse in (("test", epoch["test_rmse"]), ("train", train)):
            if rmse is not None and math.isfinite(rmse):
                rows.append(
                    {
                        "run": run.name,
                        "model": model_title(run.config["model"]),
                        "preset": run.config["preset"],
                        "side": side,
                        "epoch": epoch["epoch"],
                        "seconds": round(seconds, 3),
                        "rmse": round(rmse, 5),
                    }
                )
    return rows


def _loss_figure(rows: list[dict[str, Any]], models: list[str], column: str, words: str) -> Figure:
    selected = legend_filter()
    encoded = {
        "x": alt.X(
            f"{column}:Q", title=words, axis=alt.Axis(tickMinStep=1), scale=alt.Scale(zero=False)
        ),
        "y": alt.Y("rmse:Q", title="RMSE, stars", scale=alt.Scale(zero=False)),
        "detail": "run:N",
        "opacity": alt.condition(selected, alt.value(1), alt.value(0.06)),
        "tooltip": tooltips(
            run="run|text", side="side|text", epoch="epoch|d", seconds="seconds|,.1f",
            rmse="RMSE|.4f",
        ),
    } | model_encodings(models)  # fmt: skip
    dashes = alt.Scale(domain=["test", "train"], range=[[1, 0], [4, 3]])
    lines = alt.Chart(height=HEIGHT + 60).mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("side:N", scale=dashes, legend=alt.Legend(symbolType="stroke")),
        **encoded,
    ).add_params(selected)  # fmt: skip
    presets = sorted({row["preset"] for row in rows}, reverse=True)
    shapes = alt.Scale(domain=presets, range=list(SHAPES[: len(presets)]))
    points = alt.Chart().mark_point(filled=True, size=36).encode(
        shape=alt.Shape("preset:N", scale=shapes, legend=alt.Legend(symbolFillColor=MUTED)),
        **encoded,
    )  # fmt: skip
    best = min((row for row in rows if row["side"] == "test"), key=lambda row: row["rmse"])
    return Figure(
        name=f"error-by-{column}",
        title=f"Error by {words}",
        caption="Solid lines are the test side, dashed ones the train side as it was while the "
        "weights still moved. Models fitted in one piece have no curve.",
        alt=f"Lines of train and test RMSE by {words}; the lowest test RMSE is {best['rmse']:.4f}, "
        f"of {best['run']} at {column} {best[column]:g}.",
        rows=rows,
        chart=lines + points,
        log_axes=["x"] if column == "seconds" else [],
    )
