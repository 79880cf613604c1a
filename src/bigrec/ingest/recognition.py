"""What raw files are taken for, before anything is made of them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from bigrec.ingest.options import IngestOptions
from bigrec.sources.registry import find_set_around, open_source
from bigrec.sources.table.base import TableSource
from bigrec.sources.table.describe import TableDescription, describe_items, describe_plan


@dataclass(frozen=True)
class Recognition:
    """What raw files are taken for."""

    source: str
    """Which kind of raw data: netflix, movielens, table, …"""
    form: str
    """Which form of it, in words."""
    ratings: TableDescription | None
    """The table of ratings; None where the source has one form, of which nothing is to be said."""
    items: TableDescription | None
    """The table that says what items are; None where there is none."""
    advice: str
    """What would be better given, in words; empty where nothing is."""


def recognise_ratings(raw: Path, options: IngestOptions) -> Recognition:
    """Say what raw files are taken for, by their beginnings.

    Args:
        raw: a file, a folder or a zip archive.
        options: of the ingest.

    Raises:
        DataError: they hold no ratings, or it is a question what is what.
        SettingsError: the options name what is not there.
    """
    source = open_source(raw, options.source, options.table, options.kept)
    if not isinstance(source, TableSource):
        return Recognition(source.name, source.form, None, None, "")
    items = source.peek_items()
    return Recognition(
        source.name,
        source.form,
        describe_plan(source.plan),
        None if items is None else describe_items(items),
        _advice(raw, options),
    )


def _advice(raw: Path, options: IngestOptions) -> str:
    """What to give in place of the ratings file of a set that lies in its folder."""
    usual = IngestOptions()
    if (options.source, options.table, options.kept) != (usual.source, usual.table, usual.kept):
        return ""
    if (found := find_set_around(raw)) is None:
        return ""
    folder = found.folder.root
    command = f"bigrec ingest {shlex.quote(str(folder))}"
    return f"{folder} is a {found.name} folder: `{command}` takes its titles too"
