"""Materialized shards hold the split's rows, dense, grouped by user, and truly shuffled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from tests.support.packed_pairs import unpack
from tests.support.sealing import flip_byte, rewrite_json, seal_again

from bigrec import interactions
from bigrec.errors import SettingsError, SplitError
from bigrec.splits import materialize, splits
from bigrec.splits.materialize import materialize_split
from bigrec.splits.shards import FORMAT_VERSION
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import Split, create_split, open_split
from bigrec.store.catalog import Catalog, open_catalog
from bigrec.store.seal import SEAL, Kind, read_seal


@pytest.fixture
def split(store_small: Path, tmp_path: Path) -> Split:
    shutil.copytree(store_small, tmp_path / "store")
    spec = SplitSpec(min_item_ratings=20, min_user_ratings=5, seed=3)
    return create_split(open_catalog(tmp_path / "store"), "s", spec)


def load_pairs(split: Split) -> np.ndarray:
    paths = sorted((split.shards / "shuffled").glob("*.npy"))
    return np.concatenate([np.load(path) for path in paths])


def test_both_forms_hold_the_rows_of_the_lazy_frames(split: Split) -> None:
    materialize_split(split)
    users, items = np.load(split.shards / "users.npy"), np.load(split.shards / "items.npy")
    for subset, frame in (("train", split.train), ("test", split.test)):
        folder = split.shards / subset
        indptr = np.load(folder / "indptr.npy")
        user_id = np.repeat(users, np.diff(indptr))
        item_id = items[np.load(folder / "item_index.npy")]
        rating = np.load(folder / "rating.npy")
        expected = frame.sort("user_id", "item_id").collect()
        np.testing.assert_array_equal(user_id, expected["user_id"])
        np.testing.assert_array_equal(item_id, expected["item_id"])
        np.testing.assert_array_equal(rating, expected["rating"])
    pairs = load_pairs(split)
    expected = split.train.sort("user_id", "item_id").collect()
    user_index, item_index, rating = unpack(np.sort(pairs), split.catalog.manifest.scale)
    np.testing.assert_array_equal(users[user_index], expected["user_id"])
    np.testing.assert_array_equal(items[item_index], expected["item_id"])
    np.testing.assert_array_equal(rating, expected["rating"])


def test_the_mean_is_of_the_train_subset(split: Split) -> None:
    materialize_split(split)
    fields = json.loads((split.shards / "manifest.json").read_text())
    assert fields["mean_rating"] == pytest.approx(split.train.collect()["rating"].mean())


def test_the_shuffle_is_uniform(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materialize, "_SHARD_ROWS", 1500)
    materialize_split(split)
    pairs = load_pairs(split)
    assert len(list((split.shards / "shuffled").iterdir())) > 5
    # Where each row of the sorted order ended up: ten origins by ten destinations.
    rank = np.empty(len(pairs), np.int64)
    rank[np.argsort(pairs)] = np.arange(len(pairs))
    n = len(pairs)
    table = np.zeros((10, 10))
    np.add.at(table, (rank * 10 // n, np.arange(n) * 10 // n), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-4
    # Neighbors in the sorted order are not neighbors afterwards.
    assert np.mean(np.abs(np.diff(rank)) == 1) < 10 / n


def test_digests_name_every_file(split: Split) -> None:
    materialize_split(split)
    sealed = read_seal(split.shards, Kind.SHARDS).files
    files = {p for p in split.shards.rglob("*") if p.is_file() and p.name != SEAL}
    assert {split.shards / name for name in sealed} == files
    for name, file in sealed.items():
        content = (split.shards / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.n_bytes)


def test_row_groups_do_not_matter(split: Split) -> None:
    shards = materialize_split(split)
    files = read_seal(shards, Kind.SHARDS).files
    shutil.rmtree(shards)
    for n, part in enumerate(sorted(split.catalog.layout.ratings_by_user.iterdir())):
        rows = pq.read_table(part)
        with pq.ParquetWriter(part, rows.schema) as writer:
            for start, size in ((0, 300), (300, 1), (301, 700 + n), (1001 + n, len(rows))):
                writer.write_table(rows[start : start + size], row_group_size=900)
    seal_again(split.catalog.layout.root)
    materialize_split(split)
    assert read_seal(shards, Kind.SHARDS).files == files


def test_damaged_and_missing_files_are_named(split: Split) -> None:
    materialize_split(split)
    assert read_seal(split.shards, Kind.SHARDS).damage() == []
    shard = next((split.shards / "shuffled").iterdir())
    flip_byte(shard, -1)
    (split.shards / "users.npy").unlink()
    assert dict(read_seal(split.shards, Kind.SHARDS).damage()) == {
        f"shuffled/{shard.name}": "its digest is not that of what was written",
        "users.npy": "it is missing",
    }


def test_a_second_time_changes_nothing(split: Split) -> None:
    materialize_split(split)
    before = {p: p.stat().st_mtime_ns for p in split.shards.rglob("*")}
    materialize_split(split)
    assert {p: p.stat().st_mtime_ns for p in split.shards.rglob("*")} == before


def test_the_same_name_with_another_spec_is_refused(split: Split) -> None:
    assert create_split(split.catalog, "s", split.spec).digest == split.digest
    with pytest.raises(SplitError, match="exists"):
        create_split(split.catalog, "s", SplitSpec(seed=4))


def test_more_items_than_fit_a_pair_are_refused(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_users, n_items = split.summary.n_users, split.summary.n_items
    needed = (n_users - 1).bit_length() + (n_items - 1).bit_length() + 8
    monkeypatch.setattr(interactions, "_PAIR_BITS", needed)
    create_split(split.catalog, "fits", dataclasses.replace(split.spec, seed=1))
    monkeypatch.setattr(interactions, "_PAIR_BITS", needed - 1)
    with pytest.raises(SplitError, match="items and 5 values of the scale take"):
        create_split(split.catalog, "too-many", dataclasses.replace(split.spec, seed=2))


def test_shards_of_another_format_are_written_again(split: Split) -> None:
    materialize_split(split)
    manifest = split.shards / "manifest.json"
    before = load_pairs(split)
    (split.shards / "shuffled" / "00000.npy").unlink()
    fields = rewrite_json(manifest, format_version=FORMAT_VERSION - 1)
    materialize_split(split)
    assert json.loads(manifest.read_text()) == fields
    np.testing.assert_array_equal(load_pairs(split), before)


def test_bad_names_and_values_are_refused(split: Split) -> None:
    with pytest.raises(SettingsError, match="cannot name a split"):
        create_split(split.catalog, "../x", split.spec)
    for bad in ({"test_fraction": 1.0}, {"seed": -1}, {"method": "magic"}):
        with pytest.raises(SettingsError):
            SplitSpec(**bad)
    with pytest.raises(SplitError, match="no split 'sx'") as error:
        open_split(split.catalog, "sx")
    assert "'s'" in error.value.hint


def test_a_split_of_other_ratings_is_refused(split: Split) -> None:
    manifest = split.catalog.layout.manifest
    rewrite_json(manifest, rows_digest="0" * 16)
    with pytest.raises(SplitError, match="other ratings"):
        open_split(open_catalog(split.catalog.layout.root), "s")


def test_a_split_that_appears_meanwhile_is_not_made_again(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process creates and materializes it between the first look and the lock."""
    spec = dataclasses.replace(split.spec, seed=11)
    find_existing = splits._find_existing
    looks: list[str] = []

    def look(catalog: Catalog, name: str, wanted: SplitSpec) -> Split | None:
        found = find_existing(catalog, name, wanted)
        if not looks:
            looks.append(name)
            materialize_split(create_split(catalog, name, wanted))
        return found

    monkeypatch.setattr(splits, "_find_existing", look)
    again = create_split(split.catalog, "late", spec)
    assert (again.shards / "manifest.json").exists()
    assert again.digest == open_split(split.catalog, "late").digest
