"""Ingest from end to end: every source, bad input, options, and the second run."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.netflix_files import rating_text, snapshot, some_rows, stored_rows, write_netflix

from bigrec.cli.app import main
from bigrec.errors import DataError, RawFormatError, ResourceError, SettingsError, StoreError
from bigrec.ingest.ingest import IngestOptions, ingest_ratings
from bigrec.ingest.netflix import PUBLISHED_COUNTS, NetflixFolder
from bigrec.ingest.raw import RawFolder
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog
from bigrec.store.layout import StoreLayout

PROBE = b"2:\n7007\n1007\n1:\n7\n"  # the real file's movies are in no order either
QUALIFYING = b"2:\n7007,2005-12-19\n1:\n9,2005-12-20\n"


# ---------------------------------------------------------------- Netflix in all its forms


def _kaggle_zip(raw: Path) -> Path:
    archive = raw.parent / "netflix-prize-data.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(raw.iterdir()):
            target.write(path, path.name)
    return archive


def _folder_with_zip(raw: Path) -> Path:
    archive = _kaggle_zip(raw)
    folder = raw.parent / "with-zip"
    folder.mkdir()
    archive.rename(folder / archive.name)
    return folder


def _nested_zip(raw: Path) -> Path:
    archive = raw.parent / "nested.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(raw.iterdir()):
            target.write(path, f"netflix-prize-data/{path.name}")
    return archive


def _compressed(raw: Path, suffix: str, compress: Callable[[bytes], bytes]) -> Path:
    folder = raw.parent / f"as{suffix}"
    folder.mkdir()
    for path in raw.iterdir():
        (folder / f"{path.name}{suffix}").write_bytes(compress(path.read_bytes()))
    return folder


def _original(raw: Path) -> Path:
    folder = raw.parent / "download"
    training = folder / "training_set"
    training.mkdir(parents=True)
    for path in raw.iterdir():
        if not path.name.startswith("combined_data"):
            shutil.copy(path, folder / path.name.replace(".csv", ".txt"))
            continue
        lines: list[str] = []
        for line in [*path.read_text().splitlines(), "0:"]:
            if line.endswith(":") and lines:
                name = f"mv_{int(lines[0][:-1]):07d}.txt"
                (training / name).write_text("\n".join(lines) + "\n")
                lines = []
            lines.append(line)
    return folder


FORMS: dict[str, Callable[[Path], Path]] = {
    "zip": _kaggle_zip,
    "folder with the zip": _folder_with_zip,
    "zip with a folder": _nested_zip,
    "gzip": lambda raw: _compressed(raw, ".gz", gzip.compress),
    "zstd": lambda raw: _compressed(
        raw, ".zst", lambda data: pa.Codec("zstd").compress(data, asbytes=True)
    ),
    "original": _original,
    "original, gzip": lambda raw: _gzip_training(_original(raw)),
}


def _gzip_training(folder: Path) -> Path:
    for path in (folder / "training_set").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_store(
    form: str, raw_small: Path, store_small: Path, tmp_path: Path
) -> None:
    shutil.copytree(raw_small, tmp_path / "raw")
    raw = FORMS[form](tmp_path / "raw")
    summary = ingest_ratings(raw, tmp_path / "store", budget=Budget(threads=2))
    expected, found = open_catalog(store_small), open_catalog(tmp_path / "store")
    assert found.manifest.fingerprint == expected.manifest.fingerprint
    for table in ("movies", "users", "probe", "qualifying", "ratings", "ratings_by_user"):
        assert getattr(found, table)().collect().equals(getattr(expected, table)().collect())
    assert summary.form == f"Netflix Prize, {'original' if 'original' in form else 'Kaggle'} form"
    again = ingest_ratings(raw, tmp_path / "store")
    assert again.unchanged


def test_the_tables_of_a_small_set(tmp_path: Path) -> None:
    rows = some_rows()
    raw = write_netflix(
        tmp_path / "raw", rows, others={"probe.txt": PROBE, "qualifying.txt": QUALIFYING}
    )
    summary = ingest_ratings(raw, tmp_path / "store")
    assert stored_rows(tmp_path / "store") == sorted(rows)
    assert (summary.n_probe, summary.n_qualifying) == (3, 2)
    catalog = open_catalog(tmp_path / "store")
    assert catalog.probe().collect().rows() == [(2, 7007), (2, 1007), (1, 7)]
    assert catalog.qualifying().collect().rows() == [
        (2, 7007, dt.date(2005, 12, 19)),
        (1, 9, dt.date(2005, 12, 20)),
    ]
    movies = catalog.movies().collect()
    assert movies["title"].to_list()[:3] == ["Dinosaur Planet", "Señor, the 2nd", None]
    assert movies["year"].to_list()[:2] == [2003, None]
    frame = pl.DataFrame(rows, schema=["movie_id", "user_id", "rating", "date"], orient="row")
    expected = (
        frame.group_by("user_id")
        .agg(
            pl.len().alias("n_ratings"),
            pl.col("rating").mean().alias("mean_rating"),
            pl.col("date").min().alias("first_date"),
            pl.col("date").max().alias("last_date"),
        )
        .sort("user_id")
    )
    users = catalog.users().collect()
    assert users.rows() == expected.rows()
    assert movies["n_ratings"].sum() == len(rows) == catalog.manifest.n_ratings
    assert catalog.manifest.mean_rating == pytest.approx(frame["rating"].mean())


def test_titles_that_nobody_rated_have_no_mean(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw", ratings=b"1:\n5,3,2005-01-01\n")
    ingest_ratings(raw, tmp_path / "store")
    movies = open_catalog(tmp_path / "store").movies().collect()
    assert movies.select("movie_id", "n_ratings", "mean_rating").rows() == [
        (1, 1, 3.0),
        (2, 0, None),
    ]


def test_without_the_order_by_user_the_users_are_the_same(
    raw_small: Path, store_small: Path, tmp_path: Path
) -> None:
    options = IngestOptions(by_user=False)
    ingest_ratings(raw_small, tmp_path / "store", options=options)
    assert not StoreLayout(tmp_path / "store").ratings_by_user.exists()
    found, expected = open_catalog(tmp_path / "store"), open_catalog(store_small)
    assert found.users().collect().equals(expected.users().collect())
    assert found.ratings().collect().equals(expected.ratings().collect())
    with pytest.raises(StoreError, match="order of users"):
        found.ratings_by_user()
    assert ingest_ratings(raw_small, tmp_path / "store", options=options).unchanged
    with pytest.raises(StoreError, match="without the order by user"):
        ingest_ratings(raw_small, tmp_path / "store")


def test_the_published_counts_mean_the_complete_set(raw_small: Path, tmp_path: Path) -> None:
    source = NetflixFolder(RawFolder(raw_small))
    counts: dict[str, int | None] = dict(PUBLISHED_COUNTS)
    assert source.coverage(counts) == "the complete Netflix Prize set"
    counts["probe pairs"] = None
    text = source.coverage(counts)
    assert text == "a part of the Netflix Prize set: 0 of 1,408,395 probe pairs"
    assert ingest_ratings(raw_small, tmp_path / "store").coverage.startswith("a part of")


# ---------------------------------------------------------------- MovieLens

MOVIELENS_ROWS = [(1, 31, 2.5, 1260759144), (2, 31, 4.0, 835355493), (1, 7, 5.0, 1260759182)]


def _movielens(folder: Path, dialect: str) -> Path:
    folder.mkdir(parents=True)
    whole = [(user, movie, int(rating + 0.5), t) for user, movie, rating, t in MOVIELENS_ROWS]
    if dialect == "csv":
        lines = [f"{user},{movie},{rating},{t}" for user, movie, rating, t in MOVIELENS_ROWS]
        text = "userId,movieId,rating,timestamp\n" + "\n".join(lines) + "\n"
        (folder / "ratings.csv").write_text(text)
        movies = (
            'movieId,title,genres\n7,"Sabrina, the (1995)",Comedy\n'
            "31,Niñas (2001\u20132003),Drama\n"
        )
        (folder / "movies.csv").write_text(movies)
    elif dialect in ("1M", "10M"):
        rows = whole if dialect == "1M" else MOVIELENS_ROWS
        lines = [f"{user}::{movie}::{rating}::{t}" for user, movie, rating, t in rows]
        (folder / "ratings.dat").write_text("\n".join(lines) + "\n")
        text = "7::Sabrina, the (1995)::Comedy\n31::Niñas (2001-2003)::Drama\n"
        (folder / "movies.dat").write_text(text, "utf-8" if dialect == "10M" else "iso-8859-1")
        if dialect == "1M":
            (folder / "users.dat").write_text("1::F::1::10::48067\n")
    else:
        lines = [f"{user}\t{movie}\t{rating}\t{t}" for user, movie, rating, t in whole]
        (folder / "u.data").write_text("\n".join(lines) + "\n")
        text = "7|Sabrina, the (1995)|01-Jan-1995||x|0|1\n31|Niñas (2001)|||x|0|0\n"
        (folder / "u.item").write_text(text, "iso-8859-1")
    return folder


@pytest.mark.parametrize("dialect", ["csv", "1M", "10M", "100K"])
@pytest.mark.parametrize("by_user", [True, False])
def test_movielens_in_all_its_forms(dialect: str, by_user: bool, tmp_path: Path) -> None:
    raw = _movielens(tmp_path / "raw", dialect)
    summary = ingest_ratings(raw, tmp_path / "store", options=IngestOptions(by_user=by_user))
    assert dialect in summary.form
    catalog = open_catalog(tmp_path / "store")
    whole = dialect in ("1M", "100K")
    assert catalog.ratings().collect().rows() == [
        (7, 1, 5.0, dt.date(2009, 12, 14)),
        (31, 1, 3.0 if whole else 2.5, dt.date(2009, 12, 14)),
        (31, 2, 4.0, dt.date(1996, 6, 21)),
    ]
    assert catalog.manifest.min_rating == (1.0 if whole else 0.5)
    movies = catalog.movies().collect()
    assert movies["title"].to_list() == ["Sabrina, the", "Niñas"]
    assert movies["year"].to_list() == [1995, 2001]
    assert catalog.users().collect()["n_ratings"].to_list() == [2, 1]
    with pytest.raises(StoreError, match="no probe"):
        catalog.probe()


def test_movielens_as_the_zip_that_is_published(tmp_path: Path) -> None:
    raw = _movielens(tmp_path / "ml-1m", "1M")
    archive = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(raw.iterdir()):
            target.write(path, f"ml-1m/{path.name}")
    summary = ingest_ratings(archive, tmp_path / "store")
    assert (summary.form, summary.n_ratings) == ("MovieLens 1M", 3)


def test_rows_in_any_order_come_out_sorted(tmp_path: Path) -> None:
    """Sorted by time, over many units, with a sample that sees next to nothing."""
    raw = tmp_path / "raw"
    raw.mkdir()
    n = 30_000
    pairs = [(1 + i * 7919 % 1009, 1 + i * 104_729 % 2003) for i in range(n)]
    assert len(set(pairs)) == n
    lines = [
        f"{user},{movie},{(i % 10 + 1) / 2},{1000 + i}" for i, (user, movie) in enumerate(pairs)
    ]
    text = "userId,movieId,rating,timestamp\n" + "\n".join(lines)
    (raw / "ratings.csv").write_text(text)
    (raw / "movies.csv").write_text("movieId,title,genres\n1,One (1999),x\n")
    ingest_ratings(raw, tmp_path / "store")
    catalog = open_catalog(tmp_path / "store")
    by_movie = catalog.ratings().select("movie_id", "user_id").collect().rows()
    assert by_movie == sorted((movie, user) for user, movie in pairs)
    by_user = catalog.ratings_by_user().select("user_id", "movie_id").collect().rows()
    assert by_user == sorted(pairs)


# ---------------------------------------------------------------- bad input

GOOD = rating_text(some_rows())
BAD_LINES = {
    "a letter": ("1:\n5,3,2005-01-01\nx,3,2005-01-01\n", 3, "x,3,2005-01-01", "a movie header"),
    "rating too high": ("1:\n5,6,2005-01-01\n", 2, "5,6,2005-01-01", "whole stars from 1 to 5"),
    "rating zero": ("1:\n5,0,2005-01-01\n", 2, "5,0,2005-01-01", "whole stars from 1 to 5"),
    "half a star": ("1:\n5,3.5,2005-01-01\n", 2, "5,3.5,2005-01-01", "whole stars"),
    "no such day": ("1:\n5,3,2005-02-29\n", 2, "5,3,2005-02-29", "a day of the calendar"),
    "no such month": ("1:\n5,3,2005-13-01\n", 2, "5,3,2005-13-01", "a day of the calendar"),
    "before 1970": ("1:\n5,3,1969-12-31\n", 2, "5,3,1969-12-31", "a day of the calendar"),
    "no date": ("1:\n5,3\n", 2, "5,3", "whole stars"),
    "more behind it": ("1:\n5,3,2005-01-01,1\n", 2, "5,3,2005-01-01,1", "the end of the line"),
    "no header": ("5,3,2005-01-01\n", 1, "5,3,2005-01-01", "header such as '8:' above"),
    "blank line": ("1:\n5,3,2005-01-01\n\n6,3,2005-01-01\n", 3, "", "no blank line"),
    "movie again": ("2:\n5,3,2005-01-01\n1:\n5,3,2005-01-01\n", 3, "1:", "ascending"),
    "same movie": ("2:\n5,3,2005-01-01\n2:\n6,3,2005-01-01\n", 3, "2:", "ascending"),
    "id zero": ("1:\n0,3,2005-01-01\n", 2, "0,3,2005-01-01", "an id from 1 to"),
    "id too large": ("1:\n2147483647,3,2005-01-01\n", 2, "2147483647,3,2005-01-01", "an id from 1"),
    "user twice": (
        "1:\n5,3,2005-01-01\n6,3,2005-01-01\n5,4,2005-01-02\n", 4, "5,4,2005-01-02",
        "one rating of movie 1 by user 5",
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
    "qualifying": ("qualifying.txt", b"1:\n7\n", 2, "a movie header"),
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
    "movie": ("1,x,3.0,100", "an id"),
    "again": ("1,31,3.0,100", "one rating of movie 31 by user 1"),
}


@pytest.mark.parametrize("case", BAD_MOVIELENS)
def test_bad_lines_of_movielens_are_reported_or_skipped(case: str, tmp_path: Path) -> None:
    line, expected = BAD_MOVIELENS[case]
    raw = _movielens(tmp_path / "raw", "csv")
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
        "2\n6,3,2005-01-01\n7,3,2005-01-01\n"  # no header, so its ratings have no movie
        "3:\n8,3,2005-01-01\n\n9,3,2005-01-01\n"  # a blank line
        "2:\n1,1,2005-01-01\n"  # a movie out of order, with its rating
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
    archive = _kaggle_zip(write_netflix(tmp_path / "raw"))
    data = bytearray(archive.read_bytes())
    (tmp_path / "cut.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"cut\.zip cannot be read"):
        ingest_ratings(tmp_path / "cut.zip", tmp_path / "store")
    data[60:70] = bytes(10)
    archive.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        ingest_ratings(archive, tmp_path / "store")


def test_movies_must_ascend_over_all_files(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    shutil.copy(raw / "combined_data_1.txt", raw / "combined_data_2.txt")
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert (caught.value.path, caught.value.line) == (raw / "combined_data_2.txt", 1)
    assert "ascending order over all files" in caught.value.expected


# ---------------------------------------------------------------- the second run


def test_the_same_files_again_are_a_quick_no_op(
    raw_small: Path, store_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    started = time.perf_counter()
    assert main(["ingest", str(raw_small), "--store", str(store)]) == 0
    assert time.perf_counter() - started < 1
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


def test_a_folder_that_is_no_store_is_not_written_over(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    (tmp_path / "store").mkdir()
    with pytest.raises(StoreError, match="empty folder"):
        ingest_ratings(raw, tmp_path / "store")
    (tmp_path / "store" / "thesis.tex").touch()
    with pytest.raises(StoreError, match="is no store"):
        ingest_ratings(raw, tmp_path / "store")
    assert (tmp_path / "store" / "thesis.tex").exists()
