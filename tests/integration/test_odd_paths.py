"""No name of a folder is a pattern, a column or SQL: answers come from the store of that name."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

import bigrec
from bigrec.cli.app import main
from bigrec.errors import ResourceError, StoreError
from bigrec.query.catalog_file import write_catalog
from bigrec.query.engine_errors import translate_error
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.splits.views import split_view_queries
from bigrec.store.layout import StoreLayout

NAMES = (
    "a[1]", "a*", "a?", "**", "[a-z]", "a[!b]", "[", "x[", "]", "{a,b}", "date=2026-11-27",
    "item_id=3", "run=3", "it's", '"q"', "with space", "a\\b", "a\nb", "$HOME", "~", "%7B",
    "ü千😀", "a,b", "s3:", "file:x", "#q",
)  # fmt: skip
DECOYS = ("a1", "ab", "ac", "a", "b", "x", "z")
RATINGS = "SELECT count(*), min(date), max(date), sum(item_id) FROM"


@pytest.fixture(scope="module")
def folder(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores with other answers, beside which a store gets its name."""
    folder = tmp_path_factory.mktemp("odd")
    shutil.copytree(store_small, folder / "store")
    assert main(["split", "create", "s", "--store", str(folder / "store")]) == 0
    shutil.copytree(folder / "store", folder / "other")
    for path in (folder / "other").rglob("*.parquet"):
        pl.read_parquet(path, glob=False).head(1).write_parquet(path)
    for name in DECOYS:
        (folder / "places" / name).mkdir(parents=True)
        (folder / "places" / name / "s").symlink_to(folder / "other")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_way_of_reading_reads_the_store_of_that_name(folder: Path, name: str) -> None:
    parent = folder / "places" / name
    if not parent.exists():
        parent.mkdir()
    (folder / "store").rename(parent / "s")
    store = parent / "s"
    try:
        views = split_view_queries(StoreLayout(store), "s")
        with open_session(store, budget=Budget(threads=2), views=views) as session:
            (found,) = session.run(f"{RATINGS} ratings").fetchall()
            (by_user,) = session.run(f"{RATINGS} ratings_by_user").fetchall()
            (in_split,) = session.run(f"{RATINGS} split_rows").fetchall()
            names = session.run("FROM ratings").columns
            assert names == ["item_id", "user_id", "rating", "date", "movie_id"]
        assert found == by_user == in_split
        assert found[0] == 20_000
        with bigrec.open(store) as opened:
            lazy = opened.catalog.ratings()
            assert lazy.collect_schema().names() == ["item_id", "user_id", "rating", "date"]
            dates = lazy.select(pl.len(), low=pl.col("date").min(), high=pl.col("date").max())
            assert dates.collect().row(0) == found[:3]
        catalog = folder / "catalog.duckdb"
        write_catalog(store, catalog, overwrite=True)
        with duckdb.connect(str(catalog), read_only=True) as connection:
            assert connection.execute(f"{RATINGS} ratings").fetchall() == [found]
        assert main(["check", "--store", str(store)]) == 0
    finally:
        store.rename(folder / "store")


@pytest.mark.parametrize("name", [name for name in NAMES if "\\" not in name])
def test_the_engine_spills_into_a_folder_of_any_name(
    store_small: Path, tmp_path: Path, name: str
) -> None:
    budget = Budget(memory_bytes=256 << 20, threads=2, temp_dir=tmp_path / name / "t")
    with open_session(store_small, budget=budget) as session:
        spilling = "SELECT max(i) FROM (SELECT i FROM range(6000000) t(i) ORDER BY hash(i), i)"
        assert session.run(spilling if name in ("a[1]", "it's") else "SELECT 1").count() == 1
    assert list((tmp_path / name / "t").iterdir()) == []


@pytest.mark.parametrize("name", ["file", "file/below", "a\\b", os.fsdecode(b"a\xffb"), "/proc/x"])
def test_a_folder_that_cannot_be_spilled_into_is_told_with_its_setting(
    store_small: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    monkeypatch.setenv("BIGREC_TEMP_DIR", str(tmp_path / name))
    assert main(["sql", "SELECT 1", "--store", str(store_small)]) == 5
    assert "BIGREC_TEMP_DIR" in capsys.readouterr().err


def test_a_full_folder_to_spill_into_is_told_with_its_setting(tmp_path: Path) -> None:
    with duckdb.connect(config={"memory_limit": "64MB", "temp_directory": str(tmp_path)}) as engine:
        engine.execute("SET max_temp_directory_size = '1MB'")
        with pytest.raises(duckdb.Error) as caught:
            engine.execute("SELECT * FROM range(30000000) t(i) ORDER BY hash(i)")
    error = translate_error(caught.value, {})
    assert isinstance(error, ResourceError)
    assert "room to spill" in error.message
    assert "BIGREC_TEMP_DIR" in error.hint


@pytest.mark.parametrize("seed", range(24))
def test_a_file_that_is_damaged_under_an_open_session_is_an_error_of_the_store(
    store_small: Path, tmp_path: Path, seed: int
) -> None:
    shutil.copytree(store_small, tmp_path / "store")
    path = tmp_path / "store" / "users.parquet"
    with open_session(tmp_path / "store", budget=Budget(threads=2)) as session:
        path.write_bytes(_damaged(path.read_bytes(), random.Random(seed)))
        with suppress(StoreError):  # no other error; a byte that no query needs may be any
            rows = session.run("SELECT sum(n_ratings), max(last_date) FROM users").fetchall()
            assert len(rows) == 1


def _damaged(data: bytes, randomly: random.Random) -> bytes:
    kind = randomly.choice(["flip", "cut", "zeros", "backwards", "empty"])
    at = randomly.randrange(len(data))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << randomly.randrange(8)]) + data[at + 1 :]
    if kind == "zeros":
        return data[:at] + bytes(min(200, len(data) - at)) + data[at + 200 :]
    return {"cut": data[:at], "backwards": data[::-1], "empty": b""}[kind]
