"""The digest of a store's rows, counted again from its Parquet files.

The manifest's was counted while the rows were still in memory, so it tells whether the files hold
what was read from the raw data, whoever wrote them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bigrec.ingest.row_kernels import summarise_rows
from bigrec.interactions import CODE_BITS, Scale
from bigrec.resources import SILENT, Budget, Progress, map_in_order
from bigrec.schema import (
    DATE,
    EPOCH_DAY,
    ITEM_ID,
    RATING,
    SECOND,
    USER_ID,
    rating_columns,
)
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest

_MASK = (1 << 64) - 1


def find_other_rows(
    layout: StoreLayout, manifest: Manifest, *, budget: Budget, progress: Progress = SILENT
) -> list[tuple[str, str, str]]:
    """The sort orders that hold other rows than were ingested: (folder, digest, expected digest).

    Args:
        layout: the store.
        manifest: its manifest.
        budget: threads; a row group is in memory for each.
        progress: told of finished rows.
    """
    found = []
    for folder, item_is_primary in ((layout.ratings, True), (layout.ratings_by_user, False)):
        paths = layout.parts(folder)
        if not paths:
            continue
        progress.start(f"reading {folder.name}", manifest.n_ratings, "ratings")
        groups = ((path, n) for path in paths for n in range(pq.read_metadata(path).num_row_groups))
        digest = 0
        for part, n_rows in map_in_order(
            lambda group: _digest_group(
                *group,
                manifest.scale,
                manifest.time_unit,
                item_is_primary=item_is_primary,  # noqa: B023
            ),
            groups,
            budget.threads,
        ):
            digest = (digest + part) & _MASK
            progress.advance(n_rows, n_rows)
        if f"{digest:016x}" != manifest.rows_digest:
            found.append((folder.name, f"{digest:016x}", manifest.rows_digest))
    return found


def _digest_group(
    path: Path, number: int, scale: Scale, time_unit: str, *, item_is_primary: bool
) -> tuple[int, int]:
    """The digest of one row group and its number of rows."""
    columns = list(rating_columns(time_unit))
    table = pq.ParquetFile(path).read_row_group(number, columns=columns, use_threads=False)
    item, user = (np.asarray(table[name].combine_chunks()) for name in (ITEM_ID, USER_ID))
    codes = scale.codes(np.asarray(table[RATING].combine_chunks()))
    days = np.full(len(item), -EPOCH_DAY, np.int32)
    if DATE in columns:
        days = np.asarray(table[DATE].combine_chunks().view(pa.int32()))
    second = np.empty(0, np.int32)
    if SECOND in columns:
        second = np.asarray(table[SECOND].combine_chunks())
    primary, secondary = (item, user) if item_is_primary else (user, item)
    n = len(item)
    out = [np.empty(n, kind) for kind in (np.int32, np.int32, np.float64, np.int32, np.int32)]
    _, _, digest = summarise_rows(
        primary,
        secondary,
        ((days + EPOCH_DAY) << CODE_BITS).astype(np.int32) | codes,
        second,
        np.append(scale.table, 0.0).astype(np.float64),  # 0 for what is off the scale
        item_is_primary,
        *out,
    )
    return int(digest), n
