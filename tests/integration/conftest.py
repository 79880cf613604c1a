"""One run of every model, trained once for all tests of the commands that use runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.commands import places
from tests.support.model_names import RATING_MODELS

from bigrec.cli.app import main


@pytest.fixture(scope="session")
def home(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has one split, `s`, and one run of every model, named after it.

    To be left as it is found.
    """
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(store_small, folder / "store")
    at = places(folder)
    create = ["split", "create", "s", "--min-item-ratings", "20", "--min-user-ratings", "5"]
    assert main([*create, *at[:2]]) == 0
    for model in RATING_MODELS:
        epochs = [] if model == "cosine-knn" else ["--epochs", "2"]
        assert main(["train", model, "--split", "s", "--run", model, *epochs, *at]) == 0
    return folder
