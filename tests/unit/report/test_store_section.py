"""The figures of the data: their golden data, and what holds for all of them.

After a change that is meant, `python -m tests.unit.report.test_store_section` writes the golden
files anew; read their difference before committing it.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bigrec.ingest.ingest import ingest_ratings
from bigrec.query.session import open_session
from bigrec.report import render
from bigrec.report.figures import Figure, Row, Section
from bigrec.report.store_section import describe_store
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog
from bigrec.synthetic import write_synthetic

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_ROWS = 12
NAMES = [
    "rating-distribution",
    "ratings-per-day",
    "mean-rating-over-time",
    "items-by-release-year",
    "ratings-per-item",
    "ratings-per-user",
    "long-tail",
    "rating-by-item-age",
    "most-rated",
    "most-loved",
    "most-divisive",
]


def section_of(store: Path) -> Section:
    with open_session(store, budget=Budget(threads=2)) as session:
        return describe_store(session)


def figures_of(section: Section) -> dict[str, Figure]:
    return {block.name: block for block in section.blocks if isinstance(block, Figure)}


def digest(rows: Sequence[Row]) -> dict[str, Any]:
    """The number of rows, the first of them, and the sum of each column of numbers."""
    numbers = [name for name, value in rows[0].items() if isinstance(value, int | float)]
    sums = {name: math.fsum(row[name] or 0 for row in rows) for name in numbers}
    return {"n_rows": len(rows), "sums": sums, "first": [dict(row) for row in rows[:GOLDEN_ROWS]]}


@pytest.fixture(scope="module")
def section(store_small: Path) -> Section:
    return section_of(store_small)


def test_the_figures_are_these(section: Section) -> None:
    assert list(figures_of(section)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_its_golden_data(section: Section, name: str) -> None:
    found = digest(figures_of(section)[name].rows)
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert found["n_rows"] == golden["n_rows"]
    assert found["sums"] == pytest.approx(golden["sums"], rel=1e-5, abs=1e-6)
    for row, expected in zip(found["first"], golden["first"], strict=True):
        assert row.keys() == expected.keys()
        for column, value in expected.items():
            # Sums of floats depend on the order in which threads finish.
            if isinstance(value, float):
                assert row[column] == pytest.approx(value, rel=1e-5, abs=1e-6)
            else:
                assert row[column] == value


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_words_a_command_and_a_picture(section: Section, name: str) -> None:
    figure = figures_of(section)[name]
    assert figure.title
    assert figure.caption
    assert len(figure.alt) > 10
    assert figure.command.startswith("bigrec sql --name ")
    svg = render.svg_file(figure)
    assert svg.startswith("<svg")
    assert "var(--" not in svg
    assert render.png_file(svg).startswith(b"\x89PNG")
    assert render.vega_spec(figure)["marks"]


def test_the_clip_and_the_number_of_clipped_are_said(store_small: Path, section: Section) -> None:
    users = open_catalog(store_small).users().collect()
    n_clipped = users.filter(pl.col("n_ratings") > 300).height
    caption = figures_of(section)["ratings-per-user"].caption
    assert "counts above 300 are put at 300" in caption
    assert f"Clipped: {n_clipped:,} of {users.height:,} users" in caption
    rows = figures_of(section)["ratings-per-user"].rows
    assert {row["to_n_ratings"] - row["from_n_ratings"] for row in rows} == {2}
    items = figures_of(section)["ratings-per-item"]
    assert "counts above 18,000 are put at 18,000" in items.caption
    assert {row["to_n_ratings"] - row["from_n_ratings"] for row in items.rows} == {100}


def test_percentages_add_up(section: Section) -> None:
    rows = figures_of(section)["rating-distribution"].rows
    assert sum(row["percent"] for row in rows) == pytest.approx(100, abs=1e-3)
    assert section.numbers["ratings"] == f"{sum(row['n_ratings'] for row in rows):,}"


def test_the_long_tail_ends_with_all_ratings(section: Section) -> None:
    rows = figures_of(section)["long-tail"].rows
    for what in ("items", "users"):
        curve = [row["percent_of_ratings_so_far"] for row in rows if row["what"] == what]
        assert curve[0] == 0
        assert curve == sorted(curve)
        assert curve[-1] == pytest.approx(100)


def main() -> None:
    """Write the golden files anew."""
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        raw, store = Path(folder) / "raw", Path(folder) / "store"
        write_synthetic(raw, n_ratings=20_000, seed=7, budget=Budget(threads=2))
        ingest_ratings(raw, store, budget=Budget(threads=2))
        for name, figure in figures_of(section_of(store)).items():
            text = json.dumps(digest(figure.rows), ensure_ascii=False, indent=1)
            (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
