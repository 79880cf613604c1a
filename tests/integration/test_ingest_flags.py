"""What is said of raw files: the flags of `bigrec ingest` are the arguments of `bigrec.ingest`."""

from __future__ import annotations

import inspect
import json
import typing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.commands import Capture, json_of
from tests.support.movielens_files import write_movielens

import bigrec
from bigrec.cli.app import main
from bigrec.cli.ingest import ingest as ingest_command
from bigrec.errors import DataError, SettingsError
from bigrec.ingest.recognition import recognise_ratings
from bigrec.ingest.said import IngestFlags, read_flags

VISITS = """who;what;fun;when
anna.k;museum;5;19000
boris77;zoo;0;19001
anna.k;museum;3;19002
chen;zoo;x;19003
"""
PLACES = {
    "sku": ["museum", "zoo", "park"],
    "label": ["The Museum", "The Zoo", "The Park"],
    "opened": [1900, 1950, 2000],
    "price": [9.5, None, 0.0],
    "Key": ["a", "b", "c"],
}
SAID: dict[str, Any] = {
    "columns": {"user": "who", "item": 2, "rating": "fun", "time": "when"},
    "separator": ";", "header": True, "encoding": "utf-8", "time_unit": "days",
    "scale": (0.5, 6), "zero": "drop", "time": "days", "repeats": "mean", "on_error": "skip",
    "item_columns": {"key": "sku", "title": "label", "year": "opened"},
}  # fmt: skip
FLAGS = [
    "--columns", "user=who,item=2,rating=fun,time=when", "--separator", ";", "--header",
    "--encoding", "utf-8", "--time-unit", "days", "--scale", "0.5:6", "--zero", "drop",
    "--time", "days", "--repeats", "mean", "--on-error", "skip",
    "--item-columns", "key=sku,title=label,year=opened",
]  # fmt: skip


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """A file of visits, and beside it places.csv."""
    raw = tmp_path / "visits.csv"
    raw.write_text(VISITS)
    pl.DataFrame(PLACES).write_csv(tmp_path / "places.csv")
    return raw


def test_python_takes_what_the_command_takes() -> None:
    of_command = set(inspect.signature(ingest_command).parameters)
    where = {"raw", "store", "memory", "threads", "dry_run", "as_json"}
    assert set(typing.get_type_hints(IngestFlags)) == of_command - where


def test_what_is_said_in_python_makes_the_store_of_the_flags(
    visits: Path, tmp_path: Path, capsys: Capture
) -> None:
    items, rejects = tmp_path / "places.csv", tmp_path / "rejects.csv"
    store = bigrec.ingest(visits, tmp_path / "store", items=items, rejects=rejects, **SAID)
    found = store.sql(
        "SELECT users.key, items.key, title, year, price, rating, date FROM ratings "
        "JOIN users USING (user_id) JOIN items USING (item_id)"
    ).fetchall()
    [row] = found  # 0 is no rating, x is none either, and two of one pair are their mean
    assert row[:6] == ("anna.k", "museum", "The Museum", 1900, 9.5, 4.0)
    assert str(row[6]) == "2022-01-10"
    assert (store.manifest.scale.low, store.manifest.scale.high) == (0.5, 6)
    assert (store.manifest.n_merged, store.manifest.n_rejected) == (1, 1)
    assert rejects.read_text().splitlines()[1].startswith(f"{visits},5,")

    rejects.unlink()
    at = ["--items", str(items), "--rejects", str(rejects), "--store", str(tmp_path / "store")]
    again = json_of(capsys, "ingest", str(visits), *FLAGS, *at)
    assert again["unchanged"]  # the same was said
    other = json_of(capsys, "ingest", str(visits), *FLAGS, *at[:-1], str(tmp_path / "other"))
    assert other["n_ratings"] == 1
    assert bigrec.open(tmp_path / "other").manifest.said == store.manifest.said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"columns": "user=who,user=what"}, "--columns 'user=who,user=what'"),
        ({"columns": {"usr": "who"}}, "--columns {'usr': 'who'}: expected user=…, item=…"),
        ({"columns": {"user": "nobody", "item": "what"}}, "nobody"),
        ({"columns": 3}, "expected columns as str"),
        ({"header": 1}, "expected header as bool"),
        ({"encoding": "koi8-r"}, "unknown encoding 'koi8-r'"),
        ({"time_unit": "weeks"}, "unknown time unit 'weeks'"),
        ({"scale": (5, 1)}, r"--scale \(5, 1\): expected MIN:MAX"),
        ({"scale": ("a", "b")}, "expected MIN:MAX"),
        ({"scale": (1, 2, 3)}, "expected MIN:MAX"),
        ({"scale": "1"}, "expected MIN:MAX"),
        ({"scale": [None, 2]}, "expected MIN:MAX"),
        ({"zero": "nothing"}, "unknown choice for zero"),
        ({"time": "hours"}, "unknown choice for time"),
        ({"item_columns": {"key": "sku"}}, "--item-columns was given without --items"),
        ({"seperator": ";"}, "unknown argument 'seperator'"),
    ],
)
def test_what_cannot_be_said_is_refused(flags: dict[str, Any], words: str, visits: Path) -> None:
    with pytest.raises(SettingsError, match=words):
        bigrec.recognise(visits, **flags)
    with pytest.raises(SettingsError, match=words):
        bigrec.ingest(visits, visits.parent / "store", **flags)
    assert not (visits.parent / "store").exists()


def test_only_an_ingest_takes_what_makes_no_difference_to_the_files(visits: Path) -> None:
    with pytest.raises(SettingsError, match="unknown argument 'repeats'"):
        bigrec.recognise(visits, repeats="last")  # type: ignore[call-arg]
    for wrong, words in (("twice", "unknown choice for repeats"), (None, "expected repeats as")):
        with pytest.raises(SettingsError, match=words):
            bigrec.ingest(visits, visits.parent / "store", repeats=wrong)  # type: ignore[arg-type]


def test_a_recognition_is_the_dry_run(visits: Path, tmp_path: Path, capsys: Capture) -> None:
    said = {name: SAID[name] for name in ("columns", "time_unit", "item_columns")}
    taken = bigrec.recognise(str(visits), items=tmp_path / "places.csv", **said)
    assert (taken.source, taken.form, taken.advice) == ("table", "table, text", "")
    assert taken.ratings is not None
    assert taken.ratings.fields["separator"] == "a semicolon"
    assert taken.ratings.rows[0] == ("who", "user", "anna.k", "boris77", "anna.k")
    command = [
        "ingest", str(visits), "--dry-run", "--items", str(tmp_path / "places.csv"),
        "--columns", "user=who,item=2,rating=fun,time=when", "--time-unit", "days",
        "--item-columns", "key=sku,title=label,year=opened", "--store", str(tmp_path / "store"),
    ]  # fmt: skip
    printed = json_of(capsys, *command)
    assert printed["ratings"]["rows"] == [list(row) for row in taken.ratings.rows]
    assert taken.items is not None
    assert printed["items"]["fields"] == taken.items.fields
    assert main(command) == 0
    shown = capsys.readouterr().out.splitlines()
    for described in (taken.ratings, taken.items):
        for row in described.rows:
            assert any(all(cell in line for cell in row) for line in shown), row
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("form", ["csv", "parquet", "ndjson", "json"])
def test_what_columns_of_items_are_taken_for_is_what_the_store_keeps(
    form: str, visits: Path, tmp_path: Path
) -> None:
    items = tmp_path / f"items.{form}"
    getattr(pl.DataFrame(PLACES), f"write_{form}")(items)
    said = {name: SAID[name] for name in ("columns", "time_unit", "item_columns")}
    taken = bigrec.recognise(visits, items=items, **said).items
    assert taken is not None
    assert taken.fields["items"] == str(items)
    assert {row[0]: row[1] for row in taken.rows} == {
        "sku": "key", "label": "title", "opened": "year", "price": "kept", "Key": "kept as Key_2",
    }  # fmt: skip
    assert [row[2:] for row in taken.rows] == [
        ("museum", "zoo", "park"), ("The Museum", "The Zoo", "The Park"), ("1900", "1950", "2000"),
        ("9.5", "", "0.0"), ("a", "b", "c"),
    ]  # fmt: skip
    store = bigrec.ingest(
        visits, tmp_path / "store", items=items, repeats="last", on_error="skip", **said
    )
    kept = store.items().collect()
    assert {"key", "title", "year", "price", "Key_2"} <= set(kept.columns)
    assert kept.filter(pl.col("key") == "park")["Key_2"].to_list() == ["c"]


def test_a_file_of_items_without_a_key_is_a_question_before_anything_is_written(
    visits: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.csv").write_text("one,two\nmuseum,zoo\nzoo,museum\n")
    said = {"columns": SAID["columns"], "time_unit": "days"}
    with pytest.raises(DataError, match=r"odd.csv: which column is the key of an item\?"):
        bigrec.recognise(visits, items=tmp_path / "odd.csv", **said)


def test_the_items_of_a_published_set_are_shown_too(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("user_id,book_id,rating\n1,7,5\n2,7,3\n")
    (tmp_path / "books.csv").write_text("book_id,title,language\n7,Emil,de\n")
    taken = bigrec.recognise(tmp_path, source="goodbooks")
    assert taken.items is not None
    assert [row[:2] for row in taken.items.rows] == [
        ("book_id", "key"), ("title", "title"), ("language", "kept"),
    ]  # fmt: skip
    assert bigrec.recognise(tmp_path / "ratings.csv").items is None


def test_the_ratings_file_of_a_movielens_folder_is_told_of_its_titles(
    tmp_path: Path, capsys: Capture
) -> None:
    write_movielens(tmp_path / "m", dialect="csv")
    file, store = tmp_path / "m" / "ratings.csv", str(tmp_path / "store")
    advice = f"`bigrec ingest {tmp_path / 'm'}` takes its titles too"
    assert main(["ingest", str(file), "--store", store]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "folder" in line]
    assert told == [f"{tmp_path / 'm'} is a movielens folder: {advice}"]
    assert main(["ingest", str(file), "--store", store, "--json"]) == 0
    printed = capsys.readouterr()
    assert advice in printed.err
    assert json.loads(printed.out)["unchanged"]
    assert recognise_ratings(file, read_flags()).advice == told[0]


def test_what_is_not_the_ratings_of_a_set_is_told_nothing(tmp_path: Path) -> None:
    write_movielens(tmp_path / "m", dialect="csv")
    ratings = (tmp_path / "m" / "ratings.csv").read_bytes()
    (tmp_path / "m" / "others.csv").write_bytes(ratings)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "ratings.csv").write_bytes(ratings)
    for path in (tmp_path / "m", tmp_path / "m" / "others.csv", tmp_path / "alone" / "ratings.csv"):
        assert bigrec.recognise(path).advice == ""
    file, movies = tmp_path / "m" / "ratings.csv", tmp_path / "m" / "movies.csv"
    assert bigrec.recognise(file, items=movies).advice == ""  # it has its titles
    assert bigrec.recognise(file, source="table").advice == ""  # somebody knows better
