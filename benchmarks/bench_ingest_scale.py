"""Ingest at growing sizes: whether time a row and peak memory stay flat.

    python benchmarks/bench_ingest_scale.py
    python benchmarks/bench_ingest_scale.py RAW RAW ... --skip no-by-user

Each way of ingesting runs in a process of its own, on files that the system holds in memory; wall
and processor seconds and the peak of resident memory are those of the whole process. Its start (the
interpreter, its libraries, compiled code) is the same at every size, so it weighs most on small
ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench_ingest import BIGREC, CONTENDERS, run_once
from bigrec.synthetic import write_synthetic

DEFAULT_SIZES = (300_000, 1_000_000, 3_000_000)


def main() -> None:
    """Measure every way at every size, and print a table of what each costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("raw", type=Path, nargs="*", help="raw files; some are made if not given")
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder if not given")
    parser.add_argument("--skip", nargs="*", default=[], help="words in names of ways")
    options = parser.parse_args()
    ways = [
        way
        for way in CONTENDERS
        if way.code == BIGREC and not any(word in way.name for word in options.skip)
    ]
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        raws: list[Path] = options.raw
        if not raws:
            raws = [Path(folder) / str(size) for size in DEFAULT_SIZES]
            for raw, size in zip(raws, DEFAULT_SIZES, strict=True):
                write_synthetic(raw, n_ratings=size)
        sizes = {raw: count_ratings(raw) for raw in raws}
        work = Path(folder) / "work"
        work.mkdir()
        tiny = Path(folder) / "tiny"
        write_synthetic(tiny, n_ratings=1000)
        print("| rows | | wall s | CPU s | wall ns a row | CPU ns a row | peak MiB | bytes a row |")
        print("|---|---|---|---|---|---|---|---|")
        for way in ways:
            run_once(way, tiny, work)  # compiles
            for raw, n_rows in sizes.items():
                run = run_once(way, raw, work)
                print(
                    f"| {n_rows:,} | {way.name} | {run.wall_seconds:.1f} | {run.cpu_seconds:.1f} "
                    f"| {run.wall_seconds / n_rows * 1e9:.0f} "
                    f"| {run.cpu_seconds / n_rows * 1e9:.0f} "
                    f"| {run.peak_bytes / 2**20:,.0f} | {run.out_bytes / n_rows:.2f} |",
                    flush=True,
                )


def count_ratings(raw: Path) -> int:
    """Lines with a comma in the files of ratings."""
    n_rows = 0
    for path in raw.glob("combined_data_*.txt"):
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                n_rows += block.count(b",")
    return n_rows // 2  # user,stars,day


if __name__ == "__main__":
    main()
