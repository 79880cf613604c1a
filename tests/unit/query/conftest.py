"""A store for sessions, beside what none of them may read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigrec.query.session import Session, open_session
from bigrec.resources import Budget


@pytest.fixture(scope="module")
def store(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of its own, beside a file and a store that no query may read."""
    folder = tmp_path_factory.mktemp("safety")
    shutil.copytree(store_small, folder / "store")
    shutil.copytree(store_small, folder / "store-of-others")
    (folder / "secret.csv").write_text("secret\n1\n")
    (folder / "store" / "way-out.csv").symlink_to(folder / "secret.csv")
    return folder / "store"


@pytest.fixture
def session(store: Path) -> Iterator[Session]:
    with open_session(store, budget=Budget(threads=2)) as opened:
        yield opened
