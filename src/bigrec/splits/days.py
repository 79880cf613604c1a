"""The days of a split's ratings, beside its materialized form and only for those who ask.

    splits/NAME/days/manifest.json        digest of the split
    splits/NAME/days/SUBSET.npy             (n_rows,) uint16, days since 1921, in the order of the
                                          rows of shards/SUBSET

Few models read them, and reading dates costs a scan of its own, so they are written by the first
training that needs them.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

import numpy as np

from bigrec.resources import Budget, Progress
from bigrec.schema import DATE
from bigrec.splits.array_file import ArrayFile
from bigrec.splits.kernels import TEST, TRAIN, VALIDATION
from bigrec.splits.selection import SelectedRows, scan_selected
from bigrec.splits.shards import FORMAT_VERSION, making_once
from bigrec.splits.splits import Split
from bigrec.store.publish import Draft
from bigrec.store.seal import Kind

Array = np.ndarray[Any, Any]

_SUBSETS: Final = (TRAIN, VALIDATION, TEST)


def write_days(split: Split, budget: Budget, progress: Progress) -> None:
    """Write the days of a materialized split unless they are there already.

    Args:
        split: a saved split, materialized: so the store has ratings by user.
        budget: threads.
        progress: told of finished rows, and in words of another process that is waited for.
    """
    making_once(
        split.days, Kind.DAYS, split.digest, progress,
        lambda draft: _write_days(draft, split, budget, progress),
    )  # fmt: skip


def _write_days(draft: Draft, split: Split, budget: Budget, progress: Progress) -> None:
    summary = split.summary
    n_rows = {
        "train": summary.n_train, "validation": summary.n_validation, "test": summary.n_test
    }  # fmt: skip
    progress.start("reading days", split.catalog.manifest.n_ratings, "ratings")
    with contextlib.ExitStack() as stack:
        files = [
            stack.enter_context(ArrayFile(draft.folder / f"{name}.npy", "<u2", n))
            for name, n in n_rows.items()
        ]
        for days, n_read in scan_selected(
            split.catalog, split.selection(), budget.threads, _days_by_subset, columns=[DATE]
        ):
            for file, of_subset in zip(files, days, strict=True):
                file.append(of_subset)
            progress.advance(n_read, n_read)
    draft.digests.update((file.path, file.digest) for file in files)
    fields = {"format_version": FORMAT_VERSION, "split_digest": split.digest}
    (draft.folder / "manifest.json").write_text(json.dumps(fields, indent=2) + "\n")


def _days_by_subset(rows: SelectedRows) -> tuple[list[Array], int]:
    """The days of each subset, and how many rows were read."""
    day = rows.day.astype(np.uint16)
    return [day[rows.subset == subset] for subset in _SUBSETS], rows.n_read
