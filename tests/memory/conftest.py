"""Data that the memory tests share: the same kind, once and eight times as large."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigrec.synthetic import write_synthetic

N_SMALL = 2_400_000  # enough to have every thread and buffer at work


@pytest.fixture(scope="session")
def raws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Raw files. Not to be changed."""
    folder = tmp_path_factory.mktemp("memory")
    write_synthetic(folder / "small", n_ratings=N_SMALL)
    write_synthetic(folder / "large", n_ratings=8 * N_SMALL)
    return folder / "small", folder / "large"
