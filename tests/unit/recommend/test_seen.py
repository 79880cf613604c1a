"""What users have seen: from the subsets of a split that hold it all, else from the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bigrec.opened import open_data
from bigrec.recommend import seen
from bigrec.rows import Rows
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.store.catalog import Catalog, open_catalog


@pytest.fixture(scope="module")
def catalog(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    store = tmp_path_factory.mktemp("seen") / "store"
    shutil.copytree(store_small, store)
    return open_catalog(store)


def per_user(rows: Rows) -> list[list[int]]:
    return [
        sorted(rows.column[first:end].tolist())
        for first, end in zip(rows.indptr, rows.indptr[1:], strict=False)
    ]


@pytest.mark.parametrize(
    ("fields", "from_subsets"),
    [
        ({"min_item_ratings": 20, "min_user_ratings": 5, "validation_fraction": 0.1}, True),
        ({"k_core": 8}, True),
        ({"method": "temporal"}, True),
        ({"method": "leave-last", "last": 2}, True),
        ({"item_ids": tuple(range(1, 40))}, True),
        ({"first_date": "2004-01-01"}, False),
        ({"last_date": "2005-01-01", "min_user_ratings": 3}, False),
        ({"min_user_ratings": 5, "warm": True}, False),
    ],
    ids=str,
)
def test_nothing_that_a_user_has_rated_is_left_out(
    fields: dict[str, Any], from_subsets: bool, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "s" + "".join(c for c in str(fields) if c.isalnum())[:60]
    create_split(catalog, name, SplitSpec(**fields))
    data = open_data(catalog, name)
    users = np.flatnonzero(data.train.lengths())[::3]
    expected = per_user(seen._in_the_store(catalog, data, users))
    if from_subsets:
        monkeypatch.delattr(seen, "_in_the_store")
    assert per_user(seen.seen_items(catalog, data, users)) == expected
    assert any(expected)
