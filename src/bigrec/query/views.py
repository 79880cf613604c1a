"""What SQL sees of a store: the SELECT behind each view, made from paths at connect time.

A store can be moved because no view is stored in it. Tables that a source does not have (probe,
qualifying) are empty views, and where a store was made without the order by user, ratings stand in
for it, so that every query and check runs on every store.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bigrec.errors import StoreError
from bigrec.store.item_names import add_item_names
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest
from bigrec.store.sql_text import quote_text, select_files

_PROBE_COLUMNS: Final = {"item_id": "INTEGER", "user_id": "INTEGER"}
_QUALIFYING_COLUMNS: Final = {**_PROBE_COLUMNS, "date": "DATE"}


def view_queries(layout: StoreLayout, manifest: Manifest) -> dict[str, str]:
    """The SELECT of each view by its name, with absolute paths.

    Raises:
        StoreError: a file of the store is missing.
    """
    layout = StoreLayout(Path(os.path.realpath(layout.root)))
    has_user_order = layout.ratings_by_user.is_dir()
    by_user = layout.ratings_by_user if has_user_order else layout.ratings
    views = {
        "ratings": _select_files(layout.parts(layout.ratings), layout.ratings),
        "ratings_by_user": _select_files(layout.parts(by_user), by_user),
        "items": _select_files([layout.items], layout.items),
        "users": _select_files([layout.users], layout.users),
        "probe": _select_optional(layout.probe, _PROBE_COLUMNS),
        "qualifying": _select_optional(layout.qualifying, _QUALIFYING_COLUMNS),
        "scale": _select_scale(manifest),
        "manifest": _select_manifest(manifest, has_user_order=has_user_order),
    }
    return add_item_names(views, manifest.item_name)


def _select_files(paths: Iterable[Path], where: Path) -> str:
    existing = [path for path in paths if path.exists()]
    if not existing:
        raise StoreError(
            f"the store lacks {where}",
            hint="ingest the raw files again with --overwrite",
        )
    return select_files(existing)


def _select_optional(path: Path, columns: Mapping[str, str]) -> str:
    if path.exists():
        return _select_files([path], path)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"


def _select_scale(manifest: Manifest) -> str:
    rows = ", ".join(f"({value!r})" for value in manifest.scale.values)
    return f"SELECT CAST(rating AS FLOAT) AS rating FROM (VALUES {rows}) AS scale(rating)"  # noqa: S608


def _select_manifest(manifest: Manifest, *, has_user_order: bool) -> str:
    def number(value: float | None, kind: str) -> str:
        return f"CAST({'NULL' if value is None else repr(value)} AS {kind})"

    columns = {
        "source": quote_text(manifest.source),
        "n_ratings": number(manifest.n_ratings, "BIGINT"),
        "n_users": number(manifest.n_users, "BIGINT"),
        "n_items": number(manifest.n_items, "BIGINT"),
        "n_probe": number(manifest.n_probe, "BIGINT"),
        "n_qualifying": number(manifest.n_qualifying, "BIGINT"),
        "rating_sum": number(manifest.rating_sum, "DOUBLE"),
        "min_rating": number(manifest.scale.low, "DOUBLE"),
        "max_rating": number(manifest.scale.high, "DOUBLE"),
        "first_date": f"CAST({quote_text(manifest.first_date)} AS DATE)",
        "last_date": f"CAST({quote_text(manifest.last_date)} AS DATE)",
        "has_user_order": str(has_user_order).lower(),
    }
    return "SELECT " + ", ".join(f"{value} AS {name}" for name, value in columns.items())
