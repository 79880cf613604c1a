"""Rows that wait on disk for the ids of their keys, in the order of the units they come from."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.errors import DataError
from bigrec.sources.keys import KEY_PADDING, Keys, gather_text

Array = np.ndarray[Any, Any]

_ROLES: Final = ("item", "user")


@dataclass(frozen=True)
class HalfKnown:
    """Rows of which an id may be 0, unknown; then there is its key."""

    ids: dict[str, Array]
    """(n,) int32, by role."""
    keys: dict[str, Keys]
    """(n,) by role; where an id is known its key is empty."""
    payload: Array
    """(n,) int32."""
    second: Array | None
    """(n,) int32; None where times are days."""

    def take(self, rows: Array) -> HalfKnown:
        """Some of them.

        Args:
            rows: (m,) their positions.
        """
        return HalfKnown(
            {role: ids[rows] for role, ids in self.ids.items()},
            {role: keys.take(rows) for role, keys in self.keys.items()},
            self.payload[rows],
            None if self.second is None else self.second[rows],
        )


class WaitingRows:
    """A file of rows. Units may be added by several threads.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._size = 0
        self._blocks: dict[int, tuple[int, list[int]]] = {}  # by unit: offset, bytes of each array
        self._lock = threading.Lock()
        self.n_rows = 0

    def add(self, unit: int, rows: HalfKnown) -> None:
        """Add the rows of a unit.

        Args:
            unit: its number, by which rows are read again.
            rows: what is to wait; keys of ids that are known are passed over.
        """
        texts, lengths = [], []
        for role in _ROLES:
            keys = rows.keys[role]
            length = np.where(rows.ids[role] == 0, keys.lengths, 0).astype(np.uint16)
            text = np.empty(int(length.sum()), np.uint8)
            gather_text(keys.text, keys.starts, length, text)
            texts.append(text)
            lengths.append(length)
        second = np.empty(0, np.int32) if rows.second is None else rows.second
        arrays = [rows.ids["item"], rows.ids["user"], rows.payload, second, *lengths, *texts]
        data = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        with self._lock:
            start = self._size
            self._size += len(data)
            self._blocks[unit] = start, [array.nbytes for array in arrays]
            self.n_rows += len(rows.payload)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, start)
            view, start = view[written:], start + written

    def units(self) -> list[int]:
        """The units that have rows here, in order."""
        return sorted(self._blocks)

    def read(self, unit: int) -> HalfKnown:
        """The rows of a unit.

        Raises:
            DataError: the file is not as it was written.
        """
        start, sizes = self._blocks[unit]
        data = bytearray(sum(sizes) + KEY_PADDING)
        view = memoryview(data)[: sum(sizes)]
        while view:
            n_read = os.preadv(self._descriptor, [view], start)
            if not n_read:
                raise DataError(
                    f"{self._path} ended early",
                    hint="something changed the temporary files; run again",
                )
            view, start = view[n_read:], start + n_read
        buffer = np.frombuffer(data, np.uint8)
        edges = np.concatenate(([0], np.cumsum(sizes)))
        parts = [buffer[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
        item, user, payload, second = (part.view(np.int32) for part in parts[:4])
        keys = {}
        for role, lengths, text_at in zip(_ROLES, parts[4:6], (edges[6], edges[7]), strict=True):
            length = lengths.view(np.uint16).astype(np.int32)
            starts = text_at + np.cumsum(length, dtype=np.int64) - length
            keys[role] = Keys(buffer, starts, length)
        return HalfKnown(
            dict(zip(_ROLES, (item, user), strict=True)),
            keys,
            payload,
            second if len(second) else None,
        )

    def close(self) -> None:
        """Delete the file."""
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)
