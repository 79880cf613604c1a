"""Every check finds nothing on a good store, and finds the damage that it is there for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.support.sealing import seal_again

from bigrec.cli.app import main
from bigrec.query.checks import MAX_BAD_ROWS, CheckResult, check_store
from bigrec.query.library import CHECKS, list_queries
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.store.layout import StoreLayout

Damage = Callable[[StoreLayout], None]

STORE_CHECKS = {query.name for query in list_queries(CHECKS) if not query.needs_split}


def run_checks(store: Path) -> dict[str, CheckResult]:
    with open_session(store, budget=Budget(threads=2)) as session:
        return {result.name: result for result in check_store(session)}


def rewrite(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    changed = change(pl.read_parquet(path))
    changed.write_parquet(path)


def in_part(order: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Damage:
    def damage(layout: StoreLayout) -> None:
        rewrite(layout.parts(layout.root / order)[0], change)

    return damage


def in_table(table: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Damage:
    def damage(layout: StoreLayout) -> None:
        rewrite(layout.root / f"{table}.parquet", change)

    return damage


def manifest_says(key: str, value: object) -> Damage:
    def damage(layout: StoreLayout) -> None:
        fields = json.loads(layout.manifest.read_text())
        layout.manifest.write_text(json.dumps(fields | {key: value}))

    return damage


def first_row_as(**values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        first = rows[:1].with_columns(
            pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in values.items()
        )
        return pl.concat([first, rows[1:]])

    return change


def first_row_twice(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows[:1], rows])


def without_first_row(rows: pl.DataFrame) -> pl.DataFrame:
    return rows[1:]


def reversed_rows(rows: pl.DataFrame) -> pl.DataFrame:
    return rows[::-1]


def with_other_star(rows: pl.DataFrame) -> pl.DataFrame:
    return first_row_as(rating=6 - rows["rating"][0] if rows["rating"][0] != 3 else 4)(rows)


DAMAGES: list[tuple[str, str, Damage]] = [
    ("a rating is lost", "counts_agree_with_manifest", in_part("ratings", without_first_row)),
    ("the manifest miscounts users", "counts_agree_with_manifest", manifest_says("n_users", 5)),
    (
        "the manifest misdates",
        "counts_agree_with_manifest",
        manifest_says("last_date", "2099-01-01"),
    ),
    ("an item is listed twice", "ids_are_unique", in_table("items", first_row_twice)),
    ("a user is listed twice", "ids_are_unique", in_table("users", first_row_twice)),
    ("a probe pair is listed twice", "ids_are_unique", in_table("probe", first_row_twice)),
    (
        "an item's count is wrong",
        "items_agree_with_ratings",
        in_table("items", first_row_as(n_ratings=99_999)),
    ),
    (
        "an item's mean is wrong",
        "items_agree_with_ratings",
        in_table("items", first_row_as(mean_rating=1.01)),
    ),
    ("a rated item is unknown", "no_orphans", in_table("items", without_first_row)),
    ("a user is unknown", "no_orphans", in_table("users", without_first_row)),
    ("one copy lost a row", "orders_hold_same_rows", in_part("ratings_by_user", without_first_row)),
    (
        "one copy has another star",
        "orders_hold_same_rows",
        in_part("ratings_by_user", with_other_star),
    ),
    (
        "one copy has another day",
        "orders_hold_same_rows",
        in_part("ratings", first_row_as(date=12345)),
    ),
    (
        "a probe pair is not rated",
        "probe_pairs_are_rated",
        in_table("probe", first_row_as(user_id=1)),
    ),
    ("items are out of order", "ratings_in_order", in_part("ratings", reversed_rows)),
    ("a rating is stored twice", "ratings_in_order", in_part("ratings", first_row_twice)),
    (
        "users are out of order",
        "ratings_by_user_in_order",
        in_part("ratings_by_user", reversed_rows),
    ),
    (
        "a user's rating is stored twice",
        "ratings_by_user_in_order",
        in_part("ratings_by_user", first_row_twice),
    ),
    (
        "a user's first day is wrong",
        "users_agree_with_ratings",
        in_table("users", first_row_as(first_date=0)),
    ),
    (
        "a user's mean is wrong",
        "users_agree_with_ratings",
        in_table("users", first_row_as(mean_rating=1.01)),
    ),
    ("a rating is above the scale", "values_in_range", in_part("ratings", first_row_as(rating=6))),
    ("a rating is no half star", "values_in_range", in_part("ratings", first_row_as(rating=3.3))),
    ("a rating is missing", "values_in_range", in_part("ratings", first_row_as(rating=None))),
    ("a day is before the first", "values_in_range", in_part("ratings", first_row_as(date=0))),
    ("an id is negative", "values_in_range", in_part("ratings", first_row_as(item_id=-1))),
]


def test_a_good_store_passes_every_check(store_small: Path) -> None:
    results = run_checks(store_small)
    assert set(results) == STORE_CHECKS
    assert {name: result.bad_rows for name, result in results.items() if not result.passed} == {}


@pytest.mark.parametrize(("what", "check", "damage"), DAMAGES, ids=[what for what, _, _ in DAMAGES])
def test_damage_is_found(
    store_small: Path, tmp_path: Path, what: str, check: str, damage: Damage
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    damage(StoreLayout(store))
    seal_again(store)  # a fault of the writer, not of the disk
    assert not run_checks(store)[check].passed, what


def test_every_check_has_a_damage_that_it_finds() -> None:
    assert {check for _, check, _ in DAMAGES} == STORE_CHECKS


def test_a_file_that_cannot_be_read_fails_the_checks_that_read_it(
    store_small: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    layout = StoreLayout(store)
    part = layout.parts(layout.ratings)[-1]
    part.write_bytes(part.read_bytes()[:-100])
    seal_again(store)
    results = run_checks(store)
    assert not results["ratings_in_order"].passed
    assert results["ratings_in_order"].columns == ("error",)
    assert results["ids_are_unique"].passed


def test_a_store_without_the_order_by_user_is_whole(store_small: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    shutil.rmtree(StoreLayout(store).ratings_by_user)
    seal_again(store)
    assert all(result.passed for result in run_checks(store).values())


def test_many_bad_rows_are_cut_off_and_that_is_said(store_small: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    manifest_says("scale", [1.0])(StoreLayout(store))
    seal_again(store)
    result = run_checks(store)["values_in_range"]
    assert len(result.bad_rows) == MAX_BAD_ROWS
    assert result.more_rows


@pytest.mark.parametrize("order", ["ratings", "ratings_by_user"])
def test_a_deep_check_finds_rows_that_were_not_ingested(
    store_small: Path, tmp_path: Path, order: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    assert main(["check", "--deep", "--store", str(store)]) == 0
    assert "rows_are_those_ingested" in capsys.readouterr().out
    part = StoreLayout(store).parts(store / order)[0]
    # Two ratings change places: no count, sum or order tells.
    rows = pl.read_parquet(part)
    ratings = rows["rating"].to_list()
    other = next(n for n, rating in enumerate(ratings) if rating != ratings[0])
    ratings[0], ratings[other] = ratings[other], ratings[0]
    rows.with_columns(pl.Series("rating", ratings, pl.Float32)).write_parquet(part)
    seal_again(store)
    assert main(["check", "--deep", "--json", "--store", str(store)]) == 3
    checks = json.loads(capsys.readouterr().out)["checks"]
    failed = {check["name"]: check["rows"] for check in checks if not check["passed"]}
    assert [row["folder"] for row in failed["rows_are_those_ingested"]] == [order]
