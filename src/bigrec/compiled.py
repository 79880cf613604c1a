"""`compiled`, the decorator of the data half's inner loops, and a quick start for them.

The loops release the GIL, so that threads suffice, and are cached on disk where that can be done.
Where it cannot be, they are compiled anew by each process, which takes some seconds.
"""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from typing import Any

import numba
from numba.core.caching import FunctionCache


def _load_without_blas() -> None:
    """Load numba's array functions, without SciPy's linear algebra for its `np.dot`.

    No loop here multiplies matrices, and that import takes a third of a second, as long as half a
    second of ingest's work. Where SciPy is loaded already nothing is spared, and nothing done.
    """
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment] # makes its import fail
    try:
        from numba.np import arraymath  # noqa: F401
    finally:
        del sys.modules["scipy.linalg"]


_load_without_blas()


class _ForgivingCache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """numba's cache on disk, where neither a full disk nor a damaged file stops the work."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is cached for a signature; None, so that it is compiled, where it cannot be read."""
        with suppress(Exception):  # whatever unpickling a damaged file may raise
            return super().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Cache what was compiled for a signature, if there is room."""
        with suppress(OSError):
            try:
                super().save_overload(sig, data)
            except (pickle.PickleError, EOFError, ValueError, TypeError):  # the list is damaged
                self.flush()
                super().save_overload(sig, data)


def compiled(function: Any) -> Any:
    """Compile a loop at its first call, or take it from the cache on disk.

    The cache is a folder beside the source, or in the home, or NUMBA_CACHE_DIR; it is done without
    where none of them can be written.
    """
    loop = numba.njit(nogil=True)(function)
    with suppress(RuntimeError):  # no folder can be written
        loop._cache = _ForgivingCache(function)  # as its enable_caching() does with numba's own
    return loop
