"""A small DuckDB file of views over a store, which any DuckDB client opens.

It holds no ratings, only the SELECT behind each view with absolute paths, so it is written in no
time and has to be written again when the store moves.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import duckdb

from bigrec.errors import SettingsError
from bigrec.query.views import quote_text, view_queries
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import read_manifest

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
        SettingsError: the file exists, or its folder does not.
    """
    layout = StoreLayout(Path(store_root))
    views = view_queries(layout, read_manifest(layout))
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} exists", hint="choose another file, or add --overwrite")
    if not output.absolute().parent.is_dir():
        raise SettingsError(f"there is no folder {output.absolute().parent}")
    partial = output.with_name(f".{output.name}.{secrets.token_hex(4)}")
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(
                f"ATTACH {quote_text(partial)} AS catalog (STORAGE_VERSION '{_STORAGE_VERSION}')"
            )
            for name, query in views.items():
                connection.execute(f"CREATE VIEW catalog.{name} AS {query}")
            connection.execute("DETACH catalog")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return list(views)
