"""Neighbors and lists for everybody in bounded memory: child processes over 1x and 8x users."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.peak_memory import peak_bytes

from bigrec.cli.app import main

N_FITTED = 800
N_USERS = 4_000
N_ITEMS = 1_000
EVERY = 100  # user in so many has rated an item
ALLOWED_GROWTH_BYTES = 64 << 20
BUDGET_BYTES = 256 << 20

FIT = """
    import dataclasses
    import numpy as np
    from bigrec.rows import DataSpec, Rows
    from bigrec.models.contract import FitContext
    from bigrec.models.knn.fit import estimate_memory, fit_neighbors
    from bigrec.models.knn.model import PRESETS
    from bigrec.models.baseline.bias_fit import fit_biases
    from bigrec.resources import Budget
    n_users, n_items, each = int(sys.argv[1]), 200, 12
    random = np.random.default_rng(0)
    # Every user rates one item of each part of the catalogue.
    parts = np.arange(0, n_items - n_items // each, n_items // each)[:each]
    items = parts + random.integers(0, n_items // each, (n_users, each))
    rating = random.integers(1, 6, items.size).astype(np.float32)
    rows = Rows(np.arange(0, items.size + 1, each), items.ravel().astype(np.int32), rating)
    spec = DataSpec(n_users, n_items, float(rating.mean()), 1.0, 5.0)
    options = dataclasses.replace(PRESETS[sys.argv[2]], neighbors=20)
    biases = fit_biases(rows, spec)
    scorer = fit_neighbors(FitContext(rows, spec, biases, options, budget=Budget(1 << 30, 2)))
    assert scorer.lists.neighbor_index.max() > 0
    reported = sum(estimate_memory(rows, spec, options, biases).values())
"""

LISTS = """
    import numpy as np
    from bigrec.datasets.training_data import open_training_data
    from bigrec.models.baseline.bias_fit import fit_biases
    from bigrec.models.factorization.scorer import Factors, FactorScorer
    from bigrec.recommend.top_lists import write_top_lists
    from bigrec.resources import Budget
    from bigrec.splits.shards import ready_shards
    from bigrec.store.catalog import open_catalog
    catalog = open_catalog(Path(sys.argv[1]))
    data = open_training_data(ready_shards(catalog, "s"))
    random, spec = np.random.default_rng(0), data.spec
    def table(*shape):
        return random.normal(size=shape).astype(np.float32)
    factors = Factors(
        table(spec.n_users, 8), table(spec.n_items, 8), table(spec.n_users), table(spec.n_items)
    )
    scorer = FactorScorer(factors, data.train, spec, fit_biases(data.train, spec))
    budget = Budget(int(sys.argv[3]), 2)
    summary = write_top_lists(scorer, data, catalog, Path(sys.argv[2]), budget=budget)
    reported = summary.n_users
"""


@pytest.mark.parametrize("preset", ["notebook", "tuned"])
def test_fitting_neighbors_takes_no_more_than_it_says(preset: str) -> None:
    small, said = peak_bytes(FIT, N_FITTED, preset)
    large, said_large = peak_bytes(FIT, 8 * N_FITTED, preset)
    assert small < said
    assert large < said_large
    assert ALLOWED_GROWTH_BYTES < 0.6 * 4 * (8 * N_FITTED) ** 2  # a matrix of users would show
    assert large - small < ALLOWED_GROWTH_BYTES


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Stores with a materialized split, the second of eight times as many users."""
    folder = tmp_path_factory.mktemp("lists")
    for name, n_users in (("small", N_USERS), ("large", 8 * N_USERS)):
        raw = folder / f"raw-{name}"
        raw.mkdir()
        (raw / "movie_titles.csv").write_text("1,2003,Dinosaur Planet\n")
        with (raw / "combined_data_1.txt").open("w") as file:
            for item in range(1, N_ITEMS + 1):
                users = range(1 + item % EVERY, n_users + 1, EVERY)
                file.write(f"{item}:\n")
                file.writelines(f"{user},{1 + user % 5},2004-05-06\n" for user in users)
        store = ["--store", str(folder / name)]
        assert main(["ingest", str(raw), *store]) == 0
        assert main(["split", "create", "s", "--materialize", *store]) == 0
    return folder / "small", folder / "large"


def test_lists_of_everybody_take_no_more_memory_for_eight_times_the_users(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    peaks = []
    for n_users, store in zip((N_USERS, 8 * N_USERS), stores, strict=True):
        peak, found = peak_bytes(LISTS, store, tmp_path / "top.parquet", BUDGET_BYTES)
        assert found == n_users
        peaks.append(peak)
    assert ALLOWED_GROWTH_BYTES < 0.6 * 4 * 8 * N_USERS * N_ITEMS  # all scores would show
    assert peaks[1] - peaks[0] < ALLOWED_GROWTH_BYTES
    assert peaks[1] < 2 * BUDGET_BYTES
