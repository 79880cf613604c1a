"""Synthetic raw files: reproducible, of the exact form, with a floor for every model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bigrec import synthetic
from bigrec.cli.app import main
from bigrec.errors import SettingsError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog
from bigrec.synthetic import SynthSummary, write_synthetic
from tests.support.netflix_files import snapshot

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
    assert summary.n_items == promised.n_items
    assert summary.n_users <= promised.n_users
    catalog = open_catalog(tmp_path / "store")
    ratings, probe = catalog.ratings().collect(), catalog.probe().collect()
    qualifying = catalog.qualifying().collect()
    keys = ["item_id", "user_id"]
    assert probe.join(ratings, on=keys, how="anti").is_empty()
    assert qualifying.join(ratings, on=keys, how="semi").is_empty()


def test_popularity_has_a_heavy_tail_and_the_noise_is_a_floor(
    raw: tuple[Path, SynthSummary], tmp_path: Path
) -> None:
    folder, promised = raw
    ingest_ratings(folder, tmp_path / "store")
    catalog = open_catalog(tmp_path / "store")
    counts = np.sort(catalog.items().collect()["n_ratings"].to_numpy())
    assert counts[-len(counts) // 10 :].sum() > 0.4 * counts.sum()
    spread = catalog.ratings().select(pl.col("rating").std()).collect().item()
    assert 0.5 < promised.noise_rmse < 0.9 * spread


def test_too_few_ratings_and_a_folder_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least 1000"):
        write_synthetic(tmp_path / "few", n_ratings=10)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(SettingsError, match="not an empty folder"):
        write_synthetic(tmp_path / "used", n_ratings=1000)


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        *(("--ratings", value, 2) for value in ["-1", "0", "999", "9" * 20, "9" * 400, "9" * 5000]),
        *(("--ratings", value, 2) for value in ["nan", "inf", "1e6", "", "\u00b2", "a/b"]),
        ("--ratings", "1" + "0" * 11, 5),
        *(("--seed", value, 2) for value in ["-1", str(2**63), "9" * 20, "nan", "", "\u00b2"]),
        *(("--threads", value, 2) for value in ["-1", "0", "nan"]),
        *(("--memory", value, 2) for value in ["-1", "nan", "", "1e20TiB"]),
    ],
)  # fmt: skip
def test_odd_numbers_are_refused_before_anything_is_made(
    option: str, value: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["synth", str(tmp_path / "raw"), "--ratings", "1000", option, value]
    assert main(argv) == code
    assert capsys.readouterr().err.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1])
def test_any_seed_within_bounds_is_taken(seed: int, tmp_path: Path) -> None:
    write_synthetic(tmp_path / "raw", n_ratings=1000, seed=seed)
    assert (tmp_path / "raw" / "combined_data_1.txt").stat().st_size


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError, OSError])
def test_a_synth_that_fails_leaves_nothing_behind(
    fault: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(synthetic, "_write_titles", fail)
    with pytest.raises(fault):
        write_synthetic(tmp_path / "raw", n_ratings=1000)
    assert list(tmp_path.iterdir()) == []
