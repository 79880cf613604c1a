"""Small deterministic data that tests of all stages share."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigrec.ingest.ingest import ingest_ratings
from bigrec.resources import Budget
from bigrec.synthetic import write_synthetic

N_SMALL = 20_000


@pytest.fixture(scope="session")
def raw_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of 20,000 synthetic ratings. Not to be changed: copy them first."""
    folder = tmp_path_factory.mktemp("small") / "raw"
    write_synthetic(folder, n_ratings=N_SMALL, seed=7, budget=Budget(threads=2))
    return folder


@pytest.fixture(scope="session")
def store_small(raw_small: Path) -> Path:
    """A store of `raw_small`. Not to be changed: copy it first."""
    store = raw_small.parent / "store"
    ingest_ratings(raw_small, store, budget=Budget(threads=2))
    return store


MARKS = {
    "memory": "memory",
    "faults": "slow",
    "integration": "slow",
    "unit/datasets": "slow",
    "unit/models": "slow",
    "unit/report": "slow",
    "unit/train": "slow",
}
"""The mark of all tests below a folder; see `make quick`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folders, and skip what needs a GPU where TensorFlow sees none."""
    here = Path(__file__).parent
    for item in items:
        below = item.path.relative_to(here).as_posix()
        for folder, mark in MARKS.items():
            if below.startswith(f"{folder}/"):
                item.add_marker(mark)
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="TensorFlow sees no GPU"))
