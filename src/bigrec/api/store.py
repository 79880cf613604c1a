"""A store, from Python: opened, asked, split, checked."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import polars as pl

from bigrec.api.arguments import MAYBE_BUDGET, as_path, check_types
from bigrec.api.split import Split
from bigrec.errors import SettingsError, SplitError
from bigrec.inspection import describe_store, inspect_runs, inspect_store
from bigrec.query.session import QueryResult, Session, open_session
from bigrec.resources import SILENT, Budget, Progress
from bigrec.splits.key_lists import require_ids
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split, open_split
from bigrec.store.catalog import Catalog, open_catalog
from bigrec.store.manifest import Manifest
from bigrec.store.vocabulary import Key, items_of, users_of

if TYPE_CHECKING:
    from bigrec.query.checks import CheckResult
    from bigrec.report.page import ReportSummary


class SplitFields(TypedDict, total=False):
    """The fields of a SplitSpec, each of which may be left out."""

    min_item_ratings: int
    min_user_ratings: int
    method: str
    test_fraction: float
    seed: int
    k_core: int
    first_date: str | None
    last_date: str | None
    item_ids: Sequence[Key] | None
    user_ids: Sequence[Key] | None
    test_from: str | None
    last: int
    folds: int
    fold: int
    validation_fraction: float
    warm: bool


def open(store: str | Path, *, budget: Budget | None = None) -> Store:  # noqa: A001
    """Open a store. In a `with` block, or by `close`, what its queries opened is closed again.

    Args:
        store: its folder.
        budget: memory and threads of all that is computed of the store, its splits and their runs;
            1 GiB and all cores if None.

    Raises:
        SettingsError: an argument is of another type.
        StoreError: there is none, or it cannot be read.

    Examples:
        >>> with bigrec.open("store", budget=bigrec.Budget(threads=2)) as store:
        ...     store.sql("SELECT count(*) FROM ratings").fetchall()
    """
    check_types(budget=(budget, MAYBE_BUDGET))
    return Store(open_catalog(as_path("store", store)), budget or Budget())


def check_runs(runs: str | Path = "runs", *, progress: Progress = SILENT) -> list[CheckResult]:
    """Read every file of all runs of a folder again, and compare it with what was written.

    Args:
        runs: the folder of runs.
        progress: told of finished runs.

    Raises:
        SettingsError: the argument is of another type.
        RunError: there is no such folder.

    Examples:
        >>> [check.name for check in bigrec.check_runs("runs") if not check.passed]
        []
    """
    return inspect_runs(as_path("runs", runs), progress=progress)


@dataclasses.dataclass(frozen=True)
class Store:
    """An opened store."""

    catalog: Catalog
    """Its files, read lazily."""
    budget: Budget
    """Memory and threads of all that is computed of it, its splits and their runs."""

    @property
    def manifest(self) -> Manifest:
        """What the store holds."""
        return self.catalog.manifest

    def ratings(self) -> pl.LazyFrame:
        """All ratings: item_id INT32, user_id INT32, rating FLOAT32 (stars), date DATE."""
        return self.catalog.ratings()

    def items(self) -> pl.LazyFrame:
        """item_id, title, year, n_ratings, mean_rating."""
        return self.catalog.items()

    def users(self) -> pl.LazyFrame:
        """user_id, n_ratings, mean_rating, first_date, last_date."""
        return self.catalog.users()

    def sql(self, query: str, parameters: Mapping[str, object] | None = None) -> QueryResult:
        """Run a SQL query over the views of the store; `.pl()` gives a Polars frame.

        The answer is computed while it is read, which must be before the store is closed.

        Args:
            query: one SELECT; `$name` stands for a parameter.
            parameters: values by name.

        Raises:
            SettingsError: the query is no text, or the parameters are no mapping.
            QueryError: see bigrec.query.session.Session.run.

        Examples:
            >>> store.sql("FROM items WHERE year < $year", {"year": 1950}).pl()
        """
        check_types(query=(query, str), parameters=(parameters, Mapping | None))
        result = self._session.run(query, parameters)
        weakref.finalize(result, _release, self).atexit = False  # a store outlives its answers
        return result

    def info(self) -> dict[str, Any]:
        """What the store holds and was made from, as `bigrec info --json` prints it.

        Raises:
            StoreError: it cannot be read any more.

        Examples:
            >>> store.info()["splits"]
            ['large']
        """
        return describe_store(self.catalog.layout.root)

    def check(self, *, deep: bool = False, progress: Progress = SILENT) -> list[CheckResult]:
        """Read every file again, and look for rows that contradict each other.

        Args:
            deep: whether the digest of all rows is counted again, as the ingest did.
            progress: told of finished checks.

        Returns:
            All checks, those that did not pass included.

        Raises:
            SettingsError: an argument is of another type.
            StoreError: there is no store any more.

        Examples:
            >>> all(check.passed for check in store.check())
            True
        """
        check_types(deep=(deep, bool))
        root = self.catalog.layout.root
        return inspect_store(root, deep=deep, budget=self.budget, progress=progress)

    def report(
        self,
        output: str | Path,
        *,
        runs: str | Path | None = None,
        split: str | None = None,
        figures: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> ReportSummary:
        """Write one HTML page about the store, and about the runs of one of its splits.

        Needs the extra `report`.

        Args:
            output: the page to write.
            runs: the folder of runs; None for a report of the data alone.
            split: the split to report on; if None, that of the latest run, else the latest.
            figures: a folder that gets each figure as SVG and PNG too.
            progress: told of finished sections.

        Raises:
            SettingsError: an argument is of another type, or the page cannot be written there.
            SplitError: the store has no such split.

        Examples:
            >>> store.report("report.html", runs="runs").n_figures
        """
        check_types(split=(split, str | None))
        from bigrec.report.page import write_report

        return write_report(
            self.catalog, as_path("output", output),
            runs_folder=None if runs is None else as_path("runs", runs), split=split,
            budget=self.budget, progress=progress,
            figures=None if figures is None else as_path("figures", figures),
        )  # fmt: skip

    def split(
        self, name: str, spec: SplitSpec | None = None, **fields: Unpack[SplitFields]
    ) -> Split:
        """Open a saved split; with a spec or fields of one, create it unless it exists.

        Args:
            name: of the split.
            spec: what decides the split; SplitSpec() is the default one: all ratings, a random
                fifth of which is the test subset.
            **fields: of SplitSpec, in place of a spec. Where the store keeps keys, item_ids and
                user_ids are keys; those of a SplitSpec are numbers of the store.

        Raises:
            SettingsError: a field is none of SplitSpec, or has a value that cannot be; both a spec
                and fields are given; or the name cannot be a folder's.
            SplitError: there is no such split to open; the name is taken by another split; or a
                subset would be empty.

        Examples:
            >>> store.split("default", bigrec.SplitSpec())
            >>> store.split("large", min_item_ratings=10_001, min_user_ratings=231)
            >>> store.split("large").protocol
        """
        check_types(name=(name, str), spec=(spec, SplitSpec | None))
        if spec is not None and fields:
            raise SettingsError(
                f"expected a SplitSpec or fields of one, found both: {', '.join(fields)}"
            )
        wanted = _split_spec(self.catalog, fields) if fields else spec
        if wanted is not None:
            saved = create_split(self.catalog, name, wanted, budget=self.budget)
        elif name in self.catalog.split_names():
            saved = open_split(self.catalog, name)
        else:
            raise SplitError(
                SplitError.unknown(name, self.catalog.split_names()).message,
                hint=f"make it with store.split({name!r}, bigrec.SplitSpec()), or with fields of "
                f"one; there are: {', '.join(self.catalog.split_names()) or 'none yet'}",
            )
        return Split(self, saved)

    def close(self) -> None:
        """Close what queries opened; the store can be used again all the same."""
        session = self.__dict__.pop("_session", None)
        if session is not None:
            session.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    @cached_property
    def _session(self) -> Session:
        """One for all queries, closed with the store, or when nobody holds it any more."""
        session = open_session(self.catalog.layout.root, budget=self.budget)
        weakref.finalize(self, session.close)
        return session


def _release(_: Store) -> None:
    """Let a store go that an answer has held."""


def _split_spec(catalog: Catalog, fields: SplitFields) -> SplitSpec:
    names = [field.name for field in dataclasses.fields(SplitSpec)]
    for name in fields:
        if name not in names:
            raise SettingsError.unknown_name("field of a split", name, names)
    numbered: dict[str, Any] = dict(fields)
    try:
        for name, vocabulary in (("item_ids", items_of(catalog)), ("user_ids", users_of(catalog))):
            if vocabulary.has_keys and numbered.get(name) is not None:
                numbered[name] = require_ids(vocabulary, [str(key) for key in numbered[name]])
        return SplitSpec(**numbered)
    except TypeError as error:  # a comparison of what cannot be compared
        shown = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        raise SettingsError(f"a field of the split has another type: {shown}: {error}") from error
