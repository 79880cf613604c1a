"""Figures as lines of text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bigrec.cli.app import main
from bigrec.report.text_plots import draw_bar, draw_columns, draw_store
from bigrec.resources import Budget

Capture = pytest.CaptureFixture[str]


def test_a_bar_is_as_long_as_its_share() -> None:
    assert draw_bar(1, 4) == "████"
    assert draw_bar(0.5, 4) == "██  "
    assert draw_bar(3 / 32, 4) == "▍   "
    assert draw_bar(0, 4) == "    "


def test_columns_grow_from_the_bottom() -> None:
    assert draw_columns([0, 1, 2, 4], 2) == ["   █", " ▄██"]
    assert draw_columns([0, 0], 1) == ["  "]
    assert draw_columns([], 1) == [""]


def test_a_store_fits_eighty_columns(store_small: Path) -> None:
    lines = draw_store(store_small, budget=Budget(threads=2))
    assert max(map(len, lines)) <= 80
    assert sum("%" in line for line in lines) == 5


def test_info_draws_when_asked(store_small: Path, capsys: Capture) -> None:
    assert main(["info", "--store", str(store_small), "--plot"]) == 0
    assert "ratings by stars" in capsys.readouterr().out
    assert main(["info", "--store", str(store_small), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_ratings"] == 20_000
