"""Peak memory of splits, shards and the feed does not grow with the data: 1x and 8x inputs."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.peak_memory import peak_bytes

ALLOWED_GROWTH_BYTES = 64 << 20
BUDGET_BYTES = 512 << 20

CREATE = """
    from bigrec.cli.app import main
    assert main([
        "split", "create", "s", "--min-user-ratings", "5", "--materialize", "--json",
        "--store", sys.argv[1], "--memory", sys.argv[2], "--threads", "2",
    ]) == 0
    reported = 0
"""
DAYS = """
    from bigrec.resources import Budget
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog
    from bigrec.datasets.training_data import open_training_data
    budget = Budget(memory_bytes=int(sys.argv[2]), threads=2)
    saved = open_split(open_catalog(Path(sys.argv[1])), "s")
    shards = materialize_split(saved, with_days=True, budget=budget)
    reported = len(open_training_data(shards).train.day)
"""
FEED = """
    import tensorflow as tf
    from bigrec.datasets.pairs import PairFeed
    feed = PairFeed(sorted(Path(sys.argv[1]).glob("*.npy")), batch_size=1024, seed=0)
    reported = sum(int(tf.size(block["pairs"])) for block in feed.blocks(1))
"""


def test_neither_shards_nor_feed_need_more_memory_for_eight_times_the_rows(
    stores: tuple[Path, Path],
) -> None:
    small, large = (peak_bytes(CREATE, store, BUDGET_BYTES)[0] for store in stores)
    assert large - small < ALLOWED_GROWTH_BYTES
    assert large < BUDGET_BYTES
    small, large = (peak_bytes(DAYS, store, BUDGET_BYTES)[0] for store in stores)
    assert large - small < ALLOWED_GROWTH_BYTES
    shards = [store / "splits" / "s" / "shards" for store in stores]
    (small, _), (large, n_delivered) = (peak_bytes(FEED, folder / "shuffled") for folder in shards)
    assert n_delivered == json.loads((shards[1] / "manifest.json").read_text())["n_train"]
    assert large - small < ALLOWED_GROWTH_BYTES
