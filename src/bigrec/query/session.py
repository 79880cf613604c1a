"""A DuckDB session that can read one store, and do nothing else.

Memory, threads and spill folder come from the Budget. Files outside the store, the network,
extensions and settings are out of reach by the engine's configuration, which is locked before the
first query; `guard` refuses every statement that does more than read. Nothing here imports Polars,
pyarrow or NumPy, so that a query of one user answers at once.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import duckdb

from bigrec.errors import StoreError
from bigrec.query.engine_errors import translate_error
from bigrec.query.guard import require_reading
from bigrec.query.views import quote_text, view_queries
from bigrec.resources import Budget
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    import polars
    import pyarrow

BATCH_ROWS: Final = 1 << 16
# What Python, the engine's code and its Parquet readers take beside the memory it accounts for.
_UNACCOUNTED_BYTES: Final = 160 << 20
_ACCOUNTED_SHARE: Final = 0.8  # of what the engine takes, when it sorts more than it may hold
_MIN_ENGINE_BYTES: Final = 96 << 20

Result = TypeVar("Result")


class QueryResult:
    """The answer to one query. It is computed while it is read, and anew for every reading."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation
    ) -> None:
        self._connection = connection
        self._relation = relation
        self.columns: list[str] = list(relation.columns)
        self.types: list[str] = [str(kind) for kind in relation.types]

    def limit(self, n_rows: int) -> QueryResult:
        """The first `n_rows` rows; the engine computes no more of them than it must."""
        return QueryResult(self._connection, self._relation.limit(n_rows))

    def count(self) -> int:
        """The number of rows."""
        rows = _call(self._connection, self._relation.aggregate("count(*)").fetchall)
        return int(rows[0][0])

    def row_batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """Stream the rows as lists of Python values, at most BATCH_ROWS rows each."""
        stream = self._relation.iter_rows(BATCH_ROWS)
        while rows := _call(self._connection, lambda: list(islice(stream, BATCH_ROWS))):
            yield rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as Python values."""
        return _call(self._connection, self._relation.fetchall)

    def batches(self) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
        """The Arrow schema, and the rows as a stream of Arrow batches."""
        reader = _call(self._connection, lambda: self._relation.to_arrow_reader(BATCH_ROWS))

        def stream() -> Iterator[pyarrow.RecordBatch]:
            while (batch := _call(self._connection, lambda: next(reader, None))) is not None:
                yield batch

        return reader.schema, stream()

    def pl(self) -> polars.DataFrame:
        """All rows as a Polars DataFrame."""
        frame: polars.DataFrame = _call(self._connection, self._relation.pl)
        return frame


class Session:
    """An open store under SQL; see `open_session`."""

    def __init__(
        self,
        layout: StoreLayout,
        manifest: Manifest,
        connection: duckdb.DuckDBPyConnection,
        spill_dir: Path,
    ) -> None:
        self.layout = layout
        self.manifest = manifest
        self._connection = connection
        self._spill_dir = spill_dir

    def run(self, query: str, parameters: Mapping[str, object] | None = None) -> QueryResult:
        """Bind one reading statement; rows are computed when the result is read.

        Args:
            query: SQL with parameters as `$name`.
            parameters: a value for each of them.

        Raises:
            QueryError: the statement is refused, or the engine does not understand it.
        """
        # A connection of its own keeps one result readable while the next query runs.
        connection = self._connection.cursor()
        _call(connection, lambda: require_reading(connection, query))
        values = dict(parameters or {})
        relation = _call(connection, lambda: connection.sql(query, params=values))
        return QueryResult(connection, relation)

    def close(self) -> None:
        """Close the engine and remove what it spilled."""
        self._connection.close()
        shutil.rmtree(self._spill_dir, ignore_errors=True)

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
    store_root: Path, *, budget: Budget, views: Mapping[str, str] | None = None
) -> Session:
    """Open a store for SQL, locked down.

    Args:
        store_root: the store's folder.
        budget: memory, threads and the folder in which the engine may spill.
        views: the SELECT of further views by name, such as those of a split.

    Raises:
        StoreError: there is no store, or it is damaged.
    """
    layout = StoreLayout(Path(store_root))
    manifest = read_manifest(layout)
    queries = {**view_queries(layout, manifest), **(views or {})}
    # The engine may read its own spill folder, so it gets one that holds nothing else. It makes
    # the folder when it first spills.
    spill_dir = budget.spill_dir.resolve() / f"bigrec-sql-{secrets.token_hex(8)}"
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{_engine_bytes(budget)}B",
            "threads": budget.threads,
            "temp_directory": str(spill_dir),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        },
    )
    root = layout.root.resolve()
    connection.execute(f"SET allowed_directories = [{quote_text(root)}]")
    connection.execute("SET enable_external_access = false")
    try:
        for name, query in queries.items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
    except duckdb.Error as error:
        connection.close()
        if links := _links_out_of(root):
            raise StoreError(
                f"queries read no file outside the store, but found symbolic links: "
                f"{', '.join(f'{link} to {link.resolve()}' for link in links)}",
                hint="copy the files into the store in their place; a link to the whole store "
                "does no harm",
            ) from error
        raise StoreError(
            f"a file of the store cannot be read: {error}",
            hint="ingest the raw files again with --overwrite",
        ) from error
    connection.execute("SET lock_configuration = true")
    return Session(layout, manifest, connection, spill_dir)


def _links_out_of(root: Path) -> list[Path]:
    """The symbolic links in a folder, given resolved, that lead out of it."""
    links = sorted(path for path in root.rglob("*") if path.is_symlink())
    return [link for link in links if not link.resolve().is_relative_to(root)]


def _engine_bytes(budget: Budget) -> int:
    left = budget.memory_bytes - _UNACCOUNTED_BYTES
    return max(int(left * _ACCOUNTED_SHARE), _MIN_ENGINE_BYTES)


def _call(connection: duckdb.DuckDBPyConnection, work: Callable[[], Result]) -> Result:
    """Run work of the engine so that Ctrl-C stops it, its errors as errors of bigrec.

    The work is done by a second thread, since Python cannot interrupt the one that is inside the
    engine; the first waits, and tells the engine to stop.
    """
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            # The engine forgets an interrupt that comes before its query has begun.
            while wait([future], timeout=0.02).not_done:
                connection.interrupt()
            raise
        except duckdb.Error as error:
            raise translate_error(error, _view_columns(connection)) from error


def _view_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    columns: dict[str, list[str]] = {}
    for table, column in rows:
        columns.setdefault(table, []).append(column)
    return columns
