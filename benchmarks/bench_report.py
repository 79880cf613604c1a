"""`bigrec report` on stores of several sizes: time, memory, and the size of the page.

Each run is a process of its own on a store without runs; wall, CPU and peak memory are the
system's. Run `python benchmarks/bench_report.py STORE...`. It fails if a page is too large.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Final

from processes import Cost, print_costs, run_process

MOST_BYTES: Final = 3_000_000
"""A page is smaller than this whatever the store's size."""


def main() -> None:
    """Report on each store in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", type=Path, nargs="+", metavar="STORE")
    stores: list[Path] = parser.parse_args().stores
    costs: list[tuple[str, Cost]] = []
    with tempfile.TemporaryDirectory() as folder:
        page, runs = Path(folder) / "page.html", Path(folder) / "runs"
        for store in stores:
            n_ratings = json.loads((store / "manifest.json").read_text())["n_ratings"]
            argv = ["report", "--output", str(page), "--store", str(store), "--runs", str(runs)]
            cost = run_process([sys.executable, "-m", "bigrec", *argv])
            n_bytes = page.stat().st_size
            costs.append((f"{n_ratings:,} ratings, a page of {n_bytes:,} bytes", cost))
            if n_bytes >= MOST_BYTES:
                raise SystemExit(f"the page has {n_bytes:,} bytes, {MOST_BYTES:,} or more")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}\n")
    print_costs("store", costs)


if __name__ == "__main__":
    main()
