"""Test RMSE of the tuned presets over the folds of one data set, beside published figures.

Every fold of bigrec's own `folds` split is the test subset once; presets are trained through the
public API exactly as a user would. Errors are of scores clipped to the scale. Presets were tuned on
validation data carved from train subsets; nothing here chooses anything by a test error.
With --validation-fraction the blend of the models is measured too; its components then have so much
less to learn from.

Run `python benchmarks/bench_accuracy.py --data FOLDER [--models NAME,NAME] [--seeds N]
[--set KEY=VALUE]`. FOLDER
holds anything that `bigrec ingest` reads, or MovieLens-100K as recbole ships it (ml-100k.inter in
the wheel of recbole 1.2.1, 100,000 ratings, equal to u.data).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bigrec
from bigrec import Split
from bigrec.evaluate.baselines import measure_baselines
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.registry import MODELS
from bigrec.runs import open_run
from bigrec.train.blend import blend_runs

SURPRISE: Final = {"SVD": 0.934, "SVD++": 0.919, "kNN baseline": 0.931, "kNN basic": 0.98}
"""RMSE over 5 random folds of MovieLens-100K, from the README of the Surprise library."""
_MOVIELENS_100K: Final = (100_000, 943)


def main() -> None:
    """Train every preset on every fold and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated names")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="how many of the folds to train on; all if left")
    parser.add_argument("--seeds", type=int, default=1, help="trainings a fold, seeds 0 to N-1")
    parser.add_argument(
        "--validation-fraction", type=float, default=0.0,
        help="share of the train rows to keep out of training: for early stopping, and for a blend "
        "of the models, which is then measured too",
    )  # fmt: skip
    parser.add_argument("--preset", default="tuned")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="a hyper-parameter of all the models, such as day_biases=true",
    )  # fmt: skip
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = ingest(arguments.data, Path(scratch))
        splits = [
            store.split(
                f"fold-{fold}", method="folds", folds=arguments.folds, fold=fold,
                validation_fraction=arguments.validation_fraction,
            )
            for fold in range(1, (arguments.only or arguments.folds) + 1)
        ]  # fmt: skip
        describe(store, splits, arguments.seeds)
        report("bias model", [bias_rmse(split) for split in splits], 0.0)
        changes: dict[str, object] = dict(change.split("=", 1) for change in arguments.changes)
        models, runs = arguments.models.split(","), Path(scratch) / "runs"
        for model in models:
            started = time.perf_counter()
            errors = [
                bigrec.train(
                    split, model, preset=arguments.preset, runs=runs,
                    run=f"{model}-{split.name}-{seed}", seed=seed, options=changes,
                ).test["rmse"]
                for split in splits
                for seed in range(arguments.seeds)
            ]  # fmt: skip
            report(model, errors, (time.perf_counter() - started) / len(errors))
        if arguments.validation_fraction:
            started = time.perf_counter()
            errors = [
                blend_runs(
                    [open_run(runs, f"{model}-{split.name}-{seed}") for model in models],
                    split.training_data, runs=runs, run=f"blend-{split.name}-{seed}",
                ).test["rmse"]
                for split in splits
                for seed in range(arguments.seeds)
            ]  # fmt: skip
            report("blend of these", errors, (time.perf_counter() - started) / len(errors))
        if (store.manifest.n_ratings, store.manifest.n_users) == _MOVIELENS_100K:
            for name, rmse in SURPRISE.items():
                print(f"| Surprise: {name} (published) | {rmse:.3f} | | |", flush=True)


def ingest(data: Path, scratch: Path) -> bigrec.Store:
    """Make a store of the data; recbole's form is written out as u.data first."""
    inter = data / "ml-100k.inter"
    if inter.exists():
        data = scratch / "raw"
        data.mkdir()
        rows = [line.split("\t") for line in inter.read_text().splitlines()[1:]]
        (data / "u.data").write_text(
            "".join(f"{u}\t{m}\t{float(r):.0f}\t{float(t):.0f}\n" for u, m, r, t in rows)
        )
        items = sorted({int(row[1]) for row in rows})
        (data / "u.item").write_text("".join(f"{m}|item {m}|||\n" for m in items))
    return bigrec.ingest(data, scratch / "store")


def bias_rmse(split: Split) -> float:
    """Test RMSE of the bias model, the floor that every model has to pass."""
    data = split.training_data
    baselines = measure_baselines(data.test, data.spec, fit_biases(data.train, data.spec))
    return next(baseline.test["rmse"] for baseline in baselines if baseline.name == "bias")


def describe(store: bigrec.Store, splits: list[Split], n_seeds: int) -> None:
    """Print what the table below is of."""
    manifest = store.manifest
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    print(
        f"{manifest.n_ratings:,} ratings, {manifest.n_users:,} users, {manifest.n_items:,} "
        f"items; {len(splits)} folds, {n_seeds} seed(s) each; {splits[0].protocol} and so on; "
        f"{os.cpu_count()} cores, {dt.date.today()}, Python {platform.python_version()}, "
        f"{packages}.\n\n"
        "| model | mean test RMSE | standard deviation | s a training |\n|---|---|---|---|",
        flush=True,
    )


def report(name: str, errors: list[float], seconds: float) -> None:
    """Print one row."""
    spread = statistics.stdev(errors) if len(errors) > 1 else 0.0
    print(f"| {name} | {statistics.mean(errors):.4f} | {spread:.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
