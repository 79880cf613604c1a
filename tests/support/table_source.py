"""A source of made-up rows with whatever times, feedback and scale a test wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.interactions import EXPLICIT, Scale
from bigrec.resources import Budget
from bigrec.schema import BY_SECOND
from bigrec.sources import registry
from bigrec.sources.contract import BatchSource
from bigrec.sources.parsed import Pairs
from bigrec.sources.raw import RawFile, RawFolder
from bigrec.store.catalog import Catalog, open_catalog


class RowsSource(BatchSource):
    """The Parquet file rows.parquet; a subclass says what it holds."""

    name = "rows"
    signature = "rows.parquet"
    unit = BY_SECOND
    says = EXPLICIT
    values: Scale | None = None
    probe: tuple[tuple[int, int], ...] = ()

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        return folder.has("rows.parquet")

    @property
    def time_unit(self) -> str:
        return self.unit

    @property
    def feedback(self) -> str:
        return self.says

    @property
    def scale(self) -> Scale | None:
        return self.values

    def files(self) -> list[list[RawFile]]:
        return [self.folder.glob("rows.parquet", looks_inside=False)]

    def batches(self) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.files()[0][0].path) as table:
            yield from table.iter_batches(batch_size=10_000)

    def tables(self, bad_lines: Any) -> Mapping[str, Iterator[Pairs]]:
        if not self.probe:
            return {}
        item, user = np.array(self.probe, np.int32).T
        return {"probe": iter([Pairs(item, user, None)])}


def make_store(
    folder: Path,
    columns: Mapping[str, Any],
    *,
    time_unit: str = BY_SECOND,
    feedback: str = EXPLICIT,
    scale: Scale | None = None,
    probe: tuple[tuple[int, int], ...] = (),
    options: IngestOptions | None = None,
    budget: Budget | None = None,
) -> Catalog:
    """Write rows as a raw folder, and a store of them: `folder/raw`, `folder/store`.

    Args:
        folder: for both.
        columns: user_id, item_id, and perhaps rating and date.
        time_unit, feedback, scale: what the source says of them.
        probe: (item_id, user_id) of a probe.
        options, budget: of the ingest.
    """
    (folder / "raw").mkdir(parents=True)
    pq.write_table(pa.table(dict(columns)), folder / "raw" / "rows.parquet")
    fields = {"unit": time_unit, "says": feedback, "values": scale, "probe": probe}
    source = type("OneRowsSource", (RowsSource,), fields)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", {"rows": source})
        ingest_ratings(folder / "raw", folder / "store", options=options, budget=budget)
    return open_catalog(folder / "store")
