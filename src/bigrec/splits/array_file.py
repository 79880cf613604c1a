"""One-dimensional .npy files, written with their digests while the bytes are still in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from bigrec.store.writer import start_writing

Array = np.ndarray[Any, Any]

_BYTES_IN_MEMORY: Final = 16 << 20
"""So many bytes wait until the system begins to write them to the disk."""


class ArrayFile:
    """A file of known dtype and length that is filled piece by piece; a context manager."""

    def __init__(self, path: Path, dtype: str, n_rows: int) -> None:
        """Open the file; what is appended must add up to (n_rows,).

        Bytes that are there already are overwritten where they are, which costs less than freeing
        them and taking new ones.
        """
        self.path = path
        self._file = path.open("r+b" if path.exists() else "wb")
        self._digest = hashlib.sha256()
        self._n_bytes = self._n_started = 0
        fields = {"descr": dtype, "fortran_order": False, "shape": (n_rows,)}
        np.lib.format.write_array_header_1_0(self, fields)

    def append(self, rows: Array) -> None:
        """Add some rows."""
        self.write(rows.data.cast("B"))

    def write(self, content: bytes | memoryview) -> None:
        """Add some bytes."""
        self._file.write(content)
        self._digest.update(content)
        self._n_bytes += len(content)
        if self._n_bytes - self._n_started >= _BYTES_IN_MEMORY:
            self._start_writing()

    def _start_writing(self) -> None:
        start_writing(self._file, self._n_started)
        self._n_started = self._n_bytes

    @property
    def digest(self) -> str:
        """The SHA-256 of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._start_writing()
        self._file.close()


def save_array(path: Path, array: Array) -> str:
    """Write (n,) rows; the digest of the file."""
    with ArrayFile(path, array.dtype.str, len(array)) as file:
        file.append(np.ascontiguousarray(array))
    return file.digest
