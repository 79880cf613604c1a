"""Whether a store was made from these very raw files: a comparison of names, sizes and times.

Nothing is read but the manifest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from bigrec.errors import DataError, StoreError
from bigrec.ingest.options import IngestOptions
from bigrec.ingest.summary import Clock, IngestSummary, summarise_store
from bigrec.sources.contract import Source
from bigrec.sources.raw import RawFile
from bigrec.sources.registry import open_source
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest, SourceFile, read_manifest


@dataclass(frozen=True)
class SourceEntry:
    """One entry of the manifest's list of raw files."""

    described: SourceFile
    files: tuple[RawFile, ...]


def find_unchanged(raw: Path, store: Path, options: IngestOptions) -> IngestSummary | None:
    """The summary of a store that was made from these very files; None where a store is to be made.

    Args:
        raw: the folder of raw files.
        store: the store's folder.
        options: those of the ingest.

    Raises:
        DataError: the raw files are missing.
        StoreError: there is a store that is not to be replaced, made from other files or otherwise.
    """
    layout = StoreLayout(store)
    if options.overwrite or not layout.root.exists():
        return None
    clock = Clock()
    source = open_source(raw, options.source, options.table, options.kept)
    manifest = _existing_manifest(layout, source, describe_entries(raw, source))
    if manifest.said != options.said:
        raise StoreError(
            f"{layout.root} was made from the same files with other options: "
            f"{manifest.said or 'none'}, now {options.said or 'none'}",
            hint="replace it with --overwrite, or choose another path with --store",
        )
    if options.by_user and not layout.ratings_by_user.exists():
        raise StoreError(
            f"{layout.root} was made from the same files without the order by user",
            hint="replace it with --overwrite, or add --no-by-user",
        )
    return summarise_store(layout, source, manifest, clock, unchanged=True)


def describe_entries(raw: Path, source: Source) -> list[SourceEntry]:
    """The raw files as they are now, as entries of a manifest."""
    return [SourceEntry(_describe_group(raw, group), tuple(group)) for group in source.files()]


def _describe_group(raw: Path, group: list[RawFile]) -> SourceFile:
    described = [file.describe(raw) for file in group]
    if len(described) == 1:
        return described[0]
    names_sizes_times = repr([(file.name, file.size, file.mtime_ns) for file in described])
    return SourceFile(
        f"{described[0].name} and {len(described) - 1} more",
        sum(file.size for file in described),
        max(file.mtime_ns for file in described),
        files_digest=hashlib.sha256(names_sizes_times.encode()).hexdigest()[:16],
    )


def check_unchanged(before: list[SourceEntry], after: list[SourceEntry]) -> None:
    """Stop if files changed while they were read.

    Raises:
        DataError: one did.
    """
    for old, new in zip(before, after, strict=True):
        if old.described != new.described:
            raise DataError(
                f"{old.described.name} changed while it was read",
                hint="ingest again when nothing writes it any more",
            )


def _existing_manifest(layout: StoreLayout, source: Source, entries: list[SourceEntry]) -> Manifest:
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
    stored = {replace(file, rows_digest="") for file in manifest.source_files}
    given = {entry.described for entry in entries}
    if manifest.source != source.name or stored != given:
        changed = sorted({file.name for file in stored ^ given})
        raise StoreError(
            f"{layout.root} was made from other files (differing: {', '.join(changed[:5])})",
            hint="replace it with --overwrite, or choose another path with --store",
        )
    return manifest
