"""Tables in huge pages, where the system has them.

A step reads and writes rows all over tables that are larger than what a processor's translation
buffer covers in pages of 4 KiB, so that nearly every row waits for a walk through page tables, on a
virtual machine through two of them. In pages of 2 MiB it does not. Linux has them for memory of
which it is told so (its manual: madvise(2), "Transparent Hugepage Support"); NumPy tells it of its
large arrays, TensorFlow does not.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

_HUGE_PAGE_BYTES: Final = 1 << 21
_COLLAPSE: Final = 25
"""MADV_COLLAPSE of Linux 6.1: move to huge pages now, not in the course of minutes."""


def use_huge_pages(variables: Iterable[Any]) -> None:
    """Move variables in main memory to huge pages as far as they fill such; values stay.

    They stay there while they are changed in place, as compiled loops do, but not when they are
    assigned to. It is advice to the system: one without huge pages, or short of them, ignores it.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return
    madvise = ctypes.CDLL(None).madvise
    for variable in variables:
        for copy in getattr(variable, "values", (variable,)):  # one a device
            if "GPU" in copy.device:
                continue
            memory = np.asarray(memoryview(copy.read_value()))
            # The huge pages that lie wholly within.
            start = -(-memory.ctypes.data // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
            n_bytes = memory.ctypes.data + memory.nbytes - start
            n_bytes -= n_bytes % _HUGE_PAGE_BYTES
            if n_bytes > 0:
                for advice in (mmap.MADV_HUGEPAGE, _COLLAPSE):
                    madvise(ctypes.c_void_p(start), ctypes.c_size_t(n_bytes), advice)
