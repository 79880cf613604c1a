"""The feed of pairs alone: the shuffled train subset of a split, drained without a model.

Every way is a process of its own that delivers each (user, item, rating) of an epoch in batches of
1024, in random order, and adds all three up inside TensorFlow. The peers hold the columns as
arrays, as the notebook does: what `model.fit` makes of arrays, and tf.data over rows. They get a
part of the rows, since their memory grows with them. Time and CPU are those of the epoch, without
imports and, for the peers, without reading; peak memory is the whole process's. Last, a training of
one epoch says how long it waited for the feed.
Run `python benchmarks/bench_feed.py STORE SPLIT [--peer-rows N]`; the split is materialized first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

BATCH_SIZE: Final = 1024
SETTINGS: Final = (
    "--epochs", "1", "--set", "embedding_size=10", "--set", "implicit_l2=0", "--set", "row_l2=0",
)  # fmt: skip
"""A factorization of the notebook's size without costly penalties: the fastest to be fed."""
_MIB: Final = 1 << 20


def drain_bigrec(shards: Path, n_rows: int | None) -> Callable[[], int]:
    """The feed as trainings read it: packed pairs, which a step unpacks."""
    feed = make_feed(shards, n_rows)
    return lambda: add_up(feed.dataset(1))


def drain_unpacked(shards: Path, n_rows: int | None) -> Callable[[], int]:
    """The same, unpacked to three columns in the pipeline."""
    from bigrec.datasets.pairs import unpack
    from bigrec.datasets.training_data import open_training_data
    from bigrec.rows import PAIRS

    feed = make_feed(shards, n_rows)
    _, packing, scale = open_training_data(shards).shards()
    return lambda: add_up(feed.dataset(1).map(lambda block: unpack(block[PAIRS], packing, scale)))


def make_feed(shards: Path, n_rows: int | None) -> Any:
    """The feed of all rows."""
    from bigrec.datasets.pairs import PairFeed

    assert n_rows is None
    return PairFeed(sorted((shards / "shuffled").glob("*.npy")), batch_size=BATCH_SIZE, seed=0)


def drain_keras_arrays(shards: Path, n_rows: int | None) -> Callable[[], int]:
    """What `model.fit(x=[users, items], y=ratings, batch_size=1024)` makes of arrays."""
    from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

    users, items, ratings = read_columns(shards, n_rows)
    adapter = ArrayDataAdapter(x=[users, items], y=ratings, batch_size=BATCH_SIZE, shuffle=True)
    return lambda: add_up(adapter.get_tf_dataset().map(lambda x, y: (*x, y)))


def drain_tensor_slices(shards: Path, n_rows: int | None) -> Callable[[], int]:
    """tf.data over rows, with a shuffle buffer."""
    import tensorflow as tf

    rows = tf.data.Dataset.from_tensor_slices(read_columns(shards, n_rows))
    return lambda: add_up(rows.shuffle(100_000).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE))


def drain_nothing(shards: Path, n_rows: int | None) -> Callable[[], int]:
    """TensorFlow without a feed: what the memory of the others is counted from."""
    import tensorflow as tf

    del shards, n_rows
    zeros = tf.data.Dataset.from_tensors((tf.zeros(1),) * 3)
    return lambda: add_up(zeros)


WAYS: Final = {
    "idle": drain_nothing,
    "bigrec": drain_bigrec,
    "bigrec, unpacked": drain_unpacked,
    "Keras, arrays": drain_keras_arrays,
    "tf.data, rows of arrays": drain_tensor_slices,
}


def read_columns(shards: Path, n_rows: int | None) -> tuple[Any, Any, Any]:
    """The first rows of the train subset as three arrays, in order of users."""
    import numpy as np

    indptr = np.load(shards / "train" / "indptr.npy")
    users = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))[:n_rows]
    items, ratings = (
        np.load(shards / "train" / f"{name}.npy", mmap_mode="r")[:n_rows]
        for name in ("item_index", "rating")
    )
    return users.copy(), np.array(items), np.array(ratings)


def add_up(columns: Any) -> int:
    """Rows of a dataset of tuples of columns, each of which is read and added up in its graph."""
    import tensorflow as tf

    def step(total: Any, *batch: Any) -> Any:
        flat = tf.nest.flatten(batch)
        sums = [tf.cast(tf.reduce_sum(column), tf.int64) for column in flat]  # may wrap around
        return total + tf.stack([tf.size(flat[0], tf.int64), tf.add_n(sums)])

    return int(columns.reduce(tf.zeros(2, tf.int64), step)[0])


def run_way(name: str, shards: Path, n_rows: int | None) -> None:
    """Drain one way and print what it cost as JSON; runs in a process of its own."""
    from bigrec.resources import peak_rss_bytes

    drain = WAYS[name](shards, n_rows)
    cpu, started = time.process_time(), time.perf_counter()
    fields = {
        "n_rows": drain(),
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": peak_rss_bytes(),
    }
    print(json.dumps(fields))


def measure(name: str, shards: Path, n_rows: int | None) -> dict[str, Any]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, str(shards), name, "--only-way"]
    command += [] if n_rows is None else ["--peer-rows", str(n_rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    fields: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return fields


def measure_wait(store: Path, split: str) -> dict[str, Any]:
    """The history of a training of one epoch."""
    with tempfile.TemporaryDirectory() as runs:
        command = [
            sys.executable, "-m", "bigrec", "train", "matrix-factorization", "--split", split,
            "--store", str(store), "--runs", runs, "--preset", "tuned", *SETTINGS,
            "--run", "bench-feed",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        history = (Path(runs) / "bench-feed" / "history.jsonl").read_text()
    fields: dict[str, Any] = json.loads(history.splitlines()[-1])
    return fields


def main() -> None:
    """Run the ways in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("split")
    parser.add_argument("--peer-rows", type=int)
    parser.add_argument("--only-way", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_way:
        run_way(arguments.split, arguments.store, arguments.peer_rows)
        return
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    store = arguments.store.resolve()
    shards = materialize_split(open_split(open_catalog(store), arguments.split))
    peer_rows = arguments.peer_rows or 2_000_000
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| feed | rows | M rows/s | CPU s a M rows | peak MiB above idle TensorFlow |")
    print("|---|---|---|---|---|")
    idle = measure("idle", shards, None)["peak_bytes"]
    for name in list(WAYS)[1:]:
        cost = measure(name, shards, None if name.startswith("bigrec") else peer_rows)
        millions = cost["n_rows"] / 1e6
        rate, cpu = millions / cost["wall_seconds"], cost["cpu_seconds"] / millions
        above = (cost["peak_bytes"] - idle) / _MIB
        print(f"| {name} | {cost['n_rows']:,} | {rate:.1f} | {cpu:.3f} | {above:.0f} |", flush=True)
    print(f"\nTensorFlow alone: {idle / _MIB:.0f} MiB")
    epoch = measure_wait(store, arguments.split)
    share = epoch["input_wait_seconds"] / epoch["seconds"]
    print(
        f"One epoch of matrix factorization: {epoch['rows_per_second'] / 1e6:.1f} M rows/s, "
        f"{share:.1%} of it waiting for the feed"
    )


if __name__ == "__main__":
    main()
