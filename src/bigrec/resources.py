"""What a stage may use, and whom it tells how far it is.

A Budget goes to every stage, and from there to DuckDB and to our own thread pools; what other
libraries are told of it stands in bigrec.thread_limits. A Progress is told of finished work; the
command line draws it, everybody else ignores it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Protocol, TypeVar

from bigrec.errors import ResourceError, SettingsError

_UNITS = {"": 1, "B": 1}
for _power, _prefix in enumerate("KMGTPE", start=1):
    _UNITS |= {f"{_prefix}B": 1000**_power, f"{_prefix}IB": 1024**_power, _prefix: 1024**_power}

DEFAULT_MEMORY_BYTES = 1 << 30
MIN_MEMORY_BYTES = 256 << 20
MAX_MEMORY_BYTES = 1 << 60
MAX_THREADS = 1024
"""More than helps on any machine, and few enough for every system to start."""
_HELPFUL_THREADS_PER_CORE = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def parse_bytes(text: str) -> int:
    """Read a size such as `1GiB`, `512 MB` or `1048576`.

    Raises:
        SettingsError: the text is no size.
    """
    match = re.fullmatch(r"\s*([0-9]{1,300}(?:\.[0-9]{1,300})?)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise SettingsError(f"expected a size, found {text!r}", hint="for example 1GiB or 512MiB")
    n_bytes = float(match[1]) * unit
    if n_bytes > MAX_MEMORY_BYTES:
        raise SettingsError(f"expected a size of at most 1 EiB, found {text!r}")
    return int(n_bytes)


def format_bytes(n_bytes: float) -> str:
    """Write a size for people, in binary units: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n_bytes) < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def helpful_threads(threads: int) -> int:
    """So many of these threads as help on this machine; more only wait for one another."""
    return min(threads, _HELPFUL_THREADS_PER_CORE * available_cores())


@dataclass(frozen=True)
class Budget:
    """The memory, threads and scratch space that one stage may use."""

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    """Peak resident memory of the data half, in bytes; at least 256 MiB, at most 1 EiB."""
    threads: int = field(default_factory=lambda: min(available_cores(), MAX_THREADS))
    """Worker threads; at least 1, at most 1024."""
    temp_dir: Path | None = None
    """Where an engine may spill. None means the system's temporary folder."""

    def __post_init__(self) -> None:
        for name, unit, found, most in (
            ("memory_bytes", "bytes of memory", self.memory_bytes, MAX_MEMORY_BYTES),
            ("threads", "threads", self.threads, MAX_THREADS),
        ):
            if not isinstance(found, Integral) or isinstance(found, bool):
                raise SettingsError(f"expected a whole number of {unit}, found {found!r}")
            if not 1 <= found <= most:
                raise SettingsError(f"expected 1 to {most} {unit}, found {found}")
            object.__setattr__(self, name, int(found))  # NumPy's as Python's
        if self.memory_bytes < MIN_MEMORY_BYTES:
            raise ResourceError(
                f"a memory budget of {format_bytes(self.memory_bytes)} is too small to work in",
                hint=f"give at least --memory {MIN_MEMORY_BYTES >> 20}MiB",
            )

    @property
    def spill_dir(self) -> Path:
        """The folder for temporary files of the engines.

        Raises:
            ResourceError: none was named, and the system has none.
        """
        try:
            return self.temp_dir or Path(tempfile.gettempdir())
        except FileNotFoundError as error:
            raise ResourceError(
                "the system has no folder for temporary files",
                hint="name one: BIGREC_TEMP_DIR, or temp_dir in bigrec.toml",
            ) from error


class Progress(Protocol):
    """Told by a stage how much there is to do and how much is done."""

    def start(self, task: str, total: int, unit: str) -> None:
        """Open a task of `total` units, closing the one before."""

    def advance(self, n_done: int, n_rows: int = 0) -> None:
        """Count `n_done` more units, that held `n_rows` rows, as finished."""

    def note(self, text: str) -> None:
        """Say something to people in passing, such as what is waited for."""


class Silent:
    """A Progress that nobody watches."""

    def start(self, task: str, total: int, unit: str) -> None:
        """Do nothing."""

    def advance(self, n_done: int, n_rows: int = 0) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""


SILENT = Silent()


def pool(threads: int | None = None) -> ThreadPoolExecutor:
    """A pool of so many threads, a Budget's; of as many as there are cores if None."""
    return ThreadPoolExecutor(Budget().threads if threads is None else threads)


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, *, n_ahead: int = 0
) -> Iterator[Result]:
    """Yield function(item) in the order of the items, computed by a pool of threads.

    The first exception is raised at its place; work not yet begun is dropped.

    Args:
        function: the work.
        items: what to work on.
        threads: of the pool.
        n_ahead: results that may wait for the consumer while all threads have work. At most
            threads + n_ahead are in the making or waiting, so memory stays bounded however slow
            the consumer is.
    """
    with pool(threads) as workers:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(workers.submit(function, item))
                if len(waiting) > threads + n_ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def peak_rss_bytes() -> int:
    """Peak resident memory of this process, in bytes: VmHWM of Linux, which an exec resets.

    bigrec's stages run in threads of one process, so this is the whole of it.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ResourceError("the peak memory of this process is unknown: no VmHWM in /proc/self/status")
