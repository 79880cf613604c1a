"""One-dimensional .npy files: written with their digests, opened as what they should be."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike

from bigrec.errors import system_errors
from bigrec.store.publish import start_writing
from bigrec.store.seal import Kind, damaged

Array = np.ndarray[Any, Any]

_PIECE_BYTES: Final = 1 << 20
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


def open_array(path: Path, dtype: DTypeLike | None, n_rows: int | None, kind: Kind) -> Array:
    """Map a file into memory, read only.

    Args:
        path: the .npy file.
        dtype: what it must hold; None for any numbers.
        n_rows: how many of them; None for any shape.
        kind: of the folder that it belongs to.

    Raises:
        BigrecError: of the kind; the file cannot be read, or holds something else.
    """
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError, TypeError, SyntaxError, MemoryError) as error:
        raise damaged(kind, path, f"it cannot be read ({error})") from error
    wanted = array.dtype if dtype is None else np.dtype(dtype)
    if array.dtype != wanted or (n_rows is not None and array.shape != (n_rows,)):
        raise damaged(
            kind, path,
            f"expected {n_rows or 'some':,} {wanted.name}, found {array.dtype.name} of shape "
            f"{array.shape}",
        )  # fmt: skip
    return array


def check_indices(array: Any, low: int, end: int, path: Path, kind: Kind) -> None:
    """Make sure that a mapped array of int32 holds indices alone, as compiled loops rely on.

    A digest says so of a small file. A large one, which is not read again when it is opened, is
    read here, a piece at a time beside the map, whose memory stays as it is: a tenth of a second
    for 100 million indices.

    Args:
        array: the map that `open_array` gives.
        low: the smallest index, -1 where that stands for none.
        end: one more than the largest.
        path: of the file.
        kind: of the folder that it belongs to.

    Raises:
        BigrecError: of the kind; an index is out of bounds, or the file cannot be read.
    """
    with system_errors(path, kind.error), path.open("rb") as file:
        file.seek(array.offset)
        buffer = np.empty(_PIECE_BYTES // 4, np.int32)
        while n_bytes := file.readinto(buffer.data.cast("B")):
            piece = buffer[: n_bytes // 4]
            if int(piece.min(initial=low)) < low or int(piece.max(initial=low)) >= end:
                raise damaged(kind, path, f"an index is not from {low} to {end - 1:,}")
