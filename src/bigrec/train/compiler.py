"""How XLA compiles steps for a CPU."""

from __future__ import annotations

import os
from typing import Final

import tensorflow as tf

_FLAGS: Final = "XLA_FLAGS"
_LLVM_OPTIONS: Final = "--xla_backend_extra_options"
_LONGEST_UNROLLED: Final = 16


def limit_unrolling() -> None:
    """Keep loops over the elements of an embedding row loops, from the first step compiled on.

    LLVM writes a loop of up to some hundred instructions out as often as it runs. Of a gather of
    rows that makes single loads and stores, one after the other, where the loop has vectors, and
    few rows are waited for at once: on 64 factors 2.4 instead of 3.2 M ratings a second.

    XLA reads its options once in a process, from the environment: what is compiled after this, by
    whomever, has them too, and what has been before is as it was. Options for LLVM which are there
    already stay alone. Where TensorFlow sees a GPU nothing is changed.
    """
    flags = os.environ.get(_FLAGS, "")
    if _LLVM_OPTIONS not in flags and not tf.config.list_physical_devices("GPU"):
        option = f"{_LLVM_OPTIONS}=-unroll-full-max-count={_LONGEST_UNROLLED}"
        os.environ[_FLAGS] = f"{flags} {option}".strip()
