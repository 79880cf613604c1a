"""Threads of libraries that have pools of their own, which the Budget's are told to.

Polars, Arrow and BLAS make theirs when they are loaded, with as many threads as there are cores.
A process that is a command of bigrec tells them before, by variables. In the process of somebody
else BLAS is told where models are opened; Polars and Arrow are the program's own to tell:
POLARS_MAX_THREADS and pyarrow.set_cpu_count. DuckDB is told by each session, TensorFlow by
bigrec.models.threads, and our own pools are made by `bigrec.resources.pool`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Final

_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "numpy": ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    "polars": ("POLARS_MAX_THREADS",),
    "pyarrow": ("OMP_NUM_THREADS",),
}
"""What each library reads when it is loaded."""

_own_threads: dict[str, int] = {}
"""The threads that each BLAS had before it was told, by its file."""
_announced: dict[str, int] = {}
"""The threads that each library of this process was told of before it was loaded."""


def announce_threads(threads: int, environment: MutableMapping[str, str] | None = None) -> None:
    """Tell the libraries that are not loaded yet; for a process that is bigrec's own.

    A variable that is set already counts where it is lower.

    Args:
        threads: of each pool.
        environment: where to set variables; the process's own if None.
    """
    environment = os.environ if environment is None else environment
    for library, names in _VARIABLES.items():
        if library in sys.modules:
            continue
        if environment is os.environ:
            _announced[library] = threads
        for name in names:
            found = environment.get(name, "")
            if not found.isdecimal() or int(found) > threads or int(found) == 0:
                environment[name] = str(threads)


def limit_blas(threads: int) -> None:
    """Let the BLAS libraries that are loaded compute with at most so many threads from now on.

    It holds for the whole process, and until it is told otherwise. None gets more than it had.
    Without threadpoolctl, which comes with the extra `train`, nothing is told.
    """
    if _announced.get("numpy", threads + 1) <= threads:
        return  # so that a command need not load threadpoolctl
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return
    for library in ThreadpoolController().lib_controllers:
        if library.user_api == "blas":
            most = _own_threads.setdefault(library.filepath, library.get_num_threads())
            library.set_num_threads(min(most, threads))
