"""Synthetic raw files: reproducible, of the exact form, with a floor for every model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bigrec.errors import DataError, SettingsError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog
from bigrec.synthetic import SynthSummary, write_synthetic
from tests.netflix_files import snapshot

N_RATINGS = 20_000


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SynthSummary]:
    out = tmp_path_factory.mktemp("synth") / "raw"
    return out, write_synthetic(out, n_ratings=N_RATINGS, seed=3)


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(
    raw: tuple[Path, SynthSummary], tmp_path: Path
) -> None:
    write_synthetic(tmp_path / "again", n_ratings=N_RATINGS, seed=3, budget=Budget(threads=1))
    assert snapshot(tmp_path / "again") == snapshot(raw[0])


def test_another_seed_gives_other_ratings(raw: tuple[Path, SynthSummary], tmp_path: Path) -> None:
    write_synthetic(tmp_path / "other", n_ratings=N_RATINGS, seed=4)
    name = "combined_data_1.txt"
    assert (tmp_path / "other" / name).read_bytes() != (raw[0] / name).read_bytes()


def test_the_files_have_kaggles_names_and_quirks(raw: tuple[Path, SynthSummary]) -> None:
    names = {path.name for path in raw[0].iterdir()}
    combined = {f"combined_data_{number}.txt" for number in range(1, 5)}
    assert names == combined | {"movie_titles.csv", "probe.txt", "qualifying.txt", "SYNTHETIC.txt"}
    titles = (raw[0] / "movie_titles.csv").read_bytes()
    assert b"NULL" in titles
    assert any(byte > 127 for byte in titles)
    assert any(line.count(b",") > 2 for line in titles.splitlines())


def test_it_ingests_with_the_promised_counts(
    raw: tuple[Path, SynthSummary], tmp_path: Path
) -> None:
    folder, promised = raw
    summary = ingest_ratings(folder, tmp_path / "store")
    assert summary.n_ratings == promised.n_ratings == N_RATINGS
    assert summary.n_movies == promised.n_movies
    assert summary.n_users <= promised.n_users
    catalog = open_catalog(tmp_path / "store")
    ratings, probe = catalog.ratings().collect(), catalog.probe().collect()
    qualifying = catalog.qualifying().collect()
    keys = ["movie_id", "user_id"]
    assert probe.join(ratings, on=keys, how="anti").is_empty()
    assert qualifying.join(ratings, on=keys, how="semi").is_empty()


def test_popularity_has_a_heavy_tail_and_the_noise_is_a_floor(
    raw: tuple[Path, SynthSummary], tmp_path: Path
) -> None:
    folder, promised = raw
    ingest_ratings(folder, tmp_path / "store")
    catalog = open_catalog(tmp_path / "store")
    counts = np.sort(catalog.movies().collect()["n_ratings"].to_numpy())
    assert counts[-len(counts) // 10 :].sum() > 0.4 * counts.sum()
    spread = catalog.ratings().select(pl.col("rating").std()).collect().item()
    assert 0.5 < promised.noise_rmse < 0.9 * spread


def test_too_few_ratings_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 1000"):
        write_synthetic(tmp_path / "few", n_ratings=10)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(DataError, match="not empty"):
        write_synthetic(tmp_path / "used", n_ratings=1000)
