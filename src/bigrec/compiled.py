"""`compiled`, the decorator of the data half's inner loops, and a quick start for them.

The loops release the GIL, so that threads suffice, and are cached on disk.
"""

from __future__ import annotations

import sys
from typing import Final

import numba


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

compiled: Final = numba.njit(nogil=True, cache=True)
