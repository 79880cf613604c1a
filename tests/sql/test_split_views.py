"""A split in SQL has the rows that it has everywhere else, and its checks find damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.support.sealing import seal_again

from bigrec.cli.app import main
from bigrec.errors import SplitError
from bigrec.query.checks import CheckResult, check_store
from bigrec.query.library import CHECKS, list_queries
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split, open_split
from bigrec.splits.views import split_view_queries
from bigrec.store.catalog import open_catalog
from bigrec.store.layout import StoreLayout

SPECS = {
    "random": SplitSpec(seed=5),
    "filtered": SplitSpec(min_item_ratings=20, min_user_ratings=10, test_fraction=0.3),
    "k-core": SplitSpec(k_core=5),
    "days": SplitSpec(first_date="2003-01-01", last_date="2005-06-30"),
    "listed": SplitSpec(item_ids=(1, 2, 3, 5, 8, 13, 21, 34, 55)),
    "temporal-day": SplitSpec(method="temporal", test_from="2005-07-01"),
    "temporal-share": SplitSpec(method="temporal", test_fraction=0.1, validation_fraction=0.1),
    "leave-last": SplitSpec(method="leave-last", last=2),
    "probe": SplitSpec(method="probe", validation_fraction=0.05),
    "fold": SplitSpec(method="folds", folds=5, fold=3),
    "warm": SplitSpec(test_fraction=0.6, validation_fraction=0.2, warm=True),
}


@pytest.fixture(scope="module")
def store(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("split-views") / "store"
    shutil.copytree(store_small, copy)
    for name, spec in SPECS.items():
        create_split(open_catalog(copy), name, spec)
    return copy


def run_checks(store: Path, split: str) -> dict[str, CheckResult]:
    views = split_view_queries(StoreLayout(store), split)
    with open_session(store, budget=Budget(threads=2), views=views) as session:
        results = check_store(session, split=split)
    return {result.name.removeprefix(f"{split}: "): result for result in results}


@pytest.mark.parametrize("name", SPECS)
def test_subsets_are_those_of_the_lazy_frames(store: Path, name: str) -> None:
    split = open_split(open_catalog(store), name)
    key = ["item_id", "user_id"]
    views = split_view_queries(StoreLayout(store), name)
    with open_session(store, budget=Budget(threads=2), views=views) as session:
        for subset in ("train", "validation", "test"):
            frame: pl.LazyFrame = getattr(split, subset)
            found = session.run(f"SELECT * EXCLUDE (movie_id) FROM {subset}").pl().sort(key)
            assert found.equals(frame.collect().sort(key)), subset
        counts = session.run("SELECT n_train, n_validation, n_test FROM split").fetchall()[0]
    summary = split.summary
    assert counts == (summary.n_train, summary.n_validation, summary.n_test)


@pytest.mark.parametrize("name", SPECS)
def test_a_good_split_passes_every_check(store: Path, name: str) -> None:
    results = run_checks(store, name)
    assert set(results) == {query.name for query in list_queries(CHECKS) if query.needs_split}
    assert {check: r.bad_rows for check, r in results.items() if not r.passed} == {}


def _one_more(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.with_columns(
        pl.col(column) + (pl.int_range(pl.len()) == 0).cast(rows.schema[column])
    )


@pytest.mark.parametrize(
    ("table", "change", "check"),
    [
        ("users", _one_more("n_train"), "split_subsets_are_disjoint_and_complete"),
        ("items", _one_more("n_test"), "split_subsets_are_disjoint_and_complete"),
        ("users", lambda rows: rows[1:], "split_totals_agree"),
    ],
)
def test_damage_to_a_split_is_found(
    store: Path,
    tmp_path: Path,
    table: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    check: str,
) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    path = StoreLayout(copy).split("random") / f"{table}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)
    seal_again(path.parent)
    assert not run_checks(copy, "random")[check].passed


def test_rows_on_no_subset_are_found(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    path = StoreLayout(copy).split("leave-last") / "users.parquet"
    users = pl.read_parquet(path)
    first = pl.int_range(pl.len()) == 0
    users.with_columns(
        pl.when(first).then(None).otherwise(pl.col("test_from_date")).alias("test_from_date")
    ).write_parquet(path)
    seal_again(path.parent)
    assert not run_checks(copy, "leave-last")["split_subsets_are_disjoint_and_complete"].passed


def test_a_split_is_chosen_on_the_command_line(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--store", str(store)]
    ask = ["sql", *at, "--format", "csv", "SELECT count(*) AS n FROM test"]
    assert main([*ask, "--split", "fold"]) == 0
    n_test = open_split(open_catalog(store), "fold").summary.n_test
    assert capsys.readouterr().out == f"n\n{n_test}\n"
    assert main([*ask, "--split", "flod"]) == 3
    assert "'fold'" in capsys.readouterr().err
    assert main(["sql", *at, "--name", "split_overview"]) == 2
    assert "--split" in capsys.readouterr().err
    assert main(["check", *at, "--json"]) == 0
    assert "leave-last: split_totals_agree" in capsys.readouterr().out


def test_a_split_of_other_ratings_is_refused(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    layout = StoreLayout(copy)
    text = layout.manifest.read_text()
    layout.manifest.write_text(text.replace('"n_ratings": 20000', '"n_ratings": 1'))
    seal_again(copy)
    with pytest.raises(SplitError, match="other ratings"):
        split_view_queries(layout, "random")
    assert main(["check", "--store", str(copy), "--json"]) == 3
    checks = json.loads(capsys.readouterr().out)["checks"]
    failed = {check["name"] for check in checks if not check["passed"]}
    assert "random: split_can_be_read" in failed
    assert len(checks) == 2 * len(SPECS) + 11
