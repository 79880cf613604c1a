"""Proving that a store is whole: every query of sql/checks finds nothing on a good one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bigrec.errors import BigrecError, QueryError, SplitError, StoreError
from bigrec.query.library import CHECKS, NamedQuery, list_queries
from bigrec.query.session import Session
from bigrec.resources import SILENT, Progress
from bigrec.store.seal import SEAL, Kind, read_seal

MAX_BAD_ROWS: Final = 1000


@dataclass(frozen=True)
class CheckResult:
    """What one check found."""

    name: str
    """The query's name in the library, behind the name of the split if it is about one."""
    title: str
    """What should be so."""
    columns: tuple[str, ...]
    """The columns of bad_rows."""
    bad_rows: tuple[tuple[Any, ...], ...]
    """The first MAX_BAD_ROWS rows that contradict it; empty where all is well."""
    more_rows: bool
    """Whether there are more of them."""
    seconds: float
    """How long the check took."""

    @property
    def passed(self) -> bool:
        """Whether all is well."""
        return not self.bad_rows


def check_store(
    session: Session, *, split: str = "", progress: Progress = SILENT
) -> list[CheckResult]:
    """Run the checks of the library on a store, or those on one of its splits.

    Args:
        session: the open store; with the views of the split if one is given.
        split: name of the split to check instead of the store.
        progress: told of every finished check.

    Returns:
        One result a check, in order of their names.
    """
    checks = [check for check in list_queries(CHECKS) if check.needs_split == bool(split)]
    progress.start(f"checking {split or 'store'}", len(checks), "checks")
    results = []
    for check in checks:
        results.append(_run_check(session, check, split))
        progress.advance(1)
    return results


def unreadable_split(split: str, error: SplitError) -> CheckResult:
    """The failed check that stands for all those of a split that cannot be opened."""
    return CheckResult(
        name=f"{split}: split_can_be_read",
        title="The split can be read and belongs to this store",
        columns=("error",),
        bad_rows=((error.message,),),
        more_rows=False,
        seconds=0.0,
    )


def check_files(folder: Path, kind: Kind, name: str) -> CheckResult:
    """Read every file of a folder again, and compare it with what was written.

    Args:
        folder: a store, a split, its shards or days, or a run.
        kind: which of them.
        name: what stands before the check's name; of a split or a run.
    """
    start = time.perf_counter()
    try:
        found = read_seal(folder, kind).damage()
    except FileNotFoundError:
        found = [(SEAL, "it is missing")]
    except BigrecError as error:
        found = [(SEAL, error.message)]
    return CheckResult(
        name=f"{name}: {kind.label}_files_are_whole" if name else f"{kind.label}_files_are_whole",
        title="Every file is as it was written",
        columns=("file", "wrong"),
        bad_rows=tuple(found),
        more_rows=False,
        seconds=time.perf_counter() - start,
    )


def check_rows(find_other_rows: Callable[[], list[tuple[str, str, str]]]) -> CheckResult:
    """The check of the rows' digest, given what counts it again.

    Args:
        find_other_rows: gives the sort orders with other rows: folder, digest, expected digest.
    """
    start = time.perf_counter()
    bad_rows = tuple(find_other_rows())
    return CheckResult(
        name="rows_are_those_ingested",
        title="The digest of all rows is that of the raw files",
        columns=("folder", "digest", "expected"),
        bad_rows=bad_rows,
        more_rows=False,
        seconds=time.perf_counter() - start,
    )


def _run_check(session: Session, check: NamedQuery, split: str) -> CheckResult:
    start = time.perf_counter()
    try:
        result = session.run(check.sql)
        columns = tuple(result.columns)
        rows = result.limit(MAX_BAD_ROWS + 1).fetchall()
    except (QueryError, StoreError) as error:  # a file that cannot be read, or lacks a column
        columns, rows = ("error",), [(error.message,)]
    return CheckResult(
        name=f"{split}: {check.name}" if split else check.name,
        title=check.title,
        columns=columns,
        bad_rows=tuple(rows[:MAX_BAD_ROWS]),
        more_rows=len(rows) > MAX_BAD_ROWS,
        seconds=time.perf_counter() - start,
    )
