"""Published figures are shown under their own protocol only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bigrec.report.published import PROTOCOLS, find_published
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import open_catalog
from bigrec.store.manifest import Manifest


@pytest.fixture
def movielens_1m(store_small: Path) -> Manifest:
    manifest = open_catalog(store_small).manifest
    return dataclasses.replace(manifest, n_ratings=1_000_209, n_users=6_040)


def test_the_same_data_and_protocol_have_figures(movielens_1m: Manifest) -> None:
    found = find_published(movielens_1m, SplitSpec(test_fraction=0.1, seed=3))
    assert found is not None
    assert found.rmse["I-AutoRec"] == 0.831
    assert "AutoRec" in found.source


def test_any_fold_of_five_is_the_protocol_of_surprise(movielens_1m: Manifest) -> None:
    found = find_published(movielens_1m, SplitSpec(method="folds", folds=5, fold=4))
    assert found is not None
    assert found.rmse["SVD"] == 0.873


@pytest.mark.parametrize(
    "spec",
    [
        SplitSpec(test_fraction=0.15),
        SplitSpec(test_fraction=0.1, min_user_ratings=1),
        SplitSpec(test_fraction=0.1, warm=True),
        SplitSpec(test_fraction=0.1, validation_fraction=0.1),
        SplitSpec(method="leave-last", last=1),
    ],
    ids=["fraction", "filter", "warm", "validation", "method"],
)
def test_another_protocol_has_none(movielens_1m: Manifest, spec: SplitSpec) -> None:
    assert find_published(movielens_1m, spec) is None


def test_synthetic_data_of_the_same_size_has_none(movielens_1m: Manifest) -> None:
    synthetic = dataclasses.replace(movielens_1m, n_users=6_041)
    assert find_published(synthetic, SplitSpec(test_fraction=0.1)) is None


def test_no_protocol_stands_twice() -> None:
    keys = [(protocol.data, spec) for protocol in PROTOCOLS for spec in protocol.specs]
    assert len(keys) == len(set(keys))
