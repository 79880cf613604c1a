"""Shards with other ratings hold the same pairs in the same order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tests.support.packed_pairs import SHARDS, pack
from tests.support.packed_pairs import unpack as expected_indices
from tests.support.rows import make_rows

from bigrec.datasets.pairs import unpack
from bigrec.datasets.recoding import recode_shards
from bigrec.rows import Rows


def test_every_pair_keeps_its_place_and_gets_its_new_rating(tmp_path: Path) -> None:
    rows, _ = make_rows(4, n_users=60, n_items=50, density=0.4)
    random = np.random.default_rng(0)
    ratings = (rows.rating + random.normal(0, 0.4, rows.n_ratings)).astype(np.float32)
    user = np.repeat(np.arange(rows.n_rows), rows.lengths())
    order = random.permutation(rows.n_ratings)
    pairs = pack(user, rows.column, rows.rating)[order]
    halves = np.array_split(pairs, 2)
    shards = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for shard, half in zip(shards, halves, strict=True):
        np.save(shard, half)
    recoded = recode_shards(
        SHARDS._replace(paths=shards),
        Rows(rows.indptr, rows.column, ratings),
        tmp_path / "new",
    )
    assert [path.name for path in recoded.paths] == ["a.npy", "b.npy"]
    found = np.concatenate([np.load(path) for path in recoded.paths])
    users, items, stars = (part.numpy() for part in unpack(tf.constant(found), *recoded[1:]))
    expected_users, expected_items, _ = expected_indices(pairs)
    np.testing.assert_array_equal(users, expected_users)
    np.testing.assert_array_equal(items, expected_items)
    step = (ratings.max() - ratings.min()) / 255
    assert recoded.scale.step == pytest.approx(step)
    np.testing.assert_allclose(stars, ratings[order], atol=step * 0.5001)


def test_equal_ratings_need_no_steps(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pack(np.array([0, 1]), np.array([0, 0]), np.array([4.0, 4.0])))
    rows = Rows(np.array([0, 1, 2]), np.zeros(2, np.int32), np.full(2, 3.5, np.float32))
    recoded = recode_shards(SHARDS._replace(paths=[tmp_path / "a.npy"]), rows, tmp_path / "new")
    _, _, stars = unpack(tf.constant(np.load(recoded.paths[0])), *recoded[1:])
    assert stars.numpy().tolist() == [3.5, 3.5]
