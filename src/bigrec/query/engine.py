"""Work of the engine for one query: it can be interrupted, ends in time, and is about one store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from bigrec.errors import QueryError, StoreError
from bigrec.query.engine_errors import translate_error
from bigrec.store.seal import SEAL

_GRACE_SECONDS: Final = 2.0  # to stop; a function over one huge text does not listen
_ENGINE_BUGS: Final = (RuntimeError, OverflowError, UnicodeError)
"""What the engine's Python side raises beside its own errors."""

Result = TypeVar("Result")


class Mark:
    """The mark of a store as it was, which tells whether another store has taken its place."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()  # the working folder may change meanwhile
        self._was = self._look()

    def require_same(self) -> None:
        """Stop where the store is not the one that was opened.

        Raises:
            StoreError: it was replaced or removed.
        """
        if self._look() != self._was:
            raise StoreError(
                f"the store at {self._root} was replaced or removed while it was queried",
                hint="open it again",
            )

    def _look(self) -> tuple[int, ...]:
        try:
            status = (self._root / SEAL).stat()
        except OSError:
            return ()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class Engine:
    """One connection for one query, and the time that is left for it."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, timeout: float | None, mark: Mark
    ) -> None:
        self.connection = connection
        self._timeout = timeout
        self._left = timeout
        self._mark = mark

    def call(self, work: Callable[[], Result]) -> Result:
        """Run work of the engine so that Ctrl-C and the end of its time stop it.

        The work is done by a second thread, since Python cannot interrupt the one that is inside
        the engine; the first waits, and tells the engine to stop.

        Raises:
            BigrecError: the engine's error as one of bigrec, the time is over, or the store is
                another one by now.
        """
        begin = time.monotonic()
        future = _in_thread(work)
        try:
            late = wait([future], timeout=self._left).not_done
        except KeyboardInterrupt:
            self._stop(future)
            raise
        if self._left is not None:
            self._left = max(self._left - (time.monotonic() - begin), 0.0)
        if late:
            self._stop(future)
            raise QueryError(
                f"the query took longer than {self._timeout:g} seconds",
                hint="give it more with --timeout, or ask for less",
            )
        self._mark.require_same()
        try:
            return future.result()
        except duckdb.Error as error:
            raise translate_error(error, _view_columns(self.connection)) from error
        except _ENGINE_BUGS as error:
            raise QueryError(f"the engine failed: {error}") from error

    def _stop(self, future: Future[Any]) -> None:
        """Interrupt the engine until it ends, or leave it to itself where it does not listen."""
        end = time.monotonic() + _GRACE_SECONDS
        # The engine forgets an interrupt that comes before its query has begun.
        while wait([future], timeout=0.02).not_done and time.monotonic() < end:
            self.connection.interrupt()


def _in_thread(work: Callable[[], Result]) -> Future[Result]:
    """Begin work in a thread that the end of the process does not wait for."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _view_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    with suppress(duckdb.Error):  # a connection that failed for good has no more to say
        rows = connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        for table, column in rows:
            columns.setdefault(table, []).append(column)
    return columns
