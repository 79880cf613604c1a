"""The files of a source beside its ratings: titles, and tables of pairs."""

from __future__ import annotations

from dataclasses import dataclass

from bigrec.errors import DataError
from bigrec.ingest.tables import write_pairs
from bigrec.sources.contract import Source
from bigrec.sources.parsed import BadLine, ItemTable, Titles
from bigrec.store.layout import StoreLayout


@dataclass(frozen=True)
class SmallFiles:
    """What was read."""

    titles: Titles
    """What is known of items by their ids."""
    items: ItemTable | None
    """What is known of items by their keys, in place of titles."""
    n_pairs: dict[str, int]
    """Pairs of each table, by its name."""
    bad_lines: list[BadLine]
    """Lines that were left out."""


def read_small_files(source: Source, layout: StoreLayout, *, keeps_bad: bool) -> SmallFiles:
    """Read the titles; write the tables of pairs.

    Args:
        source: whose they are.
        layout: the store to be.
        keeps_bad: whether lines that break the grammar are left out, and listed.

    Raises:
        DataError: a file is malformed, or has no place in a store.
    """
    bad_lines: list[BadLine] | None = [] if keeps_bad else None
    titles = source.titles(bad_lines)
    paths = {"probe": layout.probe, "qualifying": layout.qualifying}
    n_pairs: dict[str, int] = {}
    for name, runs in source.tables(bad_lines).items():
        if name not in paths:
            raise DataError(
                f"the source {source.name} has a table {name!r}, for which a store has no room",
                hint=f"tables of pairs are {' and '.join(paths)}",
            )
        n_pairs[name] = write_pairs(paths[name], runs)
    return SmallFiles(titles, source.items(bad_lines), n_pairs, bad_lines or [])
