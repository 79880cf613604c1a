"""Models on scales that are no stars: fine, wide, uneven, two thumbs; against plain NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from tests.support.table_source import make_store

import bigrec
from bigrec.api.split import Split
from bigrec.interactions import Scale
from bigrec.schema import NO_TIME

N_USERS, N_ITEMS = 150, 120
UNEVEN: Final = tuple(np.append(0, np.geomspace(0.01, 50, 700)).astype(np.float32).tolist())
SCALES: Final = {
    "-10.00 to 10.00": Scale.even(-10, 10, 2001),
    "0 to 100": Scale.even(0, 100, 101),
    "uneven": Scale(UNEVEN),
    "thumbs": Scale((0.0, 1.0)),
}
MODELS: Final = ("cosine-knn", "autorec", "matrix-factorization", "residual")
KEY: Final = ["user_id", "item_id"]


def made_up(scale: Scale) -> dict[str, Any]:
    """A third of all pairs, by levels of users and items, two tastes, and noise."""
    random = np.random.default_rng(5)
    pair = np.flatnonzero(random.random(N_USERS * N_ITEMS) < 0.35)
    random.shuffle(pair)
    user, item = np.divmod(pair, N_ITEMS)
    share = 0.55 + random.normal(0, 0.12, N_USERS)[user] + random.normal(0, 0.12, N_ITEMS)[item]
    tastes, kinds = random.normal(0, 0.3, (N_USERS, 2)), random.normal(0, 0.3, (N_ITEMS, 2))
    share += (tastes[user] * kinds[item]).sum(axis=1) + random.normal(0, 0.05, len(pair))
    codes = np.rint(np.clip(share, 0, 1) * (len(scale.values) - 1)).astype(int)
    return {"user_id": 1 + user, "item_id": 1 + item, "rating": scale.table[codes]}


def root_mean_square(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, np.float64)))))


@pytest.fixture(scope="module", params=SCALES)
def split(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Split:
    """A split of a store of one scale; its runs go beside the store."""
    scale = SCALES[request.param]
    home = tmp_path_factory.mktemp("scale")
    make_store(home, made_up(scale), time_unit=NO_TIME, scale=scale)
    return bigrec.open(home / "store").split("s", validation_fraction=0.1)


def runs_of(split: Split) -> Path:
    return split.store.catalog.layout.root.parent / "runs"


def test_arrays_and_shards_hold_the_ratings_of_the_rows(split: Split) -> None:
    data = split.materialize()
    for subset in ("train", "validation", "test"):
        expected = getattr(split, subset).collect().sort(KEY)
        rows = getattr(data, subset)
        user = np.repeat(data.user_ids, rows.lengths())
        assert user.tolist() == expected["user_id"].to_list()
        assert data.item_ids[rows.column].tolist() == expected["item_id"].to_list()
        assert np.asarray(rows.rating).tolist() == expected["rating"].to_list()
    shards = data.shards()
    pairs = np.sort(np.concatenate([np.load(path) for path in shards.paths]))
    codes = pairs & shards.packing.code_mask
    train = split.train.collect().sort(KEY)
    assert shards.scale.table[codes].tolist() == train["rating"].to_list()
    assert data.spec.mean_rating == pytest.approx(train["rating"].to_numpy().mean(dtype=np.float64))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_learns_and_its_errors_are_those_of_numpy(split: Split, model: str) -> None:
    scale = split.store.manifest.scale
    train, test = split.train.collect(), split.test.collect().sort(KEY)
    mean = train["rating"].to_numpy().mean(dtype=np.float64)
    plain = root_mean_square(test["rating"].to_numpy().astype(np.float64) - mean)
    run = bigrec.train(split, model, runs=runs_of(split), run=model)
    scored = run.score(test.select(KEY)).sort(KEY)
    assert scored.select(KEY).equals(test.select(KEY))
    scores = scored["score"].to_numpy()
    assert scores.min() >= np.float32(scale.low)
    assert scores.max() <= np.float32(scale.high)
    errors = scores.astype(np.float64) - test["rating"].to_numpy()
    assert run.test["rmse"] == pytest.approx(root_mean_square(errors), rel=1e-4)
    assert run.test["rmse"] < 0.85 * plain


def test_baselines_are_those_of_numpy(split: Split) -> None:
    run = bigrec.train(split, "cosine-knn", runs=runs_of(split), run="for-baselines")
    found = {one.name: one.test["rmse"] for one in bigrec.compare([run]).baselines}
    train, test = split.train.collect(), split.test.collect()
    rating = test["rating"].to_numpy().astype(np.float64)
    mean = train["rating"].to_numpy().mean(dtype=np.float64)
    assert found["global-mean"] == pytest.approx(root_mean_square(rating - mean), rel=1e-5)
    means = train.group_by("item_id").agg(pl.col("rating").cast(pl.Float64).mean().alias("mean"))
    joined = test.join(means, on="item_id", how="left", maintain_order="left")
    by_item = joined["mean"].fill_null(mean).to_numpy()
    assert found["item-mean"] == pytest.approx(root_mean_square(rating - by_item), rel=1e-5)
    assert found["bias"] < found["item-mean"] < found["global-mean"]
