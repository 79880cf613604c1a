"""A DuckDB session that can read one store, and do nothing else.

Memory, threads and spill folder come from the Budget. Files outside the store, the network,
extensions and settings are out of reach by the engine's configuration, which is locked before the
first query; `guard` refuses every statement that does more than read. Nothing here imports Polars,
pyarrow or NumPy, so that a query of one user answers at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import combinations, islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import duckdb

from bigrec.errors import QueryError, ResourceError, SettingsError, StoreError
from bigrec.query.engine import Engine, Mark
from bigrec.query.guard import require_reading
from bigrec.query.library import ItemKey, UserKey, as_number
from bigrec.query.statements import split_statements
from bigrec.query.types import as_arrow, as_python, as_text, read_json
from bigrec.query.views import view_queries
from bigrec.resources import Budget
from bigrec.scratch import scratch_folder
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest, read_manifest
from bigrec.store.sql_text import escape_pattern, quote_name, quote_text

if TYPE_CHECKING:
    import polars
    import pyarrow

BATCH_ROWS: Final = 1 << 16
# What Python, the engine's code and its Parquet readers take beside the memory it accounts for.
_UNACCOUNTED_BYTES: Final = 160 << 20
_ACCOUNTED_SHARE: Final = 0.8  # of what the engine takes, when it sorts more than it may hold
_MIN_ENGINE_BYTES: Final = 96 << 20

_LONGEST_TIMEOUT: Final = 1_000_000_000
_MOST_READINGS: Final = 64  # of untyped parameters as text or as numbers
_WHOLE: Final = re.compile(r"[0-9]+")


class QueryResult:
    """The answer to one query. It is computed while it is read, and anew for every reading."""

    def __init__(
        self,
        engine: Engine,
        relation: duckdb.DuckDBPyRelation,
        *,
        columns: Sequence[str] | None = None,
        json_columns: Sequence[int] = (),
    ) -> None:
        self._engine = engine
        self._relation = relation
        self.columns: list[str] = list(relation.columns if columns is None else columns)
        self.types: list[str] = [str(kind) for kind in relation.types]
        self._json_columns = json_columns

    def limit(self, n_rows: int) -> QueryResult:
        """The first rows; the engine computes no more of them than it must.

        Args:
            n_rows: how many.
        """
        return QueryResult(
            self._engine,
            self._relation.limit(n_rows),
            columns=self.columns,
            json_columns=self._json_columns,
        )

    def as_text(self) -> QueryResult:
        """The same rows with what Python has no value for as the engine's text; see `types`."""
        cast = [as_text(f"#{number}", kind) for number, kind in enumerate(self.types, start=1)]
        return QueryResult(
            self._engine,
            self._relation.project(", ".join(sql for sql, _ in cast)),
            columns=self.columns,
            json_columns=[index for index, (_, is_json) in enumerate(cast) if is_json],
        )

    def as_arrow(self) -> QueryResult:
        """The same rows with what Arrow or Parquet have no type for as text; see `types`."""
        return QueryResult(self._engine, self._cast(as_arrow))

    def _cast(self, cast: Callable[[str, str], str]) -> duckdb.DuckDBPyRelation:
        named = zip(self.columns, self.types, strict=True)
        columns = (
            f"{cast(f'#{number}', kind)} AS {quote_name(name)}"
            for number, (name, kind) in enumerate(named, start=1)
        )
        return self._relation.project(", ".join(columns))

    def count(self) -> int:
        """The number of rows."""
        rows = self._engine.call(self._relation.aggregate("count(*)").fetchall)
        return int(rows[0][0])

    def row_batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows as lists of Python values, at most BATCH_ROWS rows each."""
        stream = self._engine.call(lambda: self._relation.iter_rows(BATCH_ROWS))
        while rows := self._engine.call(lambda: list(islice(stream, BATCH_ROWS))):
            yield self._read_json(rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as Python values; what Python has no value for is text."""
        return self._read_json(self._engine.call(self._cast(as_python).fetchall))

    def batches(self) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
        """The Arrow schema, and the rows as a stream of Arrow batches."""
        reader = self._engine.call(lambda: self._relation.to_arrow_reader(BATCH_ROWS))

        def stream() -> Iterator[pyarrow.RecordBatch]:
            while (batch := self._engine.call(lambda: next(reader, None))) is not None:
                yield batch

        return reader.schema, stream()

    def pl(self) -> polars.DataFrame:
        """All rows as a Polars DataFrame; what Arrow has no type for is text."""
        frame: polars.DataFrame = self._engine.call(self._cast(as_arrow).pl)
        return frame

    def _read_json(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if not self._json_columns:
            return rows
        changed = []
        for row in rows:
            values = list(row)
            for index in self._json_columns:
                values[index] = None if row[index] is None else read_json(row[index])
            changed.append(tuple(values))
        return changed


def _readings(parameters: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """What parameters may mean: untyped ones are text, then as few of them numbers as will do."""
    read = {name: as_number(value) for name, value in parameters.items()}
    numbers = {name: number for name, number in read.items() if number is not parameters[name]}
    for n_numbers in range(len(numbers) + 1):
        for names in combinations(numbers, n_numbers):
            yield {**parameters, **{name: numbers[name] for name in names}}


class Session:
    """An open store under SQL; see `open_session`."""

    def __init__(
        self,
        layout: StoreLayout,
        manifest: Manifest,
        connection: duckdb.DuckDBPyConnection,
        stack: ExitStack,
        timeout: float | None,
        mark: Mark,
    ) -> None:
        self.layout = layout
        self.manifest = manifest
        self._connection = connection
        self._stack = stack
        self._timeout = timeout
        self._mark = mark

    def run(
        self,
        query: str,
        parameters: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> QueryResult:
        """Bind one reading statement; rows are computed when the result is read.

        Args:
            query: SQL with parameters as `$name`.
            parameters: a value for each of them. Text that is `Untyped` is a number where the
                query needs one, and text where it is compared with text. A `UserKey` or an
                `ItemKey` is the store's number of whom or what the source calls so.
            timeout: seconds that the engine may work for it, reading included; those of the
                session if None.

        Raises:
            QueryError: the statement is refused, the engine does not understand it, or it takes
                longer than its timeout.
            StoreError: the store was replaced or removed since the session was opened.
            SettingsError: the timeout is no time, or the store has no user or item of a key.
        """
        _require_time(timeout)
        try:
            query.encode()
        except UnicodeEncodeError as error:
            raise QueryError("the query has bytes that are no UTF-8") from error
        statements, rest = split_statements(query)
        if len(statements) == 1 and not rest:
            query = statements[0]  # without what follows its semicolon
        # A connection of its own keeps one result readable while the next query runs.
        seconds = self._timeout if timeout is None else timeout
        engine = Engine(self._connection.cursor(), seconds, self._mark)
        checked = engine.call(lambda: require_reading(engine.connection, query))
        values = {
            name: self._id_of(value, engine) if isinstance(value, UserKey | ItemKey) else value
            for name, value in (parameters or {}).items()
        }

        def bind() -> duckdb.DuckDBPyRelation:
            first, *others = islice(_readings(values), _MOST_READINGS)
            try:
                return engine.connection.sql(checked, params=first)
            except duckdb.BinderException:
                for reading in others:
                    with suppress(duckdb.BinderException):
                        return engine.connection.sql(checked, params=reading)
                raise

        return QueryResult(engine, engine.call(bind))

    def _id_of(self, key: UserKey | ItemKey, engine: Engine) -> int:
        """The store's number of a user or an item."""
        role, has_keys = "item", self.manifest.item_keys
        if isinstance(key, UserKey):
            role, has_keys = "user", self.manifest.user_keys
        text = str(key)
        if not has_keys and _WHOLE.fullmatch(text.strip()):
            text = f"{int(text)}"
        query = f"SELECT {role}_id FROM {role}s WHERE key = $key"  # noqa: S608 - of two words
        rows = engine.call(lambda: engine.connection.execute(query, {"key": text}).fetchall())
        if not rows:
            raise SettingsError(
                f"the store has no {role} {text!r}",
                hint=f"some that it has: bigrec sql 'FROM {role}s LIMIT 10'",
            )
        return int(rows[0][0])

    def close(self) -> None:
        """Close the engine and remove what it spilled."""
        with suppress(duckdb.Error):  # busy with what did not stop at the end of its time
            self._connection.close()
        self._stack.close()

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


def open_session(
    store_root: Path,
    *,
    budget: Budget,
    views: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Session:
    """Open a store for SQL, locked down.

    Args:
        store_root: the store's folder.
        budget: memory, threads and the folder in which the engine may spill.
        views: the SELECT of further views by name, such as those of a split.
        timeout: seconds that one query may take; None for any time.

    Raises:
        StoreError: there is no store, or it is damaged.
        SettingsError: the timeout is no time.
        ResourceError: the budget names a folder that cannot take what is spilled.
    """
    _require_time(timeout)
    layout = StoreLayout(Path(store_root))
    mark = Mark(layout.root)
    manifest = read_manifest(layout)
    queries = {**view_queries(layout, manifest), **(views or {})}
    stack = ExitStack()
    spill_dir = _spill_folder(budget, stack)
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{_engine_bytes(budget)}B",
            "threads": budget.threads,
            "temp_directory": spill_dir,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "secret_directory": os.devnull,
            "python_enable_replacements": False,
        },
    )
    root = Path(os.path.realpath(layout.root))
    # A path is allowed as it is, and as it is named for the engine's files.
    allowed = ", ".join(quote_text(path) for path in {str(root), escape_pattern(root)})
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    try:
        for name, query in queries.items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
    except duckdb.Error as error:
        connection.close()
        stack.close()
        if links := _links_out_of(root):
            raise StoreError(
                f"queries read no file outside the store, but found symbolic links: "
                f"{', '.join(f'{link} to {os.path.realpath(link)}' for link in links)}",
                hint="copy the files into the store in their place; a link to the whole store "
                "does no harm",
            ) from error
        raise StoreError(
            f"a file of the store cannot be read: {error}",
            hint="ingest the raw files again with --overwrite",
        ) from error
    connection.execute("SET lock_configuration = true")
    return Session(layout, manifest, connection, stack, timeout, mark)


def _spill_folder(budget: Budget, stack: ExitStack) -> str:
    """A folder for the engine alone, which may read all that is in it, until the stack closes.

    One that was named has to serve. Where the system has none, nothing is spilled, so that queries
    that need not are answered: a machine may be read-only as a whole.
    """
    try:
        return str(stack.enter_context(scratch_folder(_spill_parent(budget))))
    except ResourceError:
        if budget.temp_dir is not None:
            raise
        return ""


def _require_time(timeout: float | None) -> None:
    if timeout is not None and not 0 < timeout < _LONGEST_TIMEOUT:
        raise SettingsError(
            f"expected a timeout of more than 0 and less than {_LONGEST_TIMEOUT:,} seconds, "
            f"found {timeout}"
        )


def _spill_parent(budget: Budget) -> Path:
    """The folder to spill into, resolved.

    Raises:
        ResourceError: the engine would take its name for another.
    """
    parent = Path(os.path.realpath(budget.spill_dir))
    if re.search(r"[\\\ud800-\udfff]", str(parent)):
        raise ResourceError(
            f"{parent} cannot take temporary files: its name has a backslash or bytes that are no "
            "UTF-8",
            hint="name another folder: BIGREC_TEMP_DIR, or temp_dir in bigrec.toml",
        )
    return parent


def _links_out_of(root: Path) -> list[Path]:
    """The symbolic links in a folder, given resolved, that lead out of it."""
    links = sorted(path for path in root.rglob("*") if path.is_symlink())
    return [link for link in links if not Path(os.path.realpath(link)).is_relative_to(root)]


def _engine_bytes(budget: Budget) -> int:
    left = budget.memory_bytes - _UNACCOUNTED_BYTES
    return max(int(left * _ACCOUNTED_SHARE), _MIN_ENGINE_BYTES)
