"""What SQL sees of a store: the SELECT behind each view, made from paths at connect time.

A store can be moved because no view is stored in it. Tables that a source does not have (probe,
qualifying) are empty views, where a store was made without the order by user, ratings stand in for
it, and a store without times has dates that are NULL, so that every query and check runs on every
store.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bigrec.errors import StoreError
from bigrec.schema import BY_SECOND, NO_TIME
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
        "ratings": _select_ratings(layout.parts(layout.ratings), layout.ratings, manifest),
        "ratings_by_user": _select_ratings(layout.parts(by_user), by_user, manifest),
        "items": _with_key(
            _select_files([layout.items], layout.items), "item_id", is_there=manifest.item_keys
        ),
        "users": _with_key(_select_users(layout, manifest), "user_id", is_there=manifest.user_keys),
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


def _select_ratings(paths: Iterable[Path], where: Path, manifest: Manifest) -> str:
    """Ratings with a time, where the store keeps it, beside the day; without times that is NULL."""
    query = _select_files(paths, where)
    if manifest.time_unit == NO_TIME:
        return _with_no_dates(query, "date")
    if manifest.time_unit != BY_SECOND:
        return query
    return (
        f"SELECT * EXCLUDE (second), CAST(date AS TIMESTAMP) + to_seconds(second) AS time "  # noqa: S608
        f"FROM ({query}) AS days"
    )


def _select_users(layout: StoreLayout, manifest: Manifest) -> str:
    query = _select_files([layout.users], layout.users)
    if manifest.time_unit == NO_TIME:
        return _with_no_dates(query, "first_date", "last_date")
    return query


def _with_no_dates(query: str, *names: str) -> str:
    nulls = ", ".join(f"CAST(NULL AS DATE) AS {name}" for name in names)
    return f"SELECT *, {nulls} FROM ({query}) AS timeless"  # noqa: S608


def _with_key(query: str, column: str, *, is_there: bool) -> str:
    """A table with the source's own ids as text, which are its numbers where it has no others."""
    if is_there:
        return query
    return f"SELECT *, CAST({column} AS VARCHAR) AS key FROM ({query}) AS numbered"  # noqa: S608


def _select_optional(path: Path, columns: Mapping[str, str]) -> str:
    if path.exists():
        return _select_files([path], path)
    nulls = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns.items())
    return f"SELECT {nulls} WHERE false"


def _select_scale(manifest: Manifest) -> str:
    # One text is parsed far sooner than many thousands of numbers.
    values = quote_text(" ".join(map(repr, manifest.scale.values)))
    value = f"UNNEST(STRING_SPLIT({values}, ' '))"
    return f"SELECT CAST(CAST({value} AS DOUBLE) AS FLOAT) AS rating"


def _select_manifest(manifest: Manifest, *, has_user_order: bool) -> str:
    def number(value: float | None, kind: str) -> str:
        return f"CAST({'NULL' if value is None else repr(value)} AS {kind})"

    def date(text: str | None) -> str:
        return f"CAST({'NULL' if text is None else quote_text(text)} AS DATE)"

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
        "feedback": quote_text(manifest.feedback),
        "time_unit": quote_text(manifest.time_unit),
        "first_date": date(manifest.first_date),
        "last_date": date(manifest.last_date),
        "has_user_order": str(has_user_order).lower(),
    }
    return "SELECT " + ", ".join(f"{value} AS {name}" for name, value in columns.items())
