"""Comparison, curves and cost of runs, from run directories written by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.runs import make_config, make_epoch, make_metrics
from tests.support.sealing import rewrite_json, seal_again

from bigrec.evaluate.baselines import Baseline
from bigrec.evaluate.compare import ComparedRun, Comparison
from bigrec.models.registry import MODELS
from bigrec.report import render
from bigrec.report.published import PROTOCOLS
from bigrec.report.runs_section import (
    comparison_figure,
    comparison_table,
    cost_figure,
    loss_figures,
    model_encodings,
    train_command,
)
from bigrec.run_records import SplitRecord
from bigrec.runs import RunDirectory
from bigrec.store.seal import Kind, write_seal


def write(runs: Path, name: str, model: str, rmses: list[float], **options: Any) -> RunDirectory:
    folder = runs / name
    folder.mkdir()
    usual = dataclasses.asdict(MODELS[model].presets["tuned"])
    config = make_config(model, options=usual | options, split=SplitRecord("s", "d", "p", {}))
    is_fitted = model == "cosine-knn"
    history = [
        make_epoch(n, None if is_fitted else 0.81, None, rmse)
        for n, rmse in enumerate(rmses, start=1)
    ]
    (folder / "config.json").write_text(json.dumps(config.to_json()))
    (folder / "metrics.json").write_text(json.dumps(make_metrics(rmses[-1]).to_json()))
    (folder / "history.jsonl").write_text(
        "".join(json.dumps(dataclasses.asdict(line)) + "\n" for line in history)
    )
    write_seal(folder, Kind.RUN)
    return RunDirectory(folder)


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    return [
        write(tmp_path, "dnn-a", "dnn", [1.0, 0.95], epochs=2),
        write(tmp_path, "knn", "cosine-knn", [0.97]),
        write(tmp_path, "mf", "matrix-factorization", [0.93, float("nan"), 0.9]),
    ]


@pytest.fixture
def comparison() -> Comparison:
    rows = [
        ("mf", "matrix-factorization", 0.9),
        ("dnn-a", "dnn", 0.95),
        ("knn", "cosine-knn", 0.97),
    ]
    return Comparison(
        "all ratings; random 80/20, seed 0",
        "rmse",
        tuple(
            ComparedRun(run, model, "s", {"rmse": rmse, "mae": 0.7}, 10, 9.5)
            for run, model, rmse in rows
        ),
        (
            Baseline("global-mean", {"rmse": 1.1, "mae": 0.9}),
            Baseline("bias", {"rmse": 0.94, "mae": 0.75}),
        ),
    )


def test_curves_have_both_incidences_of_runs_trained_by_steps(runs: list[RunDirectory]) -> None:
    by_epoch, by_seconds = loss_figures(runs)
    assert by_epoch.rows == by_seconds.rows
    found = [(row["run"], row["subset"], row["epoch"], row["seconds"], row["rmse"])
             for row in by_epoch.rows]  # fmt: skip
    assert found == [
        ("dnn-a", "test", 1, 2.0, 1.0), ("dnn-a", "train", 1, 2.0, 0.9),
        ("dnn-a", "test", 2, 4.0, 0.95), ("dnn-a", "train", 2, 4.0, 0.9),
        ("mf", "test", 1, 2.0, 0.93), ("mf", "train", 1, 2.0, 0.9),
        ("mf", "train", 2, 4.0, 0.9),
        ("mf", "test", 3, 6.0, 0.9), ("mf", "train", 3, 6.0, 0.9),
    ]  # fmt: skip
    assert "0.9000, of mf at epoch 3" in by_epoch.alt
    scales = [layer["encoding"]["x"]["scale"] for layer in by_epoch.spec()["layer"]]
    assert scales == [{"nice": False, "zero": False}] * 2  # no tick at an epoch 0


def test_a_wild_train_error_does_not_stretch_the_scale(tmp_path: Path) -> None:
    run = write(tmp_path, "wild", "dnn", [0.95, 0.92])
    lines = [
        dataclasses.asdict(dataclasses.replace(epoch, train_loss=mse))
        for epoch, mse in zip(run.history, (9.0, 0.81), strict=True)
    ]
    (run.folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    seal_again(run.folder)
    figure = loss_figures([RunDirectory(run.folder)])[0]
    scales = [layer["encoding"]["y"]["scale"] for layer in figure.spec()["layer"]]
    assert [scale["domain"] for scale in scales] == [[0.9, 0.95]] * 2
    assert "outside the picture: 1." in figure.caption
    assert any(row["rmse"] == 3 for row in figure.rows)


def test_a_run_of_one_epoch_is_shown(tmp_path: Path) -> None:
    by_epoch = loss_figures([write(tmp_path, "short", "residual", [0.8])])[0]
    assert [(row["subset"], row["epoch"], row["rmse"]) for row in by_epoch.rows] == [
        ("test", 1, 0.8),
        ("train", 1, 0.9),
    ]


def test_runs_fitted_in_one_piece_have_no_curves(runs: list[RunDirectory]) -> None:
    assert loss_figures(runs[1:2]) == []


def test_the_comparison_is_ordered_and_holds_baselines(
    runs: list[RunDirectory], comparison: Comparison
) -> None:
    presets = {run.name: "tuned" for run in runs}
    figure = comparison_figure(comparison, presets, None, "stars")
    assert [row["run"] for row in figure.rows] == ["mf", "bias", "dnn-a", "knn", "global-mean"]
    table = comparison_table(comparison, runs, None)
    assert table.best_row == 0
    assert table.rows[0][:5] == ("mf", 0.9, 0.7, 9.5, None)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert [row[0] for row in table.rows[3:]] == ["bias", "global-mean"]
    assert table.caption.startswith("All ratings; random 80/20, seed 0. ")


def test_published_figures_come_with_their_source(
    runs: list[RunDirectory], comparison: Comparison
) -> None:
    published = PROTOCOLS[0]
    figure = comparison_figure(comparison, {run.name: "tuned" for run in runs}, published, "stars")
    shown = [row["test"] for row in figure.rows if row["model"] == "published"]
    assert shown == sorted(published.rmse.values())
    assert published.source in figure.caption
    table = comparison_table(comparison, runs, published)
    assert published.source in table.caption
    assert len(table.rows) == 5 + len(published.rmse)


def test_cost_shows_memory_where_it_was_recorded(
    runs: list[RunDirectory], comparison: Comparison
) -> None:
    figure = cost_figure(runs)
    assert [(row["run"], row["seconds"]) for row in figure.rows] == [
        ("dnn-a", 9.5), ("knn", 9.5), ("mf", 9.5)
    ]  # fmt: skip
    path = runs[0].folder / "metrics.json"
    rewrite_json(path, peak_rss_bytes=2 << 30)
    again = RunDirectory(runs[0].folder)
    assert cost_figure([again]).rows[0]["peak_mib"] == 2048
    table = comparison_table(comparison, [again, *runs[1:]], None)
    peak = list(table.columns).index("peak MiB")
    assert {row[0]: row[peak] for row in table.rows[:3]} == {"mf": None, "dnn-a": 2048, "knn": None}


def test_a_model_has_one_colour_everywhere() -> None:
    alone = model_encodings(["dnn"])["color"].to_dict()["scale"]
    among = model_encodings(["autorec", "dnn"])["color"].to_dict()["scale"]
    assert alone["range"][0] == among["range"][among["domain"].index(alone["domain"][0])]


def test_the_command_sets_what_differs_from_the_preset(runs: list[RunDirectory]) -> None:
    command = train_command(runs[0])
    assert command[:3] == ["bigrec", "train", "dnn"]
    assert command[-2:] == ["--set", "epochs=2"]
    assert "--set" not in train_command(runs[1])


def test_they_can_be_drawn(runs: list[RunDirectory], comparison: Comparison) -> None:
    presets = {run.name: "tuned" for run in runs}
    for figure in (
        *loss_figures(runs), cost_figure(runs),
        comparison_figure(comparison, presets, None, "stars"),
    ):  # fmt: skip
        assert render.svg_image(figure).startswith("<svg")
        assert render.vega_spec(figure)["marks"]
