"""Memory for large arrays that come and go.

What malloc gives back it keeps for its next caller, in pieces that seldom fit: after some hundred
units of work that is as much again as is in use. A map of its own goes back to the system.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

Array = np.ndarray[Any, Any]


def new_map(n_bytes: int) -> mmap.mmap:
    """Zeroed memory of its own; what of it is not written to costs nothing."""
    return mmap.mmap(-1, max(n_bytes, 1), flags=mmap.MAP_PRIVATE)


class Workspace(threading.local):
    """Named scratch arrays, each thread its own, filled again and again: pages are touched once.

    What `array` returns holds until its next call.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Array] = {}

    def array(self, name: str, size: int, dtype: DTypeLike) -> Array:
        """An array of shape (size,) with undefined content; memory not written to costs nothing."""
        kind = np.dtype(dtype)
        n_bytes = size * kind.itemsize
        if name not in self._memory or len(self._memory[name]) < n_bytes:
            self._memory.pop(name, None)  # free it before asking for more
            memory = new_map(n_bytes + n_bytes // 8)
            with suppress(OSError):  # of a system without huge pages
                memory.madvise(mmap.MADV_HUGEPAGE)
            self._memory[name] = np.frombuffer(memory, np.uint8)
        return self._memory[name][:n_bytes].view(kind)
