"""What a store holds, and whether stores and runs are whole: the answers of `info` and `check`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import RunError, SplitError
from bigrec.resources import SILENT, Budget, Progress
from bigrec.store.layout import StoreLayout, run_folders, split_names
from bigrec.store.manifest import read_manifest
from bigrec.store.publish import folder_bytes
from bigrec.store.seal import Kind, mark_kind

if TYPE_CHECKING:
    from bigrec.query.checks import CheckResult

SHOWN_ROWS: Final = 10
"""Rows that contradict each other, of each check, in the answer."""


def describe_store(root: Path) -> dict[str, Any]:
    """What a store holds, as a JSON object: its manifest, mean, fingerprint, bytes and splits.

    Args:
        root: the store's folder.

    Raises:
        StoreError: there is no store, or its manifest cannot be read.
    """
    layout = StoreLayout(root)
    manifest = read_manifest(layout)
    return dataclasses.asdict(manifest) | {
        "mean_rating": manifest.mean_rating,
        "fingerprint": manifest.fingerprint,
        "store_bytes": folder_bytes(layout.root),
        "splits": split_names(layout),
    }


def inspect_store(
    root: Path, *, deep: bool = False, budget: Budget | None = None, progress: Progress = SILENT
) -> list[CheckResult]:
    """Read every file of a store and its splits again, and look for rows that contradict others.

    Args:
        root: the store's folder.
        deep: whether the digest of all rows is counted again, as the ingest did.
        budget: memory and threads.
        progress: told of finished checks.

    Returns:
        All checks that were made; nothing is asked of rows of damaged files.

    Raises:
        StoreError: there is no store.
    """
    from bigrec.query.checks import check_files, check_rows, check_store, unreadable_split
    from bigrec.query.session import open_session
    from bigrec.splits.views import split_view_queries

    budget = budget or Budget()
    layout = StoreLayout(root)
    if mark_kind(layout.root) != Kind.STORE.label:
        read_manifest(layout)  # says what is there instead
    results = [check_files(layout.root, Kind.STORE, "")]
    if not results[0].passed:  # rows of damaged files prove nothing
        return results
    with open_session(root, budget=budget) as session:
        results += check_store(session, progress=progress)
    if deep:
        from bigrec.ingest.deep_check import find_other_rows

        results.append(
            check_rows(
                lambda: find_other_rows(
                    layout, read_manifest(layout), budget=budget, progress=progress
                )
            )
        )
    for split in split_names(layout):
        folder = layout.split(split)
        results.append(check_files(folder, Kind.SPLIT, split))
        if results[-1].passed:
            try:
                views = split_view_queries(layout, split)
            except SplitError as error:
                results.append(unreadable_split(split, error))
                continue
            with open_session(root, budget=budget, views=views) as session:
                results += check_store(session, split=split, progress=progress)
        for kind in (Kind.SHARDS, Kind.DAYS):
            if (folder / kind.label).is_dir():
                results.append(check_files(folder / kind.label, kind, split))
    return results


def inspect_runs(runs: Path, *, progress: Progress = SILENT) -> list[CheckResult]:
    """Read every file of all runs of a folder again.

    Args:
        runs: the folder of runs.
        progress: told of finished runs.

    Raises:
        RunError: there is no such folder.
    """
    from bigrec.query.checks import check_files

    if not runs.is_dir():
        raise RunError(f"there is no folder {runs}", hint="name another: check --runs DIR")
    folders = run_folders(runs)
    progress.start("checking runs", len(folders), "runs")
    results = []
    for folder in folders:
        results.append(check_files(folder, Kind.RUN, folder.name))
        progress.advance(1)
    return results


def checks_to_json(results: Sequence[CheckResult]) -> dict[str, Any]:
    """Checks as a JSON object: whether all passed, and each with the first rows against it."""
    checks = [
        {
            "name": result.name,
            "title": result.title,
            "passed": result.passed,
            "seconds": round(result.seconds, 3),
            "n_rows": len(result.bad_rows),
            "more_rows": result.more_rows,
            "rows": [
                dict(zip(result.columns, row, strict=True)) for row in result.bad_rows[:SHOWN_ROWS]
            ],
        }
        for result in results
    ]
    return {"passed": all(result.passed for result in results), "checks": checks}
