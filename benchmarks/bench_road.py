"""The whole road at full scale: synth, ingest, check, a notebook-large split, one epoch.

Each step is a process of its own; its wall time and peak resident memory are the system's. Run it
with `python benchmarks/bench_road.py [--ratings N] [--folder DIR]`; it prints the table that
benchmarks/README.md shows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FULL = 100_480_507


def measure(name: str, argv: list[str]) -> dict[str, object]:
    """Run one bigrec command; return its wall seconds, CPU seconds and peak memory in MiB."""
    command = [sys.executable, "-m", "bigrec", *argv]
    started = time.perf_counter()
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {child.returncode}")
    return {
        "step": name,
        "wall_seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


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
    try:
        rows = [measure(name, argv) for name, argv in steps]
    finally:
        if arguments.folder is None:
            shutil.rmtree(scratch)
    print(f"\n{arguments.ratings:,} ratings, {os.cpu_count()} cores, Python "
          f"{platform.python_version()}, {time.strftime('%Y-%m-%d')}\n")  # fmt: skip
    print("| step | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['step']} | {row['wall_seconds']} | {row['cpu_seconds']} | {row['peak_mib']} |"
        )
    print(json.dumps(rows))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(the measuring process itself: {own:.0f} MiB)")


if __name__ == "__main__":
    main()
