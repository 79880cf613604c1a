"""Bad input of every kind, contradicting options, and the second run: clear words, nothing lost."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import (
    PROBE,
    QUALIFYING,
    kaggle_zip,
    rating_text,
    snapshot,
    some_rows,
    stored_rows,
    write_netflix,
)

from bigrec.cli.app import main
from bigrec.errors import DataError, RawFormatError, ResourceError, SettingsError, StoreError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog

GOOD = rating_text(some_rows())
BAD_LINES = {
    "a letter": ("1:\n5,3,2005-01-01\nx,3,2005-01-01\n", 3, "x,3,2005-01-01", "an item header"),
    "rating too high": ("1:\n5,6,2005-01-01\n", 2, "5,6,2005-01-01", "whole stars from 1 to 5"),
    "rating zero": ("1:\n5,0,2005-01-01\n", 2, "5,0,2005-01-01", "whole stars from 1 to 5"),
    "half a star": ("1:\n5,3.5,2005-01-01\n", 2, "5,3.5,2005-01-01", "whole stars"),
    "no such day": ("1:\n5,3,2005-02-29\n", 2, "5,3,2005-02-29", "a day of the calendar"),
    "no such month": ("1:\n5,3,2005-13-01\n", 2, "5,3,2005-13-01", "a day of the calendar"),
    "before 1970": ("1:\n5,3,1969-12-31\n", 2, "5,3,1969-12-31", "a day of the calendar"),
    "no date": ("1:\n5,3\n", 2, "5,3", "a day such as 2005-09-06 behind the rating"),
    "more behind it": ("1:\n5,3,2005-01-01,1\n", 2, "5,3,2005-01-01,1", "the end of the line"),
    "no header": ("5,3,2005-01-01\n", 1, "5,3,2005-01-01", "header such as '8:' above"),
    "blank line": ("1:\n5,3,2005-01-01\n\n6,3,2005-01-01\n", 3, "", "no blank line"),
    "item again": ("2:\n5,3,2005-01-01\n1:\n5,3,2005-01-01\n", 3, "1:", "ascending"),
    "same item": ("2:\n5,3,2005-01-01\n2:\n6,3,2005-01-01\n", 3, "2:", "ascending"),
    "id zero": ("1:\n0,3,2005-01-01\n", 2, "0,3,2005-01-01", "an id from 1 to"),
    "id too large": ("1:\n2147483647,3,2005-01-01\n", 2, "2147483647,3,2005-01-01", "an id from 1"),
    "user twice": (
        "1:\n5,3,2005-01-01\n6,3,2005-01-01\n5,4,2005-01-02\n", 4, "5,4,2005-01-02",
        "one rating of item 1 by user 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_reported_and_the_store_stays(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, line, found, expected = BAD_LINES[case]
    raw, store = write_netflix(tmp_path / "raw"), tmp_path / "store"
    ingest_ratings(raw, store)
    before = snapshot(store)
    path = raw / "combined_data_1.txt"
    path.write_text(text)
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, store, options=IngestOptions(overwrite=True))
    error = caught.value
    assert (error.path, error.line, error.found) == (path, line, found)
    assert expected in error.expected
    assert snapshot(store) == before
    assert main(["ingest", str(raw), "--store", str(store), "--overwrite"]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert f"line {line}: found {found!r}, expected" in output.err
    assert "hint:" in output.err
    assert snapshot(store) == before


BAD_OTHERS = {
    "title": ("movie_titles.csv", b"1,2003,One\n2;2004;Two\n", 2, "id,year,title"),
    "title again": ("movie_titles.csv", b"1,2003,One\n1,2004,Two\n", 2, "not listed before"),
    "probe": ("probe.txt", b"1:\n7\n8,3\n", 3, "end of the line"),
    "qualifying": ("qualifying.txt", b"1:\n7\n", 2, "an item header"),
}


@pytest.mark.parametrize("case", BAD_OTHERS)
def test_bad_lines_of_the_other_files_are_reported_or_skipped(case: str, tmp_path: Path) -> None:
    name, text, line, expected = BAD_OTHERS[case]
    raw = write_netflix(tmp_path / "raw", others={name: text})
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert (caught.value.path, caught.value.line) == (raw / name, line)
    assert expected in caught.value.expected
    rejects = tmp_path / "rejects.csv"
    summary = ingest_ratings(
        raw, tmp_path / "store", options=IngestOptions(on_error="skip", rejects=rejects)
    )
    assert summary.n_rejected == 1
    with rejects.open(newline="") as file:
        (entry,) = csv.DictReader(file)
    assert (entry["file"], entry["line"]) == (str(raw / name), str(line))


BAD_MOVIELENS = {
    "rating": ("1,2,5.5,100", "half stars"),
    "quarter": ("1,2,3.25,100", "half stars"),
    "separator": ("1;2;3;100", "separator"),
    "timestamp": ("1,2,3.0,x", "a timestamp"),
    "late": ("1,2,3.0,4102444800", "a timestamp"),
    "user": ("x,2,3.0,100", "an id"),
    "item": ("1,x,3.0,100", "an id"),
    "again": ("1,31,3.0,100", "one rating of item 31 by user 1"),
}


@pytest.mark.parametrize("case", BAD_MOVIELENS)
def test_bad_lines_of_movielens_are_reported_or_skipped(case: str, tmp_path: Path) -> None:
    line, expected = BAD_MOVIELENS[case]
    raw = write_movielens(tmp_path / "raw", "csv")
    path = raw / "ratings.csv"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert (caught.value.line, caught.value.found) == (5, line)
    assert expected in caught.value.expected
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects, by_user=case != "again")
    summary = ingest_ratings(raw, tmp_path / "store", options=options)
    assert (summary.n_ratings, summary.n_rejected) == (3, 1)
    with rejects.open(newline="") as file:
        (entry,) = csv.DictReader(file)
    assert (entry["line"], entry["text"]) == ("5", line)
    assert open_catalog(tmp_path / "store").users().collect()["n_ratings"].sum() == 3


def test_skipped_lines_are_counted_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    text = (
        "1:\n5,3,2005-01-01\n5,9,2005-01-01\n5,4,2005-01-01\n"  # bad rating; user 5 again
        "2\n6,3,2005-01-01\n7,3,2005-01-01\n"  # no header, so its ratings have no item
        "3:\n8,3,2005-01-01\n\n9,3,2005-01-01\n"  # a blank line
        "2:\n1,1,2005-01-01\n"  # an item out of order, with its rating
        "4:\n8,2,2005-01-01\n"
    )
    raw = write_netflix(tmp_path / "raw", ratings=text.encode())
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects)
    summary = ingest_ratings(raw, tmp_path / "store", options=options)
    kept = [(row[0], row[1], row[2]) for row in stored_rows(tmp_path / "store")]
    assert kept == [(1, 5, 3), (3, 8, 3), (3, 9, 3), (4, 8, 2)]
    with rejects.open(newline="") as file:
        lines = [int(entry["line"]) for entry in csv.DictReader(file)]
    assert lines == [3, 4, 5, 6, 7, 10, 12, 13]
    assert summary.n_rejected == len(lines)
    assert ingest_ratings(raw, tmp_path / "store").n_rejected == len(lines)


def test_too_little_memory_is_refused_rather_than_exceeded(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    with pytest.raises(ResourceError, match=r"cannot stay within 256\.0 MiB"):
        ingest_ratings(raw, tmp_path / "store", budget=Budget(memory_bytes=256 << 20))
    assert not (tmp_path / "store").exists()


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(SettingsError, match="unknown on-error choice 'skipp'") as caught:
        IngestOptions(on_error="skipp")
    assert "did you mean 'skip'" in caught.value.hint
    with pytest.raises(SettingsError, match="--rejects"):
        IngestOptions(rejects=Path("rejects.csv"))


# ---------------------------------------------------------------- missing and strange files


def test_folders_without_ratings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is missing"):
        ingest_ratings(tmp_path / "nowhere", tmp_path / "store")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found nothing"):
        ingest_ratings(tmp_path / "empty", tmp_path / "store")
    (tmp_path / "empty" / "holiday.jpg").touch()
    with pytest.raises(DataError, match=r"found holiday\.jpg"):
        ingest_ratings(tmp_path / "empty", tmp_path / "store")
    raw = write_netflix(tmp_path / "raw")
    with pytest.raises(DataError, match="MovieLens"):
        ingest_ratings(raw, tmp_path / "store", options=IngestOptions(source="movielens"))
    with pytest.raises(SettingsError, match="unknown source 'netflx'"):
        ingest_ratings(raw, tmp_path / "store", options=IngestOptions(source="netflx"))
    (raw / "movie_titles.csv").unlink()
    with pytest.raises(DataError, match=r"movie_titles\.csv is missing"):
        ingest_ratings(raw, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["combined_data_1.txt", "movie_titles.csv", "probe.txt"])
@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "broken link"])
def test_files_that_cannot_be_read_are_named(name: str, kind: str, tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw", others={"probe.txt": PROBE})
    path = raw / name
    path.unlink()
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(raw / "nowhere")
    with pytest.raises(DataError, match=name) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "store").exists()


def test_a_broken_zip_is_refused(tmp_path: Path) -> None:
    archive = kaggle_zip(write_netflix(tmp_path / "raw"))
    data = bytearray(archive.read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"cut\.zip cannot be read"):
        ingest_ratings(tmp_path / "cut.zip", tmp_path / "store")
    data[60:70] = bytes(10)
    archive.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        ingest_ratings(archive, tmp_path / "store")


def test_items_must_ascend_over_all_files(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    shutil.copy(raw / "combined_data_1.txt", raw / "combined_data_2.txt")
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert (caught.value.path, caught.value.line) == (raw / "combined_data_2.txt", 1)
    assert "ascending order over all files" in caught.value.expected


# ---------------------------------------------------------------- the second run


def test_the_same_files_again_are_a_no_op(
    raw_small: Path, store_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert main(["ingest", str(raw_small), "--store", str(store)]) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


@pytest.mark.parametrize("change", ["touched", "longer", "gone", "new"])
def test_changed_files_are_noticed_and_replace_the_store_only_if_asked(
    change: str, tmp_path: Path
) -> None:
    raw = write_netflix(tmp_path / "raw", others={"probe.txt": PROBE})
    ingest_ratings(raw, tmp_path / "store")
    if change == "touched":
        os.utime(raw / "combined_data_1.txt", ns=(1, 1))
    elif change == "longer":
        with (raw / "combined_data_1.txt").open("a") as file:
            file.write("77:\n5,3,2005-01-01\n")
    elif change == "gone":
        (raw / "probe.txt").unlink()
    else:
        (raw / "qualifying.txt").write_bytes(QUALIFYING)
    with pytest.raises(StoreError, match="made from other files") as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert "--overwrite" in caught.value.hint
    summary = ingest_ratings(raw, tmp_path / "store", options=IngestOptions(overwrite=True))
    assert not summary.unchanged
    assert summary.n_ratings == len(some_rows()) + (change == "longer")


@pytest.mark.parametrize("change", ["older", "swapped", "longer", "gone", "new"])
def test_a_change_of_one_among_many_small_files_is_noticed(change: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    training = raw / "training_set"
    training.mkdir(parents=True)
    (raw / "movie_titles.txt").write_bytes(b"1,2003,One\n")
    files = [training / f"mv_{item:07d}.txt" for item in (1, 2, 3)]
    for item, path in enumerate(files, start=1):
        path.write_text(f"{item}:\n{item}{'7' * item},3,2005-01-01\n")
        os.utime(path, (item, item))
    ingest_ratings(raw, tmp_path / "store")
    assert ingest_ratings(raw, tmp_path / "store").unchanged
    if change == "older":
        os.utime(files[1], (1, 1))
    elif change == "swapped":
        files[0].rename(raw / "kept")
        files[1].rename(files[0])
        (raw / "kept").rename(files[1])
    elif change == "longer":
        with files[0].open("a") as file:
            file.write("5,3,2005-01-01\n")
        os.utime(files[0], (1, 1))
    elif change == "gone":
        files[2].unlink()
    else:
        (training / "mv_0000004.txt").write_text("4:\n5,3,2005-01-01\n")
    with pytest.raises(StoreError, match=r"differing: .*mv_0000001\.txt and"):
        ingest_ratings(raw, tmp_path / "store")


def test_a_folder_that_is_no_store_is_not_written_over(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    (tmp_path / "store").mkdir()
    with pytest.raises(StoreError, match="empty folder"):
        ingest_ratings(raw, tmp_path / "store")
    (tmp_path / "store" / "thesis.tex").touch()
    with pytest.raises(StoreError, match="is no store"):
        ingest_ratings(raw, tmp_path / "store")
    assert (tmp_path / "store" / "thesis.tex").exists()
