"""Data that the memory tests share: the same kind, once and eight times as large."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigrec.ingest.ingest import ingest_ratings
from bigrec.synthetic import write_synthetic

N_SMALL = 2_400_000  # enough to have every thread and buffer at work


@pytest.fixture(scope="session")
def raws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Raw files. Not to be changed."""
    folder = tmp_path_factory.mktemp("memory")
    write_synthetic(folder / "small", n_ratings=N_SMALL)
    write_synthetic(folder / "large", n_ratings=8 * N_SMALL)
    return folder / "small", folder / "large"


@pytest.fixture(scope="session")
def stores(raws: tuple[Path, Path]) -> tuple[Path, Path]:
    """Stores of the raw files. They may get splits."""
    small, large = (raw.with_name(f"store-of-{raw.name}") for raw in raws)
    for raw, store in zip(raws, (small, large), strict=True):
        ingest_ratings(raw, store)
    return small, large
