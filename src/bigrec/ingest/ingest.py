"""The ingest stage: raw rating files in, a store out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bigrec.errors import DataError, SettingsError, StoreError
from bigrec.ingest.builder import SourceEntry, StoreBuilder
from bigrec.ingest.raw import RawFile
from bigrec.ingest.rejects import open_rejects
from bigrec.ingest.sources import Source, open_source
from bigrec.resources import SILENT, Budget, Progress, peak_rss_bytes
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest, SourceFile, read_manifest
from bigrec.store.writer import folder_bytes, publishing

ON_ERROR = ("stop", "skip")


@dataclass(frozen=True)
class IngestOptions:
    """What to ingest, and how."""

    source: str = "auto"
    """The kind of raw data: auto, netflix or movielens."""
    overwrite: bool = False
    """Whether a store that exists is replaced, its splits included."""
    by_user: bool = True
    """Whether to write ratings_by_user/ too. users.parquet is written in any case."""
    on_error: str = "stop"
    """What a bad line does: stop (nothing is written) or skip (the line is left out)."""
    rejects: Path | None = None
    """Where to write the lines that were left out, as csv; None to count them only."""

    def __post_init__(self) -> None:
        if self.on_error not in ON_ERROR:
            raise SettingsError.unknown_name("on-error choice", self.on_error, ON_ERROR)
        if self.rejects and self.on_error != "skip":
            raise SettingsError(
                "--rejects was given, but bad lines stop the ingest",
                hint="add --on-error skip to leave them out",
            )


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did."""

    n_ratings: int
    n_users: int
    n_movies: int
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
    n_rejected: int
    """Lines that were left out; 0 unless bad lines are skipped."""
    unchanged: bool
    """Whether the store held these very files already, so that nothing was written."""


def ingest_ratings(
    raw: Path,
    store: Path,
    *,
    options: IngestOptions | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> IngestSummary:
    """Turn a folder of raw rating files into a store.

    Args:
        raw: the folder of raw files.
        store: the folder to make. It appears when it is complete, not before.
        options: see IngestOptions.
        budget: memory and threads.
        progress: told of finished bytes of text.

    Raises:
        DataError: the raw files are missing or malformed; the store is then as it was.
        StoreError: a store with other data exists and `overwrite` is off, or somebody writes it.
    """
    started = time.perf_counter(), time.process_time()
    options = options or IngestOptions()
    budget = budget or Budget()
    source = open_source(raw, options.source)
    entries = _describe_entries(raw, source)
    layout = StoreLayout(store)
    if layout.root.exists() and not options.overwrite:
        manifest = _existing_manifest(layout, source, entries, by_user=options.by_user)
        return _summarise(layout, source, manifest, started, unchanged=True)
    with ExitStack() as stack:
        partial = stack.enter_context(publishing(store))
        rejects = None
        if options.on_error == "skip":
            rejects = stack.enter_context(open_rejects(options.rejects))
        builder = StoreBuilder(
            source,
            StoreLayout(partial),
            by_user=options.by_user,
            rejects=rejects,
            budget=budget,
            progress=progress,
        )
        manifest = builder.build(raw, entries)
        _check_unchanged(entries, _describe_entries(raw, source))
    return _summarise(layout, source, manifest, started, unchanged=False)


def _describe_entries(raw: Path, source: Source) -> list[SourceEntry]:
    return [SourceEntry(_describe_group(raw, group), tuple(group)) for group in source.files()]


def _describe_group(raw: Path, group: list[RawFile]) -> SourceFile:
    described = [file.describe(raw) for file in group]
    if len(described) == 1:
        return described[0]
    return SourceFile(
        f"{described[0].name} and {len(described) - 1} more",
        sum(file.size for file in described),
        max(file.mtime_ns for file in described),
    )


def _check_unchanged(before: list[SourceEntry], after: list[SourceEntry]) -> None:
    for old, new in zip(before, after, strict=True):
        if old.described != new.described:
            raise DataError(
                f"{old.described.name} changed while it was read",
                hint="ingest again when nothing writes it any more",
            )


def _existing_manifest(
    layout: StoreLayout, source: Source, entries: list[SourceEntry], *, by_user: bool
) -> Manifest:
    """The manifest of a store that was made from these very files."""
    if not layout.manifest.exists():
        if layout.root.is_dir() and not any(layout.root.iterdir()):
            raise StoreError(
                f"{layout.root} is an empty folder", hint="remove it, or use --overwrite"
            )
        raise StoreError(
            f"{layout.root} exists but is no store", hint="choose another path with --store"
        )
    manifest = read_manifest(layout)
    stored = {(file.name, file.size, file.mtime_ns) for file in manifest.source_files}
    given = {(e.described.name, e.described.size, e.described.mtime_ns) for e in entries}
    if manifest.source != source.name or stored != given:
        changed = sorted({name for name, *_ in stored ^ given})
        raise StoreError(
            f"{layout.root} was made from other files (differing: {', '.join(changed[:5])})",
            hint="replace it with --overwrite, or choose another path with --store",
        )
    if by_user and not layout.ratings_by_user.exists():
        raise StoreError(
            f"{layout.root} was made from the same files without the order by user",
            hint="replace it with --overwrite, or add --no-by-user",
        )
    return manifest


def _summarise(
    layout: StoreLayout,
    source: Source,
    manifest: Manifest,
    started: tuple[float, float],
    *,
    unchanged: bool,
) -> IngestSummary:
    seconds = time.perf_counter() - started[0]
    split_bytes = folder_bytes(layout.splits) if layout.splits.exists() else 0
    counts = {
        "ratings": manifest.n_ratings,
        "users": manifest.n_users,
        "movies": manifest.n_movies,
        "probe pairs": manifest.n_probe,
        "qualifying pairs": manifest.n_qualifying,
    }
    return IngestSummary(
        n_ratings=manifest.n_ratings,
        n_users=manifest.n_users,
        n_movies=manifest.n_movies,
        n_probe=manifest.n_probe,
        n_qualifying=manifest.n_qualifying,
        seconds=seconds,
        cpu_seconds=time.process_time() - started[1],
        rows_per_second=0.0 if unchanged else manifest.n_ratings / seconds,
        peak_rss_bytes=peak_rss_bytes(),
        store_bytes=folder_bytes(layout.root) - split_bytes,
        source=manifest.source,
        form=source.form,
        coverage=source.coverage(counts),
        n_rejected=manifest.n_rejected,
        unchanged=unchanged,
    )
