"""The weights of a blend, from a run directory written by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tests.support.runs import make_config

from bigrec.models.blend import BlendWeights, ComponentWeights, Support
from bigrec.report import render
from bigrec.report.blend_section import blend_figures
from bigrec.run_records import ComponentRecord
from bigrec.runs import RunDirectory
from bigrec.store.seal import Kind, write_seal

WEIGHTS = BlendWeights(
    components=(
        ComponentWeights("knn", 0.25, 0.125, -0.0625),
        ComponentWeights("mf", 0.75, -0.25, 0.5),
    ),
    intercept=0.01,
    by_user=0.02,
    by_item=-0.03,
    user_support=Support(4.0, 1.5),
    item_support=Support(6.0, 2.0),
    penalty=10.0,
    n_fitted=12_345,
)


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    components = tuple(ComponentRecord(own.run, own.run, "aa") for own in WEIGHTS.components)
    configs = [
        make_config("matrix-factorization", run="mf"),
        make_config(
            "blend", run="both", components=components, weights=dataclasses.asdict(WEIGHTS)
        ),
    ]
    for config in configs:
        folder = tmp_path / config.run
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config.to_json()))
        write_seal(folder, Kind.RUN)
    return [RunDirectory(tmp_path / config.run) for config in configs]


def test_a_blend_shows_its_weights_and_other_runs_have_none(runs: list[RunDirectory]) -> None:
    (figure,) = blend_figures(runs)
    assert figure.name == "weights-of-both"
    assert [(row["component"], row["pair"], row["weight"]) for row in figure.rows] == [
        ("mf", "average pair", 0.75), ("mf", "more active user", 0.5),
        ("mf", "more popular item", 1.25),
        ("knn", "average pair", 0.25), ("knn", "more active user", 0.375),
        ("knn", "more popular item", 0.1875),
    ]  # fmt: skip
    assert "mf 0.750, knn 0.250" in figure.alt
    assert "12,345 validation ratings" in figure.caption
    assert "penalty of 10." in figure.caption


def test_a_weight_is_what_a_star_more_of_a_component_adds(runs: list[RunDirectory]) -> None:
    (figure,) = blend_figures(runs)
    shown = {(row["component"], row["pair"]): row["weight"] for row in figure.rows}
    supports = {
        "average pair": (0, 0), "more active user": (1, 0), "more popular item": (0, 1)
    }  # fmt: skip
    for pair, (user, item) in supports.items():
        nothing = WEIGHTS.combine(3.0, [3.0, 3.0], user, item)
        for own, scores in zip(WEIGHTS.components, ([4.0, 3.0], [3.0, 4.0]), strict=True):
            added = WEIGHTS.combine(3.0, scores, user, item) - nothing
            assert shown[own.run, pair] == pytest.approx(added)


def test_it_can_be_drawn(runs: list[RunDirectory]) -> None:
    (figure,) = blend_figures(runs)
    assert render.svg_image(figure).startswith("<svg")
    assert render.vega_spec(figure)["marks"]
