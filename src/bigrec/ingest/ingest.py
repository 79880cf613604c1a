"""The ingest stage: raw rating files in, a store out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bigrec.ingest.builder import StoreBuilder
from bigrec.ingest.numbering import OtherKeys
from bigrec.ingest.options import IngestOptions
from bigrec.ingest.rejects import open_rejects
from bigrec.ingest.summary import Clock, IngestSummary, summarise_store
from bigrec.ingest.unchanged import (
    SourceEntry,
    check_unchanged,
    describe_entries,
    find_unchanged,
)
from bigrec.resources import SILENT, Budget, Progress
from bigrec.sources.contract import ReadAgain, Source
from bigrec.sources.registry import open_source
from bigrec.store.layout import StoreLayout
from bigrec.store.locks import sweep_beside
from bigrec.store.manifest import Manifest
from bigrec.store.publish import publishing
from bigrec.store.seal import Kind


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
        SettingsError: something that is no store is in its place, or the rejects cannot be written.
    """
    options = options or IngestOptions()
    if unchanged := find_unchanged(raw, store, options):
        sweep_beside(store)
        return unchanged
    clock = Clock()
    source = open_source(raw, options.source, options.table, options.kept)
    entries = describe_entries(raw, source)
    keyed = source.keyed
    while True:
        try:
            manifest = _build(raw, store, source, entries, options, keyed, budget, progress)
            break
        except OtherKeys as found:
            keyed |= {found.role}
        except ReadAgain:
            continue
    return summarise_store(StoreLayout(store), source, manifest, clock, unchanged=False)


def _build(
    raw: Path,
    store: Path,
    source: Source,
    entries: list[SourceEntry],
    options: IngestOptions,
    keyed: frozenset[str],
    budget: Budget | None,
    progress: Progress,
) -> Manifest:
    """Make the store; its manifest.

    Raises:
        OtherKeys: ids that were to be kept are to be numbered.
    """
    with ExitStack() as stack:
        rejects = None
        if options.on_error == "skip":
            inputs = [file.path for entry in entries for file in entry.files]
            rejects = stack.enter_context(open_rejects(options.rejects, store, inputs))
        draft = stack.enter_context(publishing(store, Kind.STORE))
        builder = StoreBuilder(
            source,
            draft,
            options=options,
            keyed=keyed,
            rejects=rejects,
            budget=budget or Budget(),
            progress=progress,
        )
        manifest = builder.build(raw, entries)
        check_unchanged(entries, describe_entries(raw, source))
    return manifest
