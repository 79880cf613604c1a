"""Tables move to huge pages and keep their values, also through compiled steps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bigrec.train.huge_pages import use_huge_pages

SYSTEM = Path("/sys/kernel/mm/transparent_hugepage/enabled")
N_ROWS, SIZE = 163_840, 64  # 40 MiB: more than malloc ever serves from memory that it has kept


def huge_bytes(variable: Any) -> int:
    """Bytes in huge pages of the mappings in which the variable's memory lies."""
    memory = np.asarray(memoryview(variable.read_value()))
    start, stop = memory.ctypes.data, memory.ctypes.data + memory.nbytes
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(bounds[1], 16) < stop and int(bounds[2], 16) > start
        elif inside and line.startswith("AnonHugePages:"):
            found += int(line.split()[1]) << 10
    return found


@pytest.mark.skipif(
    not SYSTEM.exists() or "[never]" in SYSTEM.read_text(), reason="the system has no huge pages"
)
def test_tables_stay_in_huge_pages_while_they_are_trained() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(N_ROWS, SIZE)).astype(np.float32)
    table, small = tf.Variable(values), tf.Variable(values[:3])
    use_huge_pages([table, small])
    assert huge_bytes(table) >= 38 << 20
    np.testing.assert_array_equal(table.numpy(), values)
    np.testing.assert_array_equal(small.numpy(), values[:3])

    def step(index: Any) -> None:
        table.scatter_add(tf.IndexedSlices(tf.ones((2, SIZE)), index))

    tf.function(step, jit_compile=True)(tf.constant([5, N_ROWS - 1]))
    assert huge_bytes(table) >= 38 << 20
    values[[5, -1]] += 1
    np.testing.assert_array_equal(table.numpy(), values)
