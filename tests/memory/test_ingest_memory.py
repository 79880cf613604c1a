"""Peak memory of ingest does not grow with the data: a child process over 1x and 8x inputs."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bigrec.ingest.builder import MIN_MEMORY_BYTES
from bigrec.synthetic import write_synthetic

N_SMALL = 2_400_000  # enough to have every thread and buffer at work
ALLOWED_GROWTH_BYTES = 64 << 20
BUDGET_BYTES = MIN_MEMORY_BYTES

INGEST = """
    from bigrec.ingest.ingest import IngestOptions, ingest_ratings
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


def peak_bytes(body: str, *arguments: object) -> tuple[int, int]:
    """Run Python code in a fresh process: its peak resident memory, and what it reported."""
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        + textwrap.dedent(body)
        + textwrap.dedent(
            """
            status = Path("/proc/self/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
            print(json.dumps([peak * 1024, reported]))
            """
        )
    )
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, reported = json.loads(done.stdout)
    return peak, reported


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same kind of data, once and eight times as large."""
    folder = tmp_path_factory.mktemp("memory")
    write_synthetic(folder / "small", n_ratings=N_SMALL)
    write_synthetic(folder / "large", n_ratings=8 * N_SMALL)
    return folder / "small", folder / "large"


def test_the_probe_sees_a_hog() -> None:
    idle, _ = peak_bytes(HOG, 4096)
    hog, _ = peak_bytes(HOG, 256 << 20)
    assert 250 << 20 < hog - idle < 300 << 20


@pytest.mark.parametrize("by_user", [True, False], ids=["both orders", "one order"])
def test_ingest_needs_no_more_memory_for_eight_times_the_rows(
    by_user: bool, raws: tuple[Path, Path], tmp_path: Path
) -> None:
    # The first run compiles whatever is not cached yet, which takes memory of its own.
    peak_bytes(INGEST, raws[0], tmp_path / "warm", by_user, BUDGET_BYTES)
    small, reported = peak_bytes(INGEST, raws[0], tmp_path / "small", by_user, BUDGET_BYTES)
    large, _ = peak_bytes(INGEST, raws[1], tmp_path / "large", by_user, BUDGET_BYTES)
    assert abs(small - reported) < 8 << 20
    assert large - small < ALLOWED_GROWTH_BYTES
    assert large < BUDGET_BYTES
