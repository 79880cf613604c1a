"""Peak memory of ingest does not grow with the data: a child process over 1x and 8x inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.support.peak_memory import peak_bytes

from bigrec.ingest.builder import MIN_MEMORY_BYTES

ALLOWED_GROWTH_BYTES = 64 << 20
BUDGET_BYTES = MIN_MEMORY_BYTES

INGEST = """
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.ingest.options import IngestOptions
    from bigrec.resources import Budget
    summary = ingest_ratings(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        options=IngestOptions(by_user=sys.argv[3] == "True"),
        budget=Budget(memory_bytes=int(sys.argv[4]), threads=2),
    )
    reported = summary.peak_rss_bytes
"""
HOG = """
    block = bytearray(int(sys.argv[1]))
    block[::4096] = b"x" * len(block[::4096])
    reported = 0
"""


def test_the_probe_sees_a_hog() -> None:
    idle, _ = peak_bytes(HOG, 4096)
    hog, _ = peak_bytes(HOG, 256 << 20)
    assert 250 << 20 < hog - idle < 300 << 20


@pytest.mark.parametrize(
    ("by_user", "is_zipped"),
    [(True, False), (False, False), (True, True)],
    ids=["both orders", "one order", "both orders from a zip"],
)
def test_ingest_needs_no_more_memory_for_eight_times_the_rows(
    by_user: bool, is_zipped: bool, raws: tuple[Path, Path], tmp_path: Path
) -> None:
    if is_zipped:  # a unit of a stream carries its text, also while it waits
        small_zip, large_zip = (shutil.make_archive(str(tmp_path / r.name), "zip", r) for r in raws)
        raws = Path(small_zip), Path(large_zip)
    # The first run compiles whatever is not cached yet, which takes memory of its own.
    peak_bytes(INGEST, raws[0], tmp_path / "warm", by_user, BUDGET_BYTES)
    small, reported = peak_bytes(INGEST, raws[0], tmp_path / "small", by_user, BUDGET_BYTES)
    large, _ = peak_bytes(INGEST, raws[1], tmp_path / "large", by_user, BUDGET_BYTES)
    assert abs(small - reported) < 8 << 20
    assert large - small < ALLOWED_GROWTH_BYTES
    assert large < BUDGET_BYTES
