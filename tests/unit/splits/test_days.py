"""The days of a materialized split lie in the order of its rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.sealing import rewrite_json

from bigrec.datasets.training_data import open_training_data
from bigrec.errors import StoreError
from bigrec.schema import EPOCH_DAY
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split, create_split
from bigrec.store.catalog import open_catalog
from bigrec.store.seal import Kind, read_seal


@pytest.fixture(params=["random", "temporal"])
def split(request: pytest.FixtureRequest, store_small: Path, tmp_path: Path) -> Split:
    shutil.copytree(store_small, tmp_path / "store")
    spec = SplitSpec(
        method=request.param, min_item_ratings=20, min_user_ratings=5, validation_fraction=0.1
    )
    return create_split(open_catalog(tmp_path / "store"), "s", spec)


def test_days_are_those_of_the_lazy_frames(split: Split) -> None:
    data = open_training_data(materialize_split(split, with_days=True))
    assert data.validation is not None
    for subset, frame in (
        (data.train, split.train), (data.validation, split.validation), (data.test, split.test)
    ):  # fmt: skip
        expected = frame.sort("user_id", "item_id").select(pl.col("date").cast(pl.Int32)).collect()
        assert subset.day is not None
        np.testing.assert_array_equal(subset.day, expected["date"] + EPOCH_DAY)
        some = np.array([5, 2])
        taken = subset.take(some)
        bounds = [slice(*subset.indptr[[user, user + 1]]) for user in some]
        assert taken.day is not None
        np.testing.assert_array_equal(
            taken.day, np.concatenate([subset.day[bound] for bound in bounds])
        )


def test_days_are_written_once_and_only_when_asked_for(split: Split) -> None:
    data = open_training_data(materialize_split(split))
    assert data.train.day is None
    with pytest.raises(StoreError, match="days of split 's'"):
        data.check_days()
    materialize_split(split, with_days=True)
    before = {path: path.stat().st_mtime_ns for path in split.folder.rglob("*")}
    materialize_split(split, with_days=True)
    assert {path: path.stat().st_mtime_ns for path in split.folder.rglob("*")} == before


def test_days_of_another_state_of_the_split_are_not_read(split: Split) -> None:
    shards = materialize_split(split, with_days=True)
    rewrite_json(split.days / "manifest.json", split_digest="other")
    assert not open_training_data(shards).has_days
    materialize_split(split, with_days=True)
    assert open_training_data(shards).has_days


def test_damaged_days_are_named(split: Split) -> None:
    materialize_split(split, with_days=True)
    assert read_seal(split.days, Kind.DAYS).damage() == []
    (split.days / "test.npy").write_bytes(b"short")
    (split.days / "train.npy").unlink()
    wrong = dict(read_seal(split.days, Kind.DAYS).damage())
    assert wrong["test.npy"].startswith("it has 5 bytes")
    assert wrong["train.npy"] == "it is missing"
