"""What `bigrec info` says of stores of every kind, to the last line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import Capture
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import PROBE, write_netflix

import bigrec
from bigrec.cli.app import main

OF_FILES = {"store", "source", "files", "size", "fingerprint", "splits"}
"""What does not depend on the rows."""

KINDS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "no times, numbers as ids": (
        "user,item,rating\n1,1,7\n1,2,10\n2,1,1\n",
        {},
        {"ratings": "3", "users": "2", "items": "2", "scale": "1 to 10", "mean rating": "6.0000",
         "times": "none"},
    ),
    "a scale that was said": (
        "user,item,rating\n1,1,7\n1,2,10\n2,1,1\n",
        {"scale": (0, 20)},
        {"ratings": "3", "users": "2", "items": "2", "scale": "0 to 20", "mean rating": "6.0000",
         "times": "none"},
    ),
    "below zero, keys": (
        "user,item,rating\nanna,tea,-9.5\nanna,mate,3.25\nbob,tea,10\n",
        {},
        {"ratings": "3", "users": "2", "items": "2", "keys": "of users and items",
         "scale": "-9.5 to 10", "mean rating": "1.2500", "times": "none"},
    ),
    "thumbs, keys of users": (
        "user,item,thumb\nanna,8,1\nanna,9,0\nbob,9,1\n",
        {},
        {"ratings": "3", "users": "2", "items": "2", "keys": "of users", "scale": "0 to 1",
         "mean rating": "0.6667", "times": "none"},
    ),
    "seconds, keys of items, the last of repeats": (
        "user,item,rating,time\n1,tea,5,2024-03-01T09:15:00Z\n1,mate,3,2024-03-02T18:40:12Z\n"
        "2,tea,4,2024-03-01T00:00:00Z\n2,tea,5,2024-03-05T00:00:00Z\n",
        {"repeats": "last"},
        {"ratings": "3", "users": "2", "items": "2", "keys": "of items", "scale": "3 to 5",
         "mean rating": "4.3333", "times": "2024-03-01 to 2024-03-05, to the second",
         "repeats merged": "1, by last"},
    ),
    "days": (
        "user,item,rating,day\n1,3,5,1969-12-31\n1,4,0.5,2024-03-02\n",
        {},
        {"ratings": "2", "users": "1", "items": "2", "scale": "0.5 to 5", "mean rating": "2.7500",
         "times": "1969-12-31 to 2024-03-02, days"},
    ),
    "plays, added up": (
        "listener,song,plays\nanna,Blue,12\nanna,Rain,1\nbob,Blue,3\nbob,Blue,4\n",
        {"repeats": "sum"},
        {"ratings": "3", "users": "2", "items": "2", "keys": "of users and items",
         "feedback": "implicit, counts of 1 to 12", "mean count": "6.6667", "times": "none",
         "repeats merged": "1, by sum"},
    ),
    "purchases": (
        "customer,product\nanna,tea\nanna,mate\nbob,tea\n",
        {},
        {"ratings": "3", "users": "2", "items": "2", "keys": "of users and items",
         "feedback": "implicit", "times": "none"},
    ),
    "ratings forgotten": (
        "user,item,rating\n1,1,0\n1,2,3\n",
        {"zero": "implicit"},
        {"ratings": "2", "users": "1", "items": "2", "feedback": "implicit", "times": "none"},
    ),
    "a bad line left out": (
        "user,item,rating\n1,1,2\n1,2,x\n2,2,4\n",
        {"on_error": "skip", "by_user": False},
        {"ratings": "2", "users": "2", "items": "2", "scale": "2 to 4", "mean rating": "3.0000",
         "times": "none", "lines left out": "1"},
    ),
}  # fmt: skip


def told(store: Path, capsys: Capture) -> dict[str, str]:
    """What `bigrec info` prints, as names and values."""
    capsys.readouterr()
    assert main(["info", "--store", str(store)]) == 0
    lines = capsys.readouterr().out.splitlines()
    width = lines[0].index(str(store))
    return {line[:width].strip(): line[width:] for line in lines}


@pytest.mark.parametrize("kind", KINDS)
def test_info_says_what_is_in_a_store(kind: str, tmp_path: Path, capsys: Capture) -> None:
    text, flags, expected = KINDS[kind]
    (tmp_path / "rows.csv").write_text(text)
    bigrec.ingest(tmp_path / "rows.csv", tmp_path / "store", **flags)
    found = told(tmp_path / "store", capsys)
    assert found["files"] == "rows.csv"
    assert {name: found[name] for name in found if name not in OF_FILES} == expected
    assert main(["info", "--plot", "--store", str(tmp_path / "store")]) == 0
    drawn = capsys.readouterr().out.split("splits")[1].splitlines()
    assert "1 days" not in "".join(drawn)
    if expected["times"] == "none":
        assert drawn[-1] == "no times"
    else:
        first, last = expected["times"].split(",")[0].split(" to ")
        assert drawn[-1].split()[0] == first
        assert drawn[-1].split()[-1] == last


def test_info_says_the_tables_of_a_source_only_where_it_has_them(
    tmp_path: Path, capsys: Capture
) -> None:
    netflix = write_netflix(tmp_path / "n", others={"probe.txt": PROBE})
    bigrec.ingest(netflix, tmp_path / "netflix")
    found = told(tmp_path / "netflix", capsys)
    assert found["source"] == "netflix"
    assert found["files"] == "combined_data_1.txt, movie_titles.csv, probe.txt"
    assert found["scale"] == "1 to 5"
    assert int(found["probe pairs"]) > 0
    assert "qualifying pairs" not in found
    bigrec.ingest(write_movielens(tmp_path / "m", "csv"), tmp_path / "movielens")
    found = told(tmp_path / "movielens", capsys)
    assert found["files"] == "ratings.csv, movies.csv"
    assert found["scale"] == "0.5 to 5"
    assert found["times"].endswith(", days")
    assert not {"probe pairs", "keys", "repeats merged", "lines left out"} & {*found}


def test_of_many_files_some_are_named(tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(5):
        (folder / f"part-{number}.csv").write_text(f"user,item,rating\n{number + 1},1,3\n")
    bigrec.ingest(folder, tmp_path / "store")
    assert told(tmp_path / "store", capsys)["files"] == "part-0.csv and 4 more"
