"""Training beside the notebook's Keras cells and Surprise's SVD, on the same rows of one split.

Run `python benchmarks/bench_train.py STORE [--large SPLIT] [--small SPLIT] [--race SPLIT]`; each
part runs where its split is named:

--large: ratings a second of the models of pairs. Every subset trains on random rows of the train
subset
  with the complete tables of users and items: the cells on --cell-steps steps, their second epoch
  being counted, bigrec on --rows ratings after the first block, which compiles. What bigrec does
  between two epochs is counted in as its share. Surprise fits SVD on --surprise-rows ratings for
  three epochs; making its train set is not counted.
--small: ratings a second of AutoRec in the second epoch, whole epochs, the cell with its generator.
--race: seconds until matrix factorization has the test RMSE (scores clipped) of the cell after its
  5 epochs. Compiling counts in both subsets, measuring does not.

Each subset is a process of its own. Surprise lives in a virtual environment that this script makes
in --surprise-venv if it is not there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests.support.notebook_cells

Array = np.ndarray[Any, Any]
CELLS: dict[str, tuple[str, dict[str, bool]]] = {
    "matrix-factorization": ("matrix_factorization", {}),
    "dnn": ("deep_network", {}),
    "residual": ("residual", {}),
    "residual-as-meant": ("residual", {"with_slip": False}),
}
MODELS = ("matrix-factorization", "dnn", "residual")
BATCH = 1024


def main() -> None:
    """Measure one subset, or run all subsets and print tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path)
    parser.add_argument("--large", help="split for models of pairs")
    parser.add_argument("--small", help="split for AutoRec")
    parser.add_argument("--race", help="split for the time to an error")
    parser.add_argument("--models", default=",".join(MODELS), help="models of --large")
    parser.add_argument("--cell-steps", type=int, default=300)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--surprise-rows", type=int, default=1_000_000)
    parser.add_argument("--surprise-venv", type=Path, help="without it Surprise is left out")
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="of both subsets")
    parser.add_argument("--subset", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.subset:
        kind, *names = arguments.subset.split(":")
        print(json.dumps(SUBSETS[kind](arguments, *names)))
        return
    describe(arguments)
    if arguments.large:
        print_pairs(arguments)
    if arguments.small:
        print_rows(arguments)
    if arguments.race:
        print_race(arguments)


def print_pairs(arguments: argparse.Namespace) -> None:
    """Ratings a second of the models of pairs."""
    print_header(arguments.large, "model | subset | ratings/s | to the cell")
    for model in arguments.models.split(","):
        cell = measure("cell", model)
        show(model, "notebook's cell", cell, cell)
        if model == "residual":  # a slip leaves one of its hidden layers out
            as_meant = measure("cell", "residual-as-meant")
            show(model, "notebook's cell, as it was meant", as_meant, cell)
        show(model, "bigrec `notebook`", measure("pairs", model, "notebook"), cell)
        show(model, "bigrec `tuned`", measure("pairs", model, "tuned"), cell)
        if model == "matrix-factorization":
            size = "embedding_size=10"
            show(model, f"bigrec `tuned`, {size}",
                 measure("pairs", model, "tuned", size), cell)  # fmt: skip
            for n_factors in ("10", "64") if arguments.surprise_venv else ():
                surprise = measure_surprise(arguments, n_factors)
                show(model, f"Surprise's SVD, {n_factors} factors", surprise, cell)


def print_rows(arguments: argparse.Namespace) -> None:
    """Ratings a second of AutoRec."""
    print_header(arguments.small, "model | subset | ratings/s | to the cell")
    cell = measure("cell-rows")
    show("autorec", "notebook's cell", cell, cell)
    for preset in ("notebook", "tuned"):
        show("autorec", f"bigrec `{preset}`", measure("rows", preset), cell)


def print_race(arguments: argparse.Namespace) -> None:
    """Seconds to the error that the cell reaches."""
    cell = measure("cell-race")
    ours = measure("race", str(cell["rmse"]))
    print_header(arguments.race, "subset | epochs | test RMSE | s | sooner")
    for name, subset in (("notebook's cell", cell), ("bigrec `tuned`", ours)):
        print(f"| {name} | {subset['epochs']} | {subset['rmse']:.4f} | {subset['seconds']:.1f} | "
              f"{cell['seconds'] / subset['seconds']:.0f} times |")  # fmt: skip


def print_header(split: str, columns: str) -> None:
    """Begin a table."""
    rule = "|".join("---" for _ in columns.split("|"))
    print(f"\n`{split}`:\n\n| {columns} |\n|{rule}|", flush=True)


def show(model: str, subset: str, found: dict[str, float], cell: dict[str, float]) -> None:
    """Print one row."""
    rate = found["rate"]
    print(f"| {model} | {subset} | {rate:,.0f} | {rate / cell['rate']:.1f} |", flush=True)


def describe(arguments: argparse.Namespace) -> None:
    """Print what the tables below are of."""
    names = [arguments.large, arguments.small, arguments.race]
    for name in dict.fromkeys(filter(None, names)):
        data = open_data(arguments.store, name)
        print(f"`{name}`: {data.protocol}; {data.train.n_ratings:,} train rows, "
              f"{data.spec.n_users:,} users, {data.spec.n_items:,} items.")  # fmt: skip
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    print(f"{os.cpu_count()} cores, {arguments.device}, {dt.date.today()}, "
          f"Python {platform.python_version()}, {packages}.", flush=True)  # fmt: skip


def measure(*subset: str) -> dict[str, float]:
    """Run one subset in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--subset", ":".join(subset)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def open_data(store: Path, split: str) -> Any:
    """A materialized split."""
    import bigrec

    return bigrec.open(store).split(split).training_data


def draw_pairs(rows: Any, n: int) -> tuple[Array, Array, Array]:
    """Random pairs of a subset, (n,) each, in random order; all of them if it has fewer."""
    rng = np.random.default_rng(0)
    positions = rng.permutation(rows.n_ratings)[:n]
    user = np.searchsorted(rows.indptr, positions, side="right").astype(np.int32) - 1
    return user, np.asarray(rows.column)[positions], np.asarray(rows.rating)[positions]


def time_cell(arguments: argparse.Namespace, model: str) -> dict[str, float]:
    """Steps of a cell of pairs."""
    import tensorflow as tf
    from tests.support import notebook_cells

    data = open_data(arguments.store, arguments.large)
    user, item, rating = draw_pairs(data.train, arguments.cell_steps * BATCH)
    with tf.device(f"/{arguments.device}:0"):
        name, form = CELLS[model]
        cell = getattr(notebook_cells, name)(data.spec.n_users, data.spec.n_items, **form)
        target = rating - data.spec.mean_rating
        fit = partial(cell.fit, x=[user, item], y=target, batch_size=BATCH, verbose=0)
        return {"rate": len(user) / second_epoch_seconds(fit)}


def second_epoch_seconds(fit: Callable[..., Any]) -> float:
    """Fit for two epochs; the seconds of the second, which traces nothing."""
    import keras

    begun: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_, **__: begun.append(time.perf_counter())
    )
    fit(epochs=2, callbacks=[clock])
    return time.perf_counter() - begun[1]


def time_pairs(arguments: argparse.Namespace, model: str, preset: str, *changes: str) -> Any:
    """Steps of one of bigrec's models of pairs, and its share of what is done between epochs."""
    import keras
    import tensorflow as tf

    from bigrec.datasets.pairs import PairFeed
    from bigrec.models.baseline.bias_fit import fit_biases
    from bigrec.models.options import override
    from bigrec.models.registry import find_model
    from bigrec.train.loop import PairLoop
    from bigrec.train.priors import FactorPenalty

    data = open_data(arguments.store, arguments.large)
    definition = find_model(model).steps
    assert definition is not None
    options: Any = override(
        definition.presets[preset], dict(change.split("=") for change in changes)
    )
    keras.utils.set_random_seed(0)
    biases = fit_biases(data.train, data.spec)
    with tf.device(f"/{arguments.device}:0"):
        built = definition.build(data.spec, options, biases)
        penalty = FactorPenalty(data.train, biases, options) if options.row_l2 else None
        loop = PairLoop(built, options, data.shards(), penalty)
        feed = PairFeed(data.shards().paths, batch_size=options.batch_size, seed=0)
        blocks = itertools.chain.from_iterable(map(feed.blocks, itertools.count(1)))
        loop.train_block(next(blocks))
        n_rows, started = 0, time.perf_counter()
        while n_rows < arguments.rows:
            n_rows += loop.train_block(next(blocks))[1]
        seconds = time.perf_counter() - started
        loop.between_epochs()
        loop.end_epoch()
        end_seconds = time.perf_counter() - started - seconds
    return {"rate": feed.n_rows / (feed.n_rows * seconds / n_rows + end_seconds)}


def time_cell_rows(arguments: argparse.Namespace) -> dict[str, float]:
    """The second epoch of the notebook's AutoRec, fed by its generator."""
    import tensorflow as tf
    from scipy.sparse import csr_matrix
    from tests.support import notebook_cells

    data = open_data(arguments.store, arguments.small)
    rows, batch_size = data.train, 512
    csr = csr_matrix(
        (np.asarray(rows.rating, np.float64), np.asarray(rows.column), rows.indptr),
        shape=(data.spec.n_users, data.spec.n_items),
    )  # fmt: skip
    mask, mu = (csr > 0) * 1.0, data.spec.mean_rating
    steps = csr.shape[0] // batch_size + 1

    def generator() -> Any:
        while True:
            for i in range(steps):
                upper = min((i + 1) * batch_size, csr.shape[0])
                a = csr[i * batch_size : upper].toarray()
                m = mask[i * batch_size : upper].toarray()
                a = a - mu * m
                yield a, a

    with tf.device(f"/{arguments.device}:0"):
        cell = notebook_cells.autorec(data.spec.n_items)
        fit = partial(cell.fit, generator(), steps_per_epoch=steps, verbose=0)
        return {"rate": rows.n_ratings / second_epoch_seconds(fit)}


def time_rows(arguments: argparse.Namespace, preset: str) -> dict[str, float]:
    """The second epoch of bigrec's AutoRec."""
    import bigrec

    split = bigrec.open(arguments.store).split(arguments.small)
    with tempfile.TemporaryDirectory() as runs:
        run = bigrec.train(split, "autorec", preset=preset, runs=runs, run="r",
                           options={"epochs": 2}, device=arguments.device)  # fmt: skip
        return {"rate": run.directory.history[-1].rows_per_second}


def race_cell(arguments: argparse.Namespace) -> dict[str, float]:
    """The notebook's matrix factorization for its 5 epochs."""
    import tensorflow as tf
    from tests.support import notebook_cells

    data = open_data(arguments.store, arguments.race)
    user, item, rating = draw_pairs(data.train, data.train.n_ratings)
    with tf.device(f"/{arguments.device}:0"):
        cell = notebook_cells.matrix_factorization(data.spec.n_users, data.spec.n_items)
        started = time.perf_counter()
        cell.fit(
            x=[user, item], y=rating - data.spec.mean_rating, epochs=5, batch_size=BATCH,
            verbose=0,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        user, item, rating = draw_pairs(data.test, data.test.n_ratings)
        scores = cell.predict([user, item], batch_size=1 << 14, verbose=0)[:, 0]
    error = data.spec.clip(scores + data.spec.mean_rating) - rating
    return {"seconds": seconds, "epochs": 5, "rmse": float(np.sqrt(np.mean(error**2)))}


def race(arguments: argparse.Namespace, rmse: str) -> dict[str, float]:
    """Bigrec's matrix factorization until it has this error."""
    import bigrec

    split = bigrec.open(arguments.store).split(arguments.race)
    with tempfile.TemporaryDirectory() as runs:
        run = bigrec.train(split, "matrix-factorization", runs=runs, run="r",
                           options={"epochs": 5}, device=arguments.device)  # fmt: skip
        seconds = 0.0
        for epoch in run.directory.history:
            seconds += epoch.seconds
            if epoch.test["rmse"] <= float(rmse):
                break
        return {"seconds": seconds, "epochs": epoch.epoch, "rmse": epoch.test["rmse"]}


def measure_surprise(arguments: argparse.Namespace, n_factors: str) -> dict[str, float]:
    """Surprise's SVD in its own environment."""
    python = arguments.surprise_venv / "bin" / "python"
    if not python.exists():
        venv.create(arguments.surprise_venv, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "scikit-surprise"], check=True)
    data = open_data(arguments.store, arguments.large)
    with tempfile.TemporaryDirectory() as scratch:
        pairs = Path(scratch) / "pairs.npy"
        np.save(pairs, np.column_stack(draw_pairs(data.train, arguments.surprise_rows)))
        script = (
            "import sys, time, numpy as np, surprise\n"
            "rows = np.load(sys.argv[1]).tolist()\n"
            "reader = surprise.Reader(rating_scale=(0.5, 5))\n"
            "data = surprise.Dataset(reader)\n"
            "train = data.construct_trainset([(u, m, r, None) for u, m, r in rows])\n"
            "started = time.perf_counter()\n"
            "surprise.SVD(n_factors=int(sys.argv[2]), n_epochs=3).fit(train)\n"
            "print(3 * len(rows) / (time.perf_counter() - started))\n"
        )
        command = [python, "-c", script, str(pairs), n_factors]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return {"rate": float(done.stdout)}


SUBSETS: dict[str, Callable[..., dict[str, float]]] = {
    "cell": time_cell, "pairs": time_pairs, "cell-rows": time_cell_rows, "rows": time_rows,
    "cell-race": race_cell, "race": race,
}  # fmt: skip


if __name__ == "__main__":
    main()
