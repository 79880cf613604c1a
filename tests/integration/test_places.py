"""Paths that people give: what is theirs stays, and what was meant is guessed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.support.commands import Capture
from tests.support.netflix_files import snapshot

from bigrec.cli.app import main

WRITERS = {
    "sql": ["sql", "FROM items", "--format", "csv"],
    "predict": ["predict", "cosine-knn", "--probe"],
    "recommend": ["recommend", "cosine-knn", "--all"],
    "report": ["report"],
    "catalog": ["catalog", "--overwrite"],
}
ENDINGS = {"report": ".html", "recommend": ".parquet", "catalog": ".duckdb"}


@pytest.fixture
def place(home: Path, raw_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with raw files, the store that was made from them, and runs."""
    shutil.copytree(raw_small, tmp_path / "raw")  # with their times
    shutil.copytree(home / "store", tmp_path / "store")
    (tmp_path / "runs").symlink_to(home / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("writer", WRITERS)
def test_a_raw_file_is_no_output(writer: str, place: Path, capsys: Capture) -> None:
    before = snapshot(place / "raw")
    flags = [] if writer in ("sql", "catalog") else ["--runs", "runs"]
    for name in ("movie_titles.csv", "probe.txt", "combined_data_1.txt"):
        given = place / "raw" / name
        link = place / f"link{ENDINGS.get(writer, '.csv')}"
        link.unlink(missing_ok=True)
        link.symlink_to(given)
        for output in (given, link):
            ask = [*WRITERS[writer], "--store", "store", *flags, "--output", str(output)]
            assert main(ask) in (2, 3)
    assert snapshot(place / "raw") == before
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    "where", ["store/new.csv", "store/splits/s/new.csv", "runs/dnn/new.csv", "nowhere/new.csv", "."]
)
def test_a_place_that_is_bigrecs_or_none_is_no_output(
    where: str, writer: str, place: Path, capsys: Capture
) -> None:
    output = where.replace(".csv", ENDINGS.get(writer, ".csv"))
    before = snapshot(place / "store"), sorted(place.iterdir())
    flags = [] if writer in ("sql", "catalog") else ["--runs", "runs"]
    assert main([*WRITERS[writer], "--store", "store", *flags, "--output", output]) == 2
    assert (snapshot(place / "store"), sorted(place.iterdir())) == before
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (".", "did you mean --store store?"),
        ("far", "did you mean --store far/away/store?"),
        ("dangling", "that is a link to nothing, which is not there"),
        ("loop", "links lead in a circle"),
        ("n" * 300, "choose a shorter name"),
        ("raw", "bigrec ingest raw --store STORE"),
        ("store/ratings", "did you mean --store store? that is the store around it"),
        ("store/splits/s", "did you mean --store store? that is the store around it"),
        ("store/manifest.json", "did you mean --store store?"),
        ("raw", "that folder holds something else"),
        ("raw/probe.txt", "that is no folder"),
        ("nowhere", "bigrec ingest RAW --store nowhere"),
        ("empty", "bigrec ingest RAW --store empty"),
        ("runs/dnn", "that is runs/dnn, a run; a store is made by bigrec ingest"),
    ],
)
def test_a_store_nearby_is_offered(store: str, words: str, place: Path, capsys: Capture) -> None:
    (place / "empty").mkdir()
    shutil.copytree(place / "store", place / "far" / "away" / "store")
    (place / "dangling").symlink_to("nothing")
    (place / "loop").symlink_to("loop")
    for command in (["info"], ["sql", "FROM items"], ["check"], ["split", "list"]):
        assert main([*command, "--store", store]) == (2 if len(store) > 255 else 3)
        found = capsys.readouterr().err.replace(f"{place}/", "")
        if not store.startswith("runs/"):
            assert words in found


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is out of reach of root")
@pytest.mark.parametrize("closed", ["store", "store/bigrec.json"])
def test_a_store_out_of_reach_is_not_called_damaged(
    closed: str, place: Path, capsys: Capture
) -> None:
    mode = (place / closed).stat().st_mode
    (place / closed).chmod(0)
    try:
        assert main(["info", "--store", "store"]) == 3
    finally:
        (place / closed).chmod(mode)
    assert "take the right to it" in capsys.readouterr().err
