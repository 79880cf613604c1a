"""Saved splits: creating one (a description and its counts), opening one, reading it lazily.

splits/NAME/split.json        the spec, its digest, its counts
splits/NAME/users.parquet     user_id, n_train, n_validation, n_test; row number = user_index;
                              of leave-last also test_from_date or test_from_time, and
                              test_from_item_id
splits/NAME/items.parquet    item_id, n_train, n_validation, n_test; row number = item_index
splits/NAME/shards/           once materialized (see materialize)
splits/NAME/days/             once a training asked for them (see days)
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from bigrec.errors import SettingsError, SplitError
from bigrec.interactions import Packing
from bigrec.resources import SILENT, Budget, Progress
from bigrec.schema import ITEM_ID, USER_ID
from bigrec.splits.filters import candidates, find_k_core
from bigrec.splits.kernels import TEST, TRAIN, VALIDATION
from bigrec.splits.selection import Counts, Selection, count_subsets, index_ids
from bigrec.splits.spec import SplitSpec
from bigrec.splits.subsets import (
    check_times,
    find_last_starts,
    find_test_from,
    lazy_subset,
    rule_for,
    start_columns,
    starts_of,
    temporal_starts,
)  # fmt: skip
from bigrec.store.catalog import Catalog, scan_file
from bigrec.store.locks import sweep_beside, writer_lock
from bigrec.store.publish import drafting, made_parents
from bigrec.store.seal import SEAL, Kind, damaged, open_sealed, read_object
from bigrec.store.small_tables import arrow_column, write_table

Array = np.ndarray[Any, Any]

MAX_NAME: Final = 200
"""Characters of a split's name: with what hidden files beside it add, a file system takes it."""


@dataclass(frozen=True)
class SplitSummary:
    """The counts of a split."""

    name: str
    """The name it was saved under."""
    n_train: int
    """Rows in the train subset."""
    n_test: int
    """Rows in the test subset."""
    n_users: int
    """Users with a row in any subset."""
    n_items: int
    """Items with a row in any subset."""
    seconds: float
    """Wall time of creating it."""
    n_validation: int = 0
    """Rows in the validation subset."""
    n_dropped: int = 0
    """Validation and test rows that a warm split leaves out."""
    k_core_rounds: int = 0
    """Scans that finding the k-core took, the last of which dropped nothing; 0 without one."""
    test_from: str | None = None
    """First day or time of the test subset, ISO 8601; None unless the method is temporal."""


@dataclass(frozen=True)
class Split:
    """A saved split of a store."""

    catalog: Catalog
    spec: SplitSpec
    summary: SplitSummary
    digest: str
    """Identity of the split: of the store's rows and the spec."""

    @property
    def name(self) -> str:
        """The name it was saved under."""
        return self.summary.name

    @property
    def folder(self) -> Path:
        """Where it is saved."""
        return self.catalog.layout.split(self.name)

    @property
    def shards(self) -> Path:
        """Where its materialized form is, if anywhere."""
        return self.folder / "shards"

    @property
    def days(self) -> Path:
        """Where the days of its materialized form are, if anywhere."""
        return self.folder / "days"

    @property
    def train(self) -> pl.LazyFrame:
        """The train subset: the columns of ratings, lazily read from the store."""
        return self._subset(TRAIN)

    @property
    def validation(self) -> pl.LazyFrame:
        """The validation subset, likewise; without rows if the split has none."""
        return self._subset(VALIDATION)

    @property
    def test(self) -> pl.LazyFrame:
        """The test subset, likewise."""
        return self._subset(TEST)

    def _subset(self, subset: int) -> pl.LazyFrame:
        return lazy_subset(
            self.catalog, self.spec, self.users(), self.items(), self.summary.test_from, subset
        )

    def users(self) -> pl.LazyFrame:
        """user_id, n_train, n_validation, n_test in order of user_index."""
        return scan_file(self.folder / "users.parquet")

    def items(self) -> pl.LazyFrame:
        """item_id, n_train, n_validation, n_test in order of item_index."""
        return scan_file(self.folder / "items.parquet")

    def selection(self) -> Selection:
        """What the split takes, as scans read it."""
        users, items = self.users().collect(), self.items().collect()
        by_id = index_ids(users[USER_ID].to_numpy()), index_ids(items[ITEM_ID].to_numpy())
        starts = np.empty(0, np.uint64)
        if self.summary.test_from is not None:
            starts = temporal_starts(self.summary.test_from, by_id[0])
        elif self.spec.method == "leave-last":
            starts = starts_of(users, self.catalog.manifest.time_unit)
        warm = tuple(np.array(frame["n_train"] > 0) for frame in (users, items))
        rule = rule_for(
            self.spec,
            *by_id,
            starts=starts,
            time_unit=self.catalog.manifest.time_unit,
            probe=self.catalog.probe() if self.spec.method == "probe" else None,
            warm=(warm[0], warm[1]) if self.spec.warm else None,
        )
        return Selection(*by_id, rule)


def create_split(
    catalog: Catalog,
    name: str,
    spec: SplitSpec,
    *,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> Split:
    """Count a split's rows and save its description under a name.

    Counting is one scan. A k-core takes one more a round, leave-last and a temporal fraction one
    more (the fraction two, where times are kept by the second), and a warm split one more if it
    drops rows.

    The same spec under the same name a second time changes nothing.

    Args:
        catalog: the store.
        name: letters, digits, `-`, `_` and `.`, at most MAX_NAME of them.
        spec: what decides the split.
        budget: threads to scan with.
        progress: told of scanned rows.

    Raises:
        SettingsError: the name cannot be a folder's name.
        SplitError: the name is taken by another split, a subset would be empty, the store keeps no
            times that the split needs, or there are more users and items than a pair can tell
            apart.
    """
    (split,) = _create_all(catalog, {name: spec}, budget or Budget(), progress)
    return split


def create_folds(
    catalog: Catalog,
    name: str,
    spec: SplitSpec,
    *,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> list[Split]:
    """Create all splits of one partition, or none: NAME-1 to NAME-K, for the K of spec.folds.

    Args:
        catalog: the store.
        name: what the names begin with.
        spec: of the method folds; its `fold` does not matter.
        budget: threads to scan with.
        progress: told of scanned rows.

    Raises:
        SettingsError: a name cannot be a folder's name.
        SplitError: as in `create_split`, of any fold.
    """
    folds = range(1, spec.folds + 1)
    specs = {f"{name}-{fold}": dataclasses.replace(spec, fold=fold) for fold in folds}
    return _create_all(catalog, specs, budget or Budget(), progress)


def _create_all(
    catalog: Catalog, specs: dict[str, SplitSpec], budget: Budget, progress: Progress
) -> list[Split]:
    """Create splits by name: each appears once all of them are written.

    Another process that creates one of them is waited for; what it has made is not made again.
    """
    existing = {name: _find_existing(catalog, name, spec) for name, spec in specs.items()}
    with ExitStack() as unpublished:
        folder = Path(os.path.realpath(catalog.layout.splits))
        if all(existing.values()):
            sweep_beside(folder / min(specs))
        else:
            unpublished.enter_context(made_parents(folder))
        for name in sorted(name for name, split in existing.items() if split is None):
            unpublished.enter_context(
                writer_lock(folder / name, wait=progress.note, error=SplitError)
            )
            existing[name] = _find_existing(catalog, name, specs[name])
        return [
            existing[name]
            or unpublished.enter_context(_creating(catalog, name, spec, budget, progress))
            for name, spec in specs.items()
        ]


def _find_existing(catalog: Catalog, name: str, spec: SplitSpec) -> Split | None:
    """The split of this name and spec, if there is one; stops where it has another spec."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise SettingsError(
            f"{name!r} cannot name a split", hint="use letters, digits, '-', '_' and '.'"
        )
    if len(name) > MAX_NAME:
        raise SettingsError(
            f"expected the name of a split to have at most {MAX_NAME} characters, found {len(name)}"
        )
    if name not in catalog.split_names():
        return None
    existing = open_split(catalog, name)
    if existing.spec == spec:
        return existing
    raise SplitError(
        f"the split {name!r} exists: {existing.spec.protocol()}",
        hint=f"choose another name, or remove {existing.folder}",
    )


@contextmanager
def _creating(
    catalog: Catalog, name: str, spec: SplitSpec, budget: Budget, progress: Progress
) -> Iterator[Split]:
    """Count and write one split, whose lock is held; it appears if the block ends well."""
    started = time.perf_counter()
    found = _resolve(catalog, spec, budget, progress)
    by_user, by_item = found.counts.by_user, found.counts.by_item
    n_train, n_validation, n_test = by_user.sum(axis=0, dtype=np.int64).tolist()
    subsets = {"train": n_train, "test": n_test}
    if spec.validation_fraction:
        subsets["validation"] = n_validation
    if not all(subsets.values()):
        rows = ", ".join(f"{n:,} {subset}" for subset, n in subsets.items())
        raise SplitError(
            f"this split would have {rows} rows: {spec.protocol()} leaves "
            f"{np.count_nonzero(by_user.any(axis=1)):,} users and "
            f"{np.count_nonzero(by_item.any(axis=1)):,} items",
            hint="loosen the filters or take another share of rows",
        )
    summary = SplitSummary(
        name=name,
        n_train=n_train,
        n_test=n_test,
        n_users=int(np.count_nonzero(by_user.any(axis=1))),
        n_items=int(np.count_nonzero(by_item.any(axis=1))),
        seconds=time.perf_counter() - started,
        n_validation=n_validation,
        n_dropped=found.counts.n_dropped,
        k_core_rounds=found.k_core_rounds,
        test_from=found.test_from,
    )
    digest = spec.digest(catalog.manifest.fingerprint)
    fields = {
        "spec": spec.to_json(),
        "digest": digest,
        "protocol": spec.protocol(),
        "counts": dataclasses.asdict(summary),
    }
    starts = {}
    if spec.method == "leave-last":
        starts = start_columns(found.selection.rule.starts, catalog.manifest.time_unit)
    folder = Path(os.path.realpath(catalog.layout.splits)) / name
    with drafting(folder, Kind.SPLIT) as draft:
        partial = draft.folder
        _write_ids(partial / "users.parquet", USER_ID, found.selection.users.ids, by_user, **starts)
        _write_ids(partial / "items.parquet", ITEM_ID, found.selection.items.ids, by_item)
        (partial / "split.json").write_text(json.dumps(fields, indent=2) + "\n")
        yield Split(catalog, spec, summary, digest)


def open_split(catalog: Catalog, name: str) -> Split:
    """Open a saved split.

    Raises:
        SplitError: the store has no such split, or it belongs to other data.
    """
    path = catalog.layout.split(name) / "split.json"
    if name not in (names := catalog.split_names()):
        raise SplitError.unknown(name, names)
    try:
        open_sealed(path.parent, Kind.SPLIT)
        fields = read_object(path, Kind.SPLIT)
        spec = SplitSpec.from_json(fields["spec"])
        summary = SplitSummary(**fields["counts"])
    except FileNotFoundError:
        raise damaged(Kind.SPLIT, path.parent, f"it lacks {SEAL}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(Kind.SPLIT, path, f"a field lacks or is wrong ({error})") from error
    digest = spec.digest(catalog.manifest.fingerprint)
    if digest != fields["digest"]:
        raise SplitError(
            f"the split {name!r} was made of other ratings, or by other rules, than those of now",
            hint=f"remove {path.parent} and make the split again",
        )
    return Split(catalog, spec, summary, digest)


@dataclass(frozen=True)
class _Resolved:
    """A spec applied to a store."""

    selection: Selection
    counts: Counts
    k_core_rounds: int
    test_from: str | None


def _resolve(catalog: Catalog, spec: SplitSpec, budget: Budget, progress: Progress) -> _Resolved:
    """Settle all that depends on more than one row, then count."""
    check_times(catalog, spec)
    probe = catalog.probe() if spec.method == "probe" else None
    users, items = candidates(catalog, spec)
    Packing.for_counts(len(users.ids), len(items.ids), len(catalog.manifest.scale.values))
    rounds = 0
    if spec.k_core:
        users, items, rounds = find_k_core(catalog, users, items, spec, budget, progress)
    undivided = Selection(users, items, rule_for(spec, users, items, subsets=False))
    test_from, starts = None, np.empty(0, np.uint64)
    if spec.method == "temporal":
        test_from = spec.test_from or find_test_from(catalog, undivided, spec, budget, progress)
        starts = temporal_starts(test_from, users)
    elif spec.method == "leave-last":
        starts = find_last_starts(catalog, undivided, spec, budget, progress)
    time_unit = catalog.manifest.time_unit
    rule = rule_for(spec, users, items, starts=starts, time_unit=time_unit, probe=probe)
    selection = Selection(users, items, rule)
    counts = count_subsets(catalog, selection, budget, progress, "counting")
    if spec.warm:
        warm_users, warm_items = (by[:, TRAIN] > 0 for by in (counts.by_user, counts.by_item))
        if (counts.by_user.any(axis=1) & ~warm_users).any() or (
            counts.by_item.any(axis=1) & ~warm_items
        ).any():
            rule = rule._replace(drops_cold=True, warm_users=warm_users, warm_items=warm_items)
            selection = Selection(users, items, rule)
            counts = count_subsets(catalog, selection, budget, progress, "dropping cold rows")
    return _Resolved(selection, counts, rounds, test_from)


def _write_ids(path: Path, column: str, ids: Array, counts: Array, **more: Array) -> None:
    """Write those ids that have a row, with their counts by subset and further columns."""
    present = counts.any(axis=1)
    columns = {
        column: ids,
        "n_train": counts[:, TRAIN],
        "n_validation": counts[:, VALIDATION],
        "n_test": counts[:, TEST],
        **more,
    }
    write_table(path, {name: arrow_column(values[present]) for name, values in columns.items()})
