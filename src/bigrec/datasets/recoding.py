"""A split's shards with other ratings: the same pairs in the same order.

A pair has 8 bits for the code of its rating at least, so a scale of 256 even values from the lowest
of any ratings to the highest is at hand. For ratings that range over six stars a step is 0.024, the
error of rounding 0.007 (root mean square), which adds 0.00003 to an RMSE of 0.8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.datasets.training_data import Shards
from bigrec.interactions import Scale
from bigrec.resources import SILENT, Budget, Progress, map_in_order
from bigrec.rows import Rows
from bigrec.splits.kernels import item_of, user_of

Array = np.ndarray[Any, Any]

_N_VALUES: Final = 256


def recode_shards(
    shards: Shards,
    rows: Rows,
    folder: Path,
    progress: Progress = SILENT,
    *,
    budget: Budget | None = None,
) -> Shards:
    """Write shards again with the ratings of `rows`, on one scale for all.

    Args:
        shards: what to write again.
        rows: every pair with its new rating.
        folder: where to write, a file a shard; it is made.
        progress: told of finished pairs.
        budget: threads.
    """
    folder.mkdir()
    progress.start("taking days off", rows.n_ratings, "ratings")
    rating, item_index = np.asarray(rows.rating), np.asarray(rows.column)
    low, high = float(rating.min()), float(rating.max())
    scale = Scale.even(low, high, _N_VALUES) if low < high else Scale((low,))

    def recode(shard: Path) -> tuple[Path, int]:
        pairs = np.load(shard)
        _recode(pairs, rows.indptr, item_index, rating, shards.packing, scale.low, scale.step)
        np.save(folder / shard.name, pairs)
        return folder / shard.name, len(pairs)

    paths = []
    for path, n_pairs in map_in_order(recode, shards.paths, (budget or Budget()).threads):
        paths.append(path)
        progress.advance(n_pairs, n_pairs)
    return Shards(paths, shards.packing, scale)


@compiled
def _recode(pairs, indptr, item_index, rating, packing, low, step):  # type: ignore[no-untyped-def]
    for number in range(len(pairs)):
        pair = pairs[number]
        user, item = user_of(pair, packing), item_of(pair, packing)
        first, end = indptr[user], indptr[user + 1]
        while first < end:  # the pair is there
            middle = (first + end) // 2
            if item_index[middle] < item:
                first = middle + 1
            else:
                end = middle
        ids = (pair >> packing.item_shift) << packing.item_shift
        pairs[number] = ids | np.int64(np.rint((rating[first] - low) / step))
