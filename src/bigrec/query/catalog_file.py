"""A small DuckDB file of views over a store, which any DuckDB client opens.

It holds no ratings, only the SELECT behind each view with absolute paths, so it is written in no
time and has to be written again when the store moves.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from bigrec.errors import ResourceError, SettingsError
from bigrec.query.views import view_queries
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import read_manifest
from bigrec.store.publish import publishing_file
from bigrec.store.sql_text import quote_text

# The oldest form that the engine writes, so that clients with older engines open it.
_STORAGE_VERSION = "v1.0.0"


def write_catalog(store_root: Path, output: Path, *, overwrite: bool = False) -> list[str]:
    """Write a DuckDB file with the views of a store.

    Args:
        store_root: the store's folder.
        output: the file to make.
        overwrite: whether a file that exists is replaced.

    Returns:
        The names of the views.

    Raises:
        StoreError: there is no store, or it is damaged.
        SettingsError: the file exists, or cannot be written.
        ResourceError: the disk is full.
    """
    layout = StoreLayout(Path(store_root))
    views = view_queries(layout, read_manifest(layout))
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} exists", hint="choose another file, or add --overwrite")
    with publishing_file(output) as partial, duckdb.connect(":memory:") as connection:
        try:
            connection.execute(
                f"ATTACH {quote_text(partial)} AS catalog (STORAGE_VERSION '{_STORAGE_VERSION}')"
            )
            for name, query in views.items():
                connection.execute(f"CREATE VIEW catalog.{name} AS {query}")
            connection.execute("DETACH catalog")
        except duckdb.IOException as error:  # the engine has no word of its own for a full disk
            raise ResourceError(
                f"{output} cannot be written: {error}", hint="free some space, or choose another"
            ) from error
    return list(views)
