"""Nearest neighbors: bigrec beside the notebook's cells, scikit-learn and a bare matrix product.

Three comparisons, each on a materialized split of a store, each subset a process of its own:

- `--small SPLIT`: `bigrec train cosine-knn --preset notebook` beside the notebook's cells (pivot,
  fill, scikit-learn's cosine_similarity, prediction), whole processes. The cells' prediction loop
  runs for the first 100 test users and is extrapolated by users; the predictions it made are
  compared with bigrec's.
- `--large SPLIT`: the same training beside the time that NumPy's float32 matrix product needs for
  users x users x items multiply-adds, extrapolated from a piece.
- `--items SPLIT`: `bigrec train cosine-knn --preset tuned` (items near items).

Run `python benchmarks/bench_knn.py STORE [--small SPLIT] [--large SPLIT] [--items SPLIT]`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from processes import Cost, print_costs, run_process

CELLS = """
import csv, json, sys, time
import numpy as np, pandas as pd
from sklearn.metrics.pairwise import cosine_similarity

def frame(subset):
    ends = np.load(f"{shards}/{subset}/indptr.npy")
    return pd.DataFrame({
        "user_id": np.repeat(np.load(f"{shards}/users.npy"), np.diff(ends)),
        "item_id": np.load(f"{shards}/items.npy")[np.load(f"{shards}/{subset}/item_index.npy")],
        "rating": np.load(f"{shards}/{subset}/rating.npy").astype(float),
    })

shards, out, n_timed = sys.argv[1], sys.argv[2], int(sys.argv[3])
train, test = frame("train"), frame("test")
n_recommendation, seconds, started = 100, {}, time.perf_counter()

def lap(name):
    global started
    now = time.perf_counter()
    seconds[name], started = now - started, now

train_sparse = train.pivot_table(index="user_id", columns="item_id", values="rating")
lap("pivot")
train_imputed = train_sparse.T.fillna(train_sparse.mean(axis=1)).T
similarity = cosine_similarity(train_imputed.values)
similarity -= np.eye(similarity.shape[0])
lap("similarity")
user_id_mapping = {id: i for i, id in enumerate(train_imputed.index)}
users = test["user_id"].unique()
prediction = []
for user_id in users[:n_timed]:
    similar_user_index = np.argsort(similarity[user_id_mapping[user_id]])[::-1]
    similar_user_score = np.sort(similarity[user_id_mapping[user_id]])[::-1]
    for item_id in test[test["user_id"] == user_id]["item_id"].values:
        score = (train_imputed.iloc[similar_user_index[:n_recommendation]][item_id]
                 * similar_user_score[:n_recommendation]).values.sum()
        prediction.append([user_id, item_id, score / similar_user_score[:n_recommendation].sum()])
lap("prediction of some")
seconds["prediction"] = seconds["prediction of some"] * len(users) / len(users[:n_timed])
with open(f"{out}/cells.csv", "w") as file:
    csv.writer(file).writerows([["user_id", "item_id", "score"], *prediction])
with open(f"{out}/cells.json", "w") as file:
    json.dump(seconds, file)
"""

PRODUCT = """
import json, sys, time
import numpy as np
n_users, n_items, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
rows = min(n_users, 4096)
rng = np.random.default_rng(0)
one, other = (rng.random((rows, n_items), np.float32) for _ in range(2))
product = np.empty((rows, rows), np.float32)
times = []
for _ in range(6):
    started = time.perf_counter()
    np.matmul(one, other.T, out=product)
    times.append(time.perf_counter() - started)
with open(f"{out}/product.json", "w") as file:
    json.dump(min(times[1:]) * (n_users / rows) ** 2, file)
"""


class Bench:
    """One store and a scratch folder."""

    def __init__(self, store: Path, out: Path) -> None:
        self.store, self.out = store, out

    def shards(self, split: str) -> Path:
        """The folder of a materialized split's arrays."""
        return next(
            path.parent
            for path in sorted((self.store / "splits" / split).rglob("manifest.json"))
            if (path.parent / "users.npy").exists()
        )

    def train(self, split: str, preset: str, *settings: str) -> Cost:
        """Train the neighbors, as a user does."""
        return run_process([*self._bigrec("train", "cosine-knn"), "--split", split, "--run", "knn",
                            "--preset", preset, "--overwrite", *settings])  # fmt: skip

    def largest_difference(self) -> float:
        """Between the scores of the cells and bigrec's, clipped alike."""
        scores = self.out / "scores.csv"
        pairs = ["--pairs", str(self.out / "cells.csv"), "--output", str(scores)]
        run_process([*self._bigrec("predict", "knn"), *pairs])
        found = []
        for path in (self.out / "cells.csv", scores):
            with path.open() as file:
                found.append([float(row["score"]) for row in csv.DictReader(file)])
        return float(max(abs(min(max(a, 1), 5) - b) for a, b in zip(*found, strict=True)))

    def _bigrec(self, *words: str) -> list[str]:
        folders = ["--store", str(self.store), "--runs", str(self.out / "runs")]
        return [sys.executable, "-m", "bigrec", *words, *folders]


def compare_small(bench: Bench, split: str) -> None:
    """The notebook's engine on its small split."""
    print(f"\n## {split}: the notebook's cells\n")
    shards = str(bench.shards(split))
    cells = run_process([sys.executable, "-c", CELLS, shards, str(bench.out), "100"])
    seconds = json.loads((bench.out / "cells.json").read_text())
    whole = cells.wall_seconds - seconds["prediction of some"] + seconds["prediction"]
    cost = bench.train(split, "notebook")
    extrapolated = Cost(whole, cells.cpu_seconds, cells.peak_bytes)
    print_costs("", [("notebook's cells (wall extrapolated)", extrapolated), ("bigrec", cost)])
    parts = ", ".join(f"{name} {seconds[name]:.1f} s" for name in ("pivot", "similarity"))
    print(f"\ncells: {parts}, prediction {seconds['prediction']:.1f} s")
    print(f"ratio of wall time {whole / cost.wall_seconds:.1f}")
    print(f"largest difference of scores {bench.largest_difference():.1e}")


def compare_large(bench: Bench, split: str, settings: list[str]) -> None:
    """The same engine where the matrix no longer fits."""
    print(f"\n## {split}: a bare product\n")
    manifest = json.loads((bench.shards(split) / "manifest.json").read_text())
    sizes = [str(manifest["n_users"]), str(manifest["n_items"]), str(bench.out)]
    run_process([sys.executable, "-c", PRODUCT, *sizes])
    product = float(json.loads((bench.out / "product.json").read_text()))
    cost = bench.train(split, "notebook", *settings)
    print_costs("", [("bigrec", cost)])
    print(f"\nNumPy's float32 product of users x users x items: {product:.0f} s (extrapolated)")
    print(f"bigrec in units of it: {cost.wall_seconds / product:.2f}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--small", metavar="SPLIT")
    parser.add_argument("--large", metavar="SPLIT")
    parser.add_argument("--items", metavar="SPLIT")
    parser.add_argument("--memory", default="2GiB", help="for --large and --items")
    arguments = parser.parse_args()
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "numba", "scikit-learn", "tensorflow")
    )
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}")
    with tempfile.TemporaryDirectory(dir=arguments.store.resolve().parent) as out:
        bench = Bench(arguments.store.resolve(), Path(out))
        if arguments.small:
            compare_small(bench, arguments.small)
        if arguments.large:
            compare_large(bench, arguments.large, ["--memory", arguments.memory])
        if arguments.items:
            cost = bench.train(arguments.items, "tuned", "--memory", arguments.memory)
            print(f"\n## {arguments.items}: items near items\n")
            print_costs("", [("bigrec", cost)])


if __name__ == "__main__":
    main()
