"""Keys in the order of their numbers, on disk while an ingest runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from bigrec.sources.keys import Keys, gather_text

Array = np.ndarray[Any, Any]

_LENGTH: Final = np.dtype(np.uint16)


class KeyFile:
    """Two files: the texts one behind the other, and their lengths.

    Args:
        path: of the texts.
    """

    def __init__(self, path: Path) -> None:
        self._paths = path, path.with_name(f"{path.name}-lengths")
        self._files = tuple(path.open("wb") for path in self._paths)

    def append(self, keys: Keys) -> None:
        """Add keys behind those that are there.

        Args:
            keys: in the order of their numbers.
        """
        text = np.empty(int(keys.lengths.sum()), np.uint8)
        gather_text(keys.text, keys.starts, keys.lengths, text)
        self._files[0].write(text.data)
        self._files[1].write(keys.lengths.astype(_LENGTH).data)

    def open(self) -> tuple[BinaryIO, BinaryIO]:
        """The texts and the lengths, from the beginning; nothing is added any more."""
        for file in self._files:
            file.flush()
        return self._paths[0].open("rb"), self._paths[1].open("rb")

    def close(self) -> None:
        """Delete the files."""
        for file, path in zip(self._files, self._paths, strict=True):
            file.close()
            path.unlink(missing_ok=True)


class KeyReader:
    """Reads files that are complete, one behind the other, from their beginning.

    Args:
        files: in the order of their keys.
    """

    def __init__(self, files: Sequence[KeyFile]) -> None:
        self._files = list(files)
        self._open: tuple[BinaryIO, BinaryIO] | None = None

    def read(self, n_keys: int) -> pa.Array:
        """The next so many keys, or as many as are left: (n,) strings."""
        texts, lengths = [], []
        while n_keys:
            if self._open is None:
                if not self._files:
                    break
                self._open = self._files.pop(0).open()
            text, length = self._open
            some = np.frombuffer(length.read(n_keys * _LENGTH.itemsize), _LENGTH)
            if not len(some):
                self.close()
                continue
            n_keys -= len(some)
            lengths.append(some)
            texts.append(text.read(int(some.sum(dtype=np.int64))))
        offsets = np.concatenate([np.zeros(1, _LENGTH), *lengths]).cumsum(dtype=np.int64)
        return pa.Array.from_buffers(
            pa.large_string(),
            len(offsets) - 1,
            [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))],
        )

    def close(self) -> None:
        """Close the file that is being read."""
        for stream in self._open or ():
            stream.close()
        self._open = None
