"""Arrays that a worker thread fills again and again, so that their memory is touched only once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

Array = np.ndarray[Any, Any]


class Workspace(threading.local):
    """Named scratch arrays, each thread its own. What `array` returns holds until its next call."""

    def __init__(self) -> None:
        self._memory: dict[str, Array] = {}

    def array(self, name: str, size: int, dtype: DTypeLike) -> Array:
        """An array of shape (size,) with undefined content; memory not written to costs nothing."""
        kind = np.dtype(dtype)
        n_bytes = size * kind.itemsize
        if name not in self._memory or len(self._memory[name]) < n_bytes:
            self._memory.pop(name, None)  # free it before asking for more
            self._memory[name] = np.empty(n_bytes + n_bytes // 8, np.uint8)
        return self._memory[name][:n_bytes].view(kind)
