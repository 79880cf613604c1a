"""What an ingest answers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bigrec.resources import peak_rss_bytes
from bigrec.sources.contract import Source
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest
from bigrec.store.publish import folder_bytes


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did."""

    n_ratings: int
    n_users: int
    n_items: int
    n_probe: int | None
    """None where the source has no probe."""
    n_qualifying: int | None
    """None where the source has no qualifying set."""
    seconds: float
    """Wall time."""
    cpu_seconds: float
    """Processor time of all threads."""
    rows_per_second: float
    """Ratings a second of wall time; 0 if nothing had to be done."""
    peak_rss_bytes: int
    """Peak resident memory of the process, all its threads included."""
    store_bytes: int
    """Size of the store's files without splits."""
    source: str
    """The kind of raw data that was recognised."""
    form: str
    """Which form of it, in words."""
    coverage: str
    """How much of the published data set this is, in words; empty where that is not known."""
    feedback: str
    """What a row says: explicit or implicit."""
    min_rating: float
    """The low end of the scale."""
    max_rating: float
    """The high end."""
    time_unit: str
    """What is kept of times: second, day or none."""
    n_merged: int
    """Rows that became one with others of their user and item."""
    n_rejected: int
    """Lines that were left out; 0 unless bad lines are skipped."""
    unchanged: bool
    """Whether the store held these very files already, so that nothing was written."""


class Clock:
    """Counts wall and processor time from where it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Wall time since then."""
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all threads since then."""
        return time.process_time() - self._cpu


def summarise_store(
    layout: StoreLayout,
    source: Source,
    manifest: Manifest,
    clock: Clock,
    *,
    unchanged: bool,
) -> IngestSummary:
    """Say what a store holds, and what it took to make it or to see that it is there.

    Args:
        layout: the store.
        source: the raw data that it was made from.
        manifest: its manifest.
        clock: started with the ingest.
        unchanged: whether nothing was written.
    """
    seconds = clock.seconds
    split_bytes = folder_bytes(layout.splits) if layout.splits.exists() else 0
    counts = {
        "ratings": manifest.n_ratings,
        "users": manifest.n_users,
        "items": manifest.n_items,
        "probe pairs": manifest.n_probe,
        "qualifying pairs": manifest.n_qualifying,
    }
    return IngestSummary(
        n_ratings=manifest.n_ratings,
        n_users=manifest.n_users,
        n_items=manifest.n_items,
        n_probe=manifest.n_probe,
        n_qualifying=manifest.n_qualifying,
        seconds=seconds,
        cpu_seconds=clock.cpu_seconds,
        rows_per_second=0.0 if unchanged else manifest.n_ratings / seconds,
        peak_rss_bytes=peak_rss_bytes(),
        store_bytes=folder_bytes(layout.root) - split_bytes,
        source=manifest.source,
        form=source.form,
        coverage=source.coverage(counts),
        feedback=manifest.feedback,
        min_rating=manifest.scale.low,
        max_rating=manifest.scale.high,
        time_unit=manifest.time_unit,
        n_merged=manifest.n_merged,
        n_rejected=manifest.n_rejected,
        unchanged=unchanged,
    )
