"""The split's two subsets, counted in one scan, against its lazy frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from bigrec.report import render
from bigrec.report.figures import Figure, Section
from bigrec.report.split_section import describe_split
from bigrec.resources import Budget
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split, create_split
from bigrec.store.catalog import open_catalog

SPECS = {
    "random": SplitSpec(min_item_ratings=20, test_fraction=0.3, seed=5),
    "validation": SplitSpec(validation_fraction=0.2),
    "last": SplitSpec(method="leave-last", last=2, min_user_ratings=3),
}


@pytest.fixture(scope="module", params=SPECS)
def split(
    request: pytest.FixtureRequest, store_small: Path, tmp_path_factory: pytest.TempPathFactory
) -> Split:
    store = tmp_path_factory.mktemp("split") / "store"
    shutil.copytree(store_small, store)
    return create_split(open_catalog(store), request.param, SPECS[request.param])


@pytest.fixture(scope="module")
def section(split: Split) -> Section:
    return describe_split(split, budget=Budget(threads=2))


def subsets_of(split: Split) -> pl.DataFrame:
    subsets = [
        getattr(split, subset).with_columns(subset=pl.lit(subset))
        for subset in ("train", "validation", "test")
    ]
    rows: pl.DataFrame = pl.concat(subsets).collect()
    return rows


def test_ratings_of_each_subset_are_those_of_the_frames(split: Split, section: Section) -> None:
    expected = subsets_of(split).group_by("subset", "rating").len().sort("rating", "subset")
    figure = section.blocks[0]
    assert isinstance(figure, Figure)
    found = [(row["subset"], row["rating"], row["n_ratings"]) for row in figure.rows]
    assert found == expected.rows()
    for subset in expected["subset"].unique():
        percents = [row["percent"] for row in figure.rows if row["subset"] == subset]
        assert sum(percents) == pytest.approx(100, abs=0.01)


def test_months_of_each_subset_are_those_of_the_frames(split: Split, section: Section) -> None:
    month = pl.col("date").dt.strftime("%Y-%m").alias("month")
    expected = subsets_of(split).group_by("subset", month).len().sort("month", "subset")
    figure = section.blocks[1]
    assert isinstance(figure, Figure)
    found = [(row["subset"], row["month"], row["n_ratings"]) for row in figure.rows]
    assert found == expected.rows()


def test_the_protocol_and_the_command_are_said(split: Split, section: Section) -> None:
    assert split.spec.protocol() in section.text
    assert section.commands[0][:4] == ["bigrec", "split", "create", split.name]
    assert section.numbers["train ratings"] == f"{split.summary.n_train:,}"
    assert ("validation" in section.numbers) == (split.name == "validation")
    cold = split.users().filter((pl.col("n_train") == 0) & (pl.col("n_test") > 0)).collect()
    assert section.numbers["cold users in the test"] == f"{cold.height:,}"


def test_its_figures_can_be_drawn(section: Section) -> None:
    for block in section.blocks:
        assert isinstance(block, Figure)
        assert render.svg_image(block).startswith("<svg")
