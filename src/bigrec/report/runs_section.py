"""The runs of a split: the comparison with baselines and published figures, curves, cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from bigrec.errors import SettingsError
from bigrec.evaluate.compare import Comparison, shared_measures
from bigrec.interactions import rating_words
from bigrec.measures import RANKING_OBJECTIVE, RMSE, Measure, find_measure
from bigrec.models.blend import BLEND
from bigrec.models.registry import MODELS, find_model, find_preset, find_run_model
from bigrec.report.figures import (
    HEIGHT,
    Figure,
    Table,
    legend_filter,
    new_chart,
    tooltips,
)
from bigrec.report.published import Protocol
from bigrec.report.theme import MUTED, SERIES
from bigrec.runs import RunDirectory

SHAPES: Final = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_BASELINE: Final = "baseline"
_PUBLISHED: Final = "published"


def model_title(name: str) -> str:
    """A model's name for people."""
    try:
        return find_run_model(name).title
    except SettingsError:  # of a package that is not here, or a kind of rows that is no model
        return name


def model_encodings(
    models: Sequence[str],
    *,
    with_shapes: bool = True,
    narrow_columns: int = 2,
    wide_columns: int = 5,
) -> dict[str, Any]:
    """The colour and shape of each model, the same in every figure, and its legend.

    Args:
        models: names of those that are shown, and of other kinds of rows.
        with_shapes: whether a model has a shape of its own too.
        narrow_columns: of the legend on a phone.
        wide_columns: of the legend elsewhere.
    """
    # Models that rank are in figures of their own, where the colours begin anew.
    ranking = [name for name, one in MODELS.items() if RANKING_OBJECTIVE in one.objectives]
    rating = [*(name for name in MODELS if name not in ranking), BLEND]
    others = [name for name in models if name not in {*rating, *ranking}]
    own = [*rating, *others]
    shown = [name for name in [*own, *ranking] if name in models]
    positions = [(ranking if name in ranking else own).index(name) for name in shown]
    domain = [model_title(name) for name in shown]
    # What is no model of bigrec stays grey, told apart by its shape.
    colours = [SERIES[position] if position < len(SERIES) else MUTED for position in positions]
    # The container's size, unlike the plot's, is known before the legend is laid out.
    columns = f"containerSize()[0] < 640 ? {narrow_columns} : {wide_columns}"
    legend = alt.Legend(columns=alt.ExprRef(columns))
    encodings = {
        "color": alt.Color("model:N", scale=alt.Scale(domain=domain, range=colours), legend=legend)
    }
    if with_shapes:
        shapes = [SHAPES[position % len(SHAPES)] for position in positions]
        scale = alt.Scale(domain=domain, range=shapes)
        encodings["shape"] = alt.Shape("model:N", scale=scale, legend=legend)
    return encodings


def figure_name(measure: Measure, name: str) -> str:
    """What a figure is called in the page, that of runs that rank by a name of its own.

    Args:
        measure: the primary one of its runs.
        name: of the figure of errors.
    """
    return name if measure.is_error else f"ranking-{name}".replace("error", "quality")


def comparison_table(
    comparison: Comparison, runs: Sequence[RunDirectory], published: Protocol | None
) -> Table:
    """Runs, best first, then the baselines, then what was published under the same protocol."""
    by_name = {run.name: run for run in runs}
    primary, *others = measures = shared_measures(comparison)
    rows: list[tuple[object, ...]] = []
    for row in comparison.runs:
        run = by_name[row.run]
        rows.append(
            (
                row.run, *(row.test[one.name] for one in measures), row.seconds, _peak_mib(run),
                model_title(row.model), run.config.preset, run.metrics.n_fallback,
            )
        )  # fmt: skip
    rows += [
        (
            one.name,
            *(one.test[measure.name] for measure in measures),
            None,
            None,
            _BASELINE,
            "",
            None,
        )
        for one in sorted(
            comparison.baselines, key=lambda one: primary.order(one.test[primary.name])
        )
    ]
    protocol = comparison.protocol
    spec = runs[0].config.spec
    n_test = f"{comparison.runs[0].n_test:,} test ratings"
    caption = (
        f"{protocol[:1].upper()}{protocol[1:]}. "
        + (
            f"Errors over {n_test}, in {spec.unit}, scores clipped to the scale. "
            if primary.is_error
            else f"Lists of unseen items over the users of {n_test}, an item being relevant from "
            f"{rating_words(spec.relevant, spec.unit)}. "
        )
        + "Seconds: the whole training, tests included. Peak: the most memory that the process of "
        "the training held at once. Fallback: test ratings of users or items without a train "
        f"rating, {'scored by the bias model' if primary.is_error else 'which are in no list'}."
    )
    if published is not None and primary == RMSE:
        rows += [
            (name, rmse, *(None for _ in others), None, None, _PUBLISHED, "", None)
            for name, rmse in published.rmse.items()
        ]
        caption += f" Published: {published.source}, {published.note}."
    columns = {
        "run": "", **{f"test {one.title}": ".4f" for one in measures}, "seconds": ",.1f",
        "peak MiB": ",", "model": "", "preset": "", "fallback": ",",
    }  # fmt: skip
    title = "Comparison" if primary.is_error else "Comparison of lists"
    return Table(title=title, columns=columns, rows=rows, caption=caption, best_row=0)


def comparison_figure(
    comparison: Comparison, presets: Mapping[str, str], published: Protocol | None, unit: str
) -> Figure:
    """The primary measure on one axis, best first: runs, baselines, published figures.

    Args:
        comparison: of one split.
        presets: of each run by name.
        published: of the same protocol; None where nothing was.
        unit: of errors.
    """
    measure = find_measure(comparison.primary)
    rows: list[dict[str, Any]] = [
        {
            "run": row.run, "kind": row.model, "preset": presets[row.run],
            "test": round(row.test[measure.name], 5),
        }
        for row in comparison.runs
    ]  # fmt: skip
    rows += [
        {"run": one.name, "kind": _BASELINE, "test": round(one.test[measure.name], 5)}
        for one in comparison.baselines
        if measure.name in one.test
    ]
    if published is not None and measure == RMSE:
        rows += [
            {"run": f"{name}, published", "kind": _PUBLISHED, "test": rmse}
            for name, rmse in published.rmse.items()
        ]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    rows = sorted(
        ({**row, "model": model_title(row.pop("kind"))} for row in rows),
        key=lambda row: measure.order(row["test"]),
    )
    selected = legend_filter("model")
    chart = (
        new_chart(alt.Step(22))
        .mark_point(filled=True, size=90)
        .encode(
            x=alt.X(
                "test:Q", title=f"test {measure.label(unit)}",
                axis=alt.Axis(grid=True, tickCount=6), scale=alt.Scale(zero=False, padding=12),
            ),
            y=alt.Y(
                "run:N", title="run", sort=[row["run"] for row in rows],
                axis=alt.Axis(
                    labelColor="var(--ink)", grid=True,
                    labelLimit=alt.ExprRef("width < 420 ? 150 : 240"),
                ),
            ),
            opacity=alt.condition(selected, alt.value(1), alt.value(0.12)),
            tooltip=tooltips(run="run|text", model="model|text", test=f"test {measure.title}|.4f"),
            **model_encodings(kinds, narrow_columns=1, wide_columns=4),
        )
        .add_params(selected)
    )  # fmt: skip
    words = ", ".join(f"{row['run']} {row['test']:.4f}" for row in rows)
    source = f" Published: {published.source}, {published.note}." if published else ""
    return Figure(
        name=figure_name(measure, "comparison"),
        title="Test error of each run" if measure.is_error else f"Test {measure.title} of each run",
        caption=f"{'Right' if measure.higher_is_better else 'Left'} is better.{source}",
        alt=f"Points of the test {measure.title}, best first: {words}",
        rows=rows,
        chart=chart,
        command="bigrec compare",
    )


def train_command(run: RunDirectory) -> list[str]:
    """The command line that trains a run again; options that differ from its preset are set."""
    config = run.config
    if config.components:
        components = [own.run for own in config.components]
        return ["bigrec", "blend", *components, "--run", run.name, "--seed", str(config.seed)]
    model, preset = config.model, config.preset
    command = ["bigrec", "train", model, "--split", config.split.name, "--preset", preset]
    command += ["--run", run.name, "--seed", str(config.seed)]
    try:
        usual = dataclasses.asdict(find_preset(find_model(model), preset))
    except SettingsError:  # the model's package is not here
        usual = {}
    for name, value in config.options.items():
        if usual.get(name) != value:
            command += ["--set", f"{name}={value}"]
    return command


def loss_figures(runs: Sequence[RunDirectory]) -> list[Figure]:
    """Errors in both subsets over epochs and over seconds, of runs that were trained by steps."""
    stepped = [run for run in runs if any(epoch.train_loss is not None for epoch in run.history)]
    rows = [row for run in stepped for row in _history(run)]
    if not rows:
        return []
    models = list(dict.fromkeys(run.config.model for run in stepped))
    unit = stepped[0].config.spec.unit
    return [
        _loss_figure(rows, models, unit, "epoch", "epoch"),
        _loss_figure(rows, models, unit, "seconds", "seconds of training"),
    ]


def cost_figure(runs: Sequence[RunDirectory]) -> Figure:
    """The primary measure against the time that it took, and memory where a run recorded it."""
    measure = runs[0].metrics.measure
    rows: list[dict[str, Any]] = []
    for run in runs:
        row = {
            "run": run.name,
            "model": model_title(run.config.model),
            "preset": run.config.preset,
            "seconds": round(run.metrics.seconds, 2),
            "test": round(run.metrics.test[measure.name], 5),
        }
        if (peak := _peak_mib(run)) is not None:
            row["peak_mib"] = peak
        rows.append(row)
    fields = tooltips(
        run="run|text", model="model|text", seconds="seconds|,.1f",
        test=f"test {measure.title}|.4f",
        **({"peak_mib": "peak memory, MiB|,"} if any("peak_mib" in row for row in rows) else {}),
    )  # fmt: skip
    selected = legend_filter("model")
    models = list(dict.fromkeys(run.config.model for run in runs))
    chart = (
        new_chart()
        .mark_point(filled=True, size=110)
        .encode(
            x=alt.X("seconds:Q", title="seconds, tests included", axis=alt.Axis(format="~s")),
            y=alt.Y(
                "test:Q",
                title=f"test {measure.label(runs[0].config.spec.unit)}",
                scale=alt.Scale(zero=False, padding=10),
            ),
            opacity=alt.condition(selected, alt.value(1), alt.value(0.1)),
            tooltip=fields,
            **model_encodings(models),
        )
        .add_params(selected)
    )
    return Figure(
        name=figure_name(measure, "error-against-time"),
        title="What the error costs" if measure.is_error else f"What {measure.title} costs",
        caption="Each point is a run; the "
        f"{'upper' if measure.higher_is_better else 'lower'} left is where one wants to be.",
        alt=f"Points of test {measure.title} by seconds of training: "
        + ", ".join(f"{row['run']} {row['seconds']:.0f} s {row['test']:.4f}" for row in rows),
        rows=rows,
        chart=chart,
        log_axes=["x"],
    )


def _peak_mib(run: RunDirectory) -> int | None:
    """Peak memory of a training; None for a blend, or where it is not known."""
    peak = run.metrics.peak_rss_bytes
    return None if peak is None else round(peak / (1 << 20))


def _history(run: RunDirectory) -> list[dict[str, Any]]:
    """Two rows an epoch, test and train."""
    rows = []
    seconds = 0.0
    for epoch in run.history:
        seconds += epoch.seconds
        train = None if epoch.train_loss is None else math.sqrt(epoch.train_loss)
        for subset, rmse in (("test", epoch.test.get(RMSE.name)), ("train", train)):
            if rmse is not None and math.isfinite(rmse):
                rows.append(
                    {
                        "run": run.name,
                        "model": model_title(run.config.model),
                        "preset": run.config.preset,
                        "subset": subset,
                        "line": f"{run.name} {subset}",
                        "epoch": epoch.epoch,
                        "seconds": round(seconds, 3),
                        "rmse": round(rmse, 5),
                    }
                )
    return rows


def _loss_figure(
    rows: list[dict[str, Any]], models: list[str], unit: str, column: str, words: str
) -> Figure:
    selected = legend_filter("model")
    # The train error of a wild first epoch would press all other lines flat.
    highest = max(row["rmse"] for row in rows if row["subset"] == "test")
    domain = [min(row["rmse"] for row in rows), highest]
    n_above = sum(row["rmse"] > highest for row in rows)
    encodings: dict[str, Any] = {
        "x": alt.X(
            f"{column}:Q", title=words, axis=alt.Axis(tickMinStep=1, tickCount=10),
            scale=alt.Scale(zero=False, nice=column != "epoch"),
        ),
        "y": alt.Y(
            "rmse:Q", title=RMSE.label(unit), scale=alt.Scale(domain=domain, nice=True, zero=False)
        ),
        "detail": "line:N",
        "opacity": alt.condition(selected, alt.value(1), alt.value(0.06)),
        "tooltip": tooltips(
            run="run|text", subset="subset|text", epoch="epoch|d", seconds="seconds|,.1f",
            rmse="RMSE|.4f",
        ),
    } | model_encodings(models, with_shapes=False)  # fmt: skip
    dashes = alt.Scale(domain=["test", "train"], range=[[1, 0], [4, 3]])
    legend = alt.Legend(symbolType="stroke", symbolStrokeColor=MUTED)
    lines = (
        new_chart(HEIGHT + 60)
        .mark_line(strokeWidth=2, clip=True)
        .encode(strokeDash=alt.StrokeDash("subset:N", scale=dashes, legend=legend), **encodings)
        .add_params(selected)
    )
    presets = sorted({row["preset"] for row in rows}, reverse=True)
    scale = alt.Scale(domain=presets, range=list(SHAPES[: len(presets)]))
    told = alt.Legend(symbolFillColor=MUTED) if len(presets) > 1 else None
    shape = alt.Shape("preset:N", scale=scale, legend=told)
    points = (
        new_chart(HEIGHT + 60)
        .mark_point(filled=True, size=36, clip=True)
        .encode(shape=shape, **encodings)
    )
    best = min((row for row in rows if row["subset"] == "test"), key=lambda row: row["rmse"])
    return Figure(
        name=f"error-by-{column}",
        title=f"Error by {words}",
        caption="Solid: the test subset. Dashed: the train subset, as it was while the weights "
        "still moved. A run of one epoch is a point, one fitted in one piece is not shown. Point "
        "at a line for its run."
        + (
            f" Train errors above the highest test error, outside the picture: {n_above}."
            if n_above
            else ""
        ),
        alt=f"Lines of train and test RMSE by {words}; the lowest test RMSE is {best['rmse']:.4f}, "
        f"of {best['run']} at {column} {best[column]:g}.",
        rows=rows,
        chart=lines + points,
        log_axes=["x"] if column == "seconds" else [],
    )
