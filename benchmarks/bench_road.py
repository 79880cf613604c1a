"""The whole road at full scale: synth, ingest, check, a notebook-large split, one epoch.

Each step is a process of its own; its wall time and peak resident memory are the system's. Run it
with `python benchmarks/bench_road.py [--ratings N] [--folder DIR]`; it prints the table that
benchmarks/README.md shows.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

from processes import print_costs, run_process

FULL = 100_480_507


def main() -> None:
    """Measure every step and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ratings", type=int, default=FULL)
    parser.add_argument("--folder", type=Path, help="keep the files here")
    arguments = parser.parse_args()
    scratch = arguments.folder or Path(tempfile.mkdtemp(prefix="bigrec-road-"))
    raw, store, runs = (str(scratch / name) for name in ("raw", "store", "runs"))
    at = ["--store", store]
    steps = [
        ("synth", ["synth", raw, "--ratings", str(arguments.ratings)]),
        ("ingest", ["ingest", raw, *at]),
        ("check", ["check", *at]),
        ("split create", ["split", "create", "large", "--preset", "notebook-large", *at]),
        ("materialize", ["split", "create", "large", "--preset", "notebook-large",
                         "--materialize", *at]),
        ("train, 1 epoch", ["train", "matrix-factorization", "--split", "large", "--epochs", "1",
                            *at, "--runs", runs]),
    ]  # fmt: skip
    bigrec = [sys.executable, "-m", "bigrec"]
    try:
        costs = [(name, run_process([*bigrec, *argv], show=True)) for name, argv in steps]
    finally:
        if arguments.folder is None:
            shutil.rmtree(scratch)
    print(f"\n{arguments.ratings:,} ratings, {os.cpu_count()} cores, Python "
          f"{platform.python_version()}, {time.strftime('%Y-%m-%d')}\n")  # fmt: skip
    print_costs("step", costs)


if __name__ == "__main__":
    main()
