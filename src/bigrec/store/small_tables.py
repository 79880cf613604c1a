"""Writing a store's small tables, such as items or users, by way of Arrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Array = np.ndarray[Any, Any]


def arrow_column(
    values: Array, kind: pa.DataType | None = None, missing: Array | None = None
) -> pa.Array:
    """An Arrow column over the memory of a NumPy array.

    `pa.array` would import pandas, where it is installed, to see whether it was given a part of it:
    a third of a second.

    Args:
        values: (n,) numbers, or days or microseconds as datetime64.
        kind: a type of the same width; None for the array's own.
        missing: (n,) bool, which of the values are null.
    """
    if values.dtype == np.dtype("datetime64[us]"):
        values, kind = values.astype(np.int64), pa.timestamp("us")
    elif values.dtype.kind == "M":
        values, kind = values.astype("datetime64[D]").astype(np.int32), pa.date32()
    values = np.ascontiguousarray(values)
    valid = None
    if missing is not None:
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(
        kind or pa.from_numpy_dtype(values.dtype), len(values), [valid, pa.py_buffer(values)]
    )


def write_table(path: Path, columns: dict[str, pa.Array]) -> None:
    """Write a small table as one Parquet file.

    The first column holds ids in ascending order.
    """
    key, *others = columns
    pq.write_table(
        pa.table(columns), path, compression="zstd",
        use_dictionary=others, column_encoding={key: "DELTA_BINARY_PACKED"},
    )  # fmt: skip
