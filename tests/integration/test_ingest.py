"""Ingest from end to end: every source, bad input, options, and the second run."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import (
    PROBE,
    QUALIFYING,
    kaggle_zip,
    some_rows,
    stored_rows,
    write_netflix,
)

from bigrec.errors import StoreError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.resources import Budget
from bigrec.sources.netflix import PUBLISHED_COUNTS, NetflixSource
from bigrec.sources.raw import RawFolder
from bigrec.store.catalog import open_catalog
from bigrec.store.layout import StoreLayout

# ---------------------------------------------------------------- Netflix in all its forms


def _folder_with_zip(raw: Path) -> Path:
    archive = kaggle_zip(raw)
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
    "zip": kaggle_zip,
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
    for table in ("items", "users", "probe", "qualifying", "ratings", "ratings_by_user"):
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
    items = catalog.items().collect()
    assert items["title"].to_list()[:3] == ["Dinosaur Planet", "Señor, the 2nd", None]
    assert items["year"].to_list()[:2] == [2003, None]
    frame = pl.DataFrame(rows, schema=["item_id", "user_id", "rating", "date"], orient="row")
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
    assert items["n_ratings"].sum() == len(rows) == catalog.manifest.n_ratings
    assert catalog.manifest.mean_rating == pytest.approx(frame["rating"].mean())


def test_titles_that_nobody_rated_have_no_mean(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw", ratings=b"1:\n5,3,2005-01-01\n")
    ingest_ratings(raw, tmp_path / "store")
    items = open_catalog(tmp_path / "store").items().collect()
    assert items.select("item_id", "n_ratings", "mean_rating").rows() == [
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
    real = tmp_path / "raw"
    shutil.copytree(raw_small, real, ignore=shutil.ignore_patterns("SYNTHETIC.txt"))
    source = NetflixSource(RawFolder(real))
    counts: dict[str, int | None] = dict(PUBLISHED_COUNTS)
    assert source.coverage(counts) == "the complete Netflix Prize set"
    counts["probe pairs"] = None
    text = source.coverage(counts)
    assert text == "a part of the Netflix Prize set: 0 of 1,408,395 probe pairs"
    assert ingest_ratings(real, tmp_path / "store").coverage.startswith("a part of")


@pytest.mark.parametrize("form", ["folder", "zip", "zstd"])
def test_synthetic_data_is_never_taken_for_the_published_set(
    form: str, raw_small: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(raw_small, raw)
    source = NetflixSource(RawFolder(raw if form == "folder" else FORMS[form](raw)))
    text = source.coverage(dict(PUBLISHED_COUNTS))
    assert text == "synthetic data in the form of the Netflix Prize set"


# ---------------------------------------------------------------- MovieLens


@pytest.mark.parametrize("dialect", ["csv", "1M", "10M", "100K"])
@pytest.mark.parametrize("by_user", [True, False])
def test_movielens_in_all_its_forms(dialect: str, by_user: bool, tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "raw", dialect)
    summary = ingest_ratings(raw, tmp_path / "store", options=IngestOptions(by_user=by_user))
    assert dialect in summary.form
    catalog = open_catalog(tmp_path / "store")
    whole = dialect in ("1M", "100K")
    assert catalog.ratings().collect().rows() == [
        (7, 1, 5.0, dt.date(2009, 12, 14)),
        (31, 1, 3.0 if whole else 2.5, dt.date(2009, 12, 14)),
        (31, 2, 4.0, dt.date(1996, 6, 21)),
    ]
    assert catalog.manifest.scale.low == (1.0 if whole else 0.5)
    items = catalog.items().collect()
    assert items["title"].to_list() == ["Sabrina, the", "Niñas"]
    assert items["genres"].to_list() == ["Comedy", "Drama"]
    assert items["year"].to_list() == [1995, 2001]
    assert catalog.users().collect()["n_ratings"].to_list() == [2, 1]
    with pytest.raises(StoreError, match="no probe"):
        catalog.probe()


def test_movielens_as_the_zip_that_is_published(tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "ml-1m", "1M")
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
    lines = [f"{user},{item},{(i % 10 + 1) / 2},{1000 + i}" for i, (user, item) in enumerate(pairs)]
    text = "userId,movieId,rating,timestamp\n" + "\n".join(lines)
    (raw / "ratings.csv").write_text(text)
    (raw / "movies.csv").write_text("movieId,title,genres\n1,One (1999),x\n")
    ingest_ratings(raw, tmp_path / "store")
    catalog = open_catalog(tmp_path / "store")
    by_item = catalog.ratings().select("item_id", "user_id").collect().rows()
    assert by_item == sorted((item, user) for user, item in pairs)
    by_user = catalog.ratings_by_user().select("user_id", "item_id").collect().rows()
    assert by_user == sorted(pairs)


# ---------------------------------------------------------------- bad input
