"""Every analysis query on a small store: golden results, and some computed a second way.

After a change of a query that is meant, `python -m tests.sql.test_analysis` writes the golden files
anew; read their difference before committing it.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from bigrec.ingest.ingest import ingest_ratings
from bigrec.query.library import ANALYSIS, NamedQuery, find_query, list_queries
from bigrec.query.output import write_text
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.splits.views import split_view_queries
from bigrec.store.catalog import open_catalog
from bigrec.store.layout import StoreLayout
from bigrec.synthetic import write_synthetic

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_ROWS = 30

# Values that make a query find something in a small store; user 0 stands for the most active one.
PARAMETERS = {
    "burst_users": {"min_ratings": "3"},
    "co_rated_items": {"item_id": "3", "min_ratings": "20"},
    "item_profile": {"item_id": "1"},
    "constant_users": {"min_ratings": "3"},
    "most_divisive_items": {"min_ratings": "50"},
    "most_loved_items": {"damping": "20"},
    "ratings_per_item": {"clip": "300"},
    "ratings_per_user": {"clip": "100"},
    "similar_users": {"user_id": "0", "min_together": "10"},
    "user_history": {"user_id": "0"},
}

QUERIES = list_queries(ANALYSIS)


@pytest.fixture(scope="module")
def session(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    store = tmp_path_factory.mktemp("analysis") / "store"
    shutil.copytree(store_small, store)
    with open_with_split(store) as opened:
        yield opened


def open_with_split(store: Path) -> Session:
    """A session with a split in which some items are cold."""
    spec = SplitSpec(min_user_ratings=6, test_fraction=0.4, validation_fraction=0.1, seed=3)
    create_split(open_catalog(store), "golden", spec)
    views = split_view_queries(StoreLayout(store), "golden")
    return open_session(store, budget=Budget(threads=2), views=views)


def answer(session: Session, query: NamedQuery) -> str:
    """The first rows of a query's result, as CSV."""
    values = dict(PARAMETERS.get(query.name, {}))
    if values.get("user_id") == "0":
        most_active = "SELECT user_id FROM users ORDER BY n_ratings DESC, user_id LIMIT 1"
        values["user_id"] = str(session.run(most_active).fetchall()[0][0])
    result = session.run(query.sql, query.bind(values))
    text = io.BytesIO()
    write_text(result, "csv", text, limit=GOLDEN_ROWS)
    return text.getvalue().decode()


def cells_of(text: str) -> list[list[float | str]]:
    def value(cell: str) -> float | str:
        try:
            return float(cell)
        except ValueError:
            return cell

    return [[value(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


def result_of(session: Session, name: str, **values: str) -> pl.DataFrame:
    query = find_query(name)
    return session.run(query.sql, query.bind(values)).pl()


def test_the_library_answers_at_least_fifteen_questions() -> None:
    assert len(QUERIES) >= 15


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_has_a_title_and_a_description(query: NamedQuery) -> None:
    assert query.title
    assert len(query.description) > len(query.title)
    for parameter in query.parameters:
        assert parameter.description
        assert f"${parameter.name}" in query.sql
        if parameter.default is not None:
            parameter.read(parameter.default)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_gives_its_golden_result(session: Session, query: NamedQuery) -> None:
    found = answer(session, query)
    assert len(found.splitlines()) > 1, "the golden parameters of a query should find something"
    golden = (GOLDEN / f"{query.name}.csv").read_text(encoding="utf-8")
    assert len(cells_of(found)) == len(cells_of(golden))
    for found_row, golden_row in zip(cells_of(found), cells_of(golden), strict=True):
        for cell, expected in zip(found_row, golden_row, strict=True):
            # Sums of floats depend on the order in which threads finish.
            assert cell == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_no_golden_result_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.csv")} == {query.name for query in QUERIES}


def test_histograms_are_those_of_pandas_clip(session: Session, store_small: Path) -> None:
    ratings = open_catalog(store_small).ratings().collect()
    for name, column, clip, width in (
        ("ratings_per_item", "item_id", 300, 100),
        ("ratings_per_user", "user_id", 40, 2),
    ):
        counts = ratings.to_pandas().groupby(column)["rating"].count()
        bins = (counts.clip(upper=clip) // width * width).value_counts().sort_index()
        found = result_of(session, name, clip=str(clip), width=str(width))
        assert found["from_n_ratings"].to_list() == bins.index.tolist()
        assert found[:, 1].to_list() == bins.tolist()
        assert found["n_clipped"].sum() == (counts > clip).sum()


def test_lift_is_that_of_a_plain_computation(session: Session, store_small: Path) -> None:
    ratings = open_catalog(store_small).ratings().collect()
    item = 3
    raters = set(ratings.filter(pl.col("item_id") == item)["user_id"])
    n_users = ratings["user_id"].n_unique()
    found = result_of(session, "co_rated_items", item_id=str(item), min_ratings="20", top="1000")
    assert len(found) > 20
    for row in found.iter_rows(named=True):
        other = set(ratings.filter(pl.col("item_id") == row["item_id"])["user_id"])
        lift = (len(raters & other) / len(raters)) / (len(other) / n_users)
        assert row["n_together"] == len(raters & other)
        assert row["lift"] == pytest.approx(lift)


def test_shares_add_up_to_all_ratings(session: Session) -> None:
    for name in ("rating_distribution", "rating_distribution_by_year"):
        found = result_of(session, name)
        groups = found["year"].n_unique() if "year" in found.columns else 1
        assert found["percent"].sum() == pytest.approx(100 * groups)
    for name in ("long_tail_of_items", "long_tail_of_users"):
        assert result_of(session, name)["percent_of_ratings_so_far"][-1] == pytest.approx(100)


def test_a_user_history_is_the_whole_of_it(session: Session, store_small: Path) -> None:
    ratings = open_catalog(store_small).ratings().collect()
    user = ratings["user_id"].mode()[0]
    found = result_of(session, "user_history", user_id=str(user))
    own = ratings.filter(pl.col("user_id") == user)
    assert found["rating"].sum() == own["rating"].sum()
    assert set(found["item_id"]) == set(own["item_id"])
    assert found["date"].is_sorted()


def main() -> None:
    """Write the golden files anew."""
    folder = Path(tempfile.mkdtemp())
    try:
        write_synthetic(folder / "raw", n_ratings=20_000, seed=7, budget=Budget(threads=2))
        ingest_ratings(folder / "raw", folder / "store", budget=Budget(threads=2))
        with open_with_split(folder / "store") as session:
            for query in QUERIES:
                text = answer(session, query)
                (GOLDEN / f"{query.name}.csv").write_text(text, encoding="utf-8")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
