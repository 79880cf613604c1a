"""The lists of a search that may be killed: saved as one file now and then, and continued from it.

    WORK/neighbours.npz     the lists, how many blocks are in them, and what they were made from

A state is replaced by one rename, so there is always a whole one or none.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

_SECONDS_BETWEEN: Final = 30.0


class SearchProgress:
    """The lists so far, and how many blocks have gone into them."""

    def __init__(self, n_rows: int, k: int, made_from: Iterable[Array], work: Path | None) -> None:
        """Continue the saved state of the same search, or begin with empty lists.

        Args:
            n_rows, k: lists, and their length.
            made_from: arrays that tell this search from any other.
            work: the folder of the state; None saves nothing.
        """
        self.index = np.full((n_rows, k), -1, np.int32)
        self.similarity = np.zeros((n_rows, k))
        self.n_done = 0
        self._path = None if work is None else work / "neighbours.npz"
        self._saved_at = time.monotonic()
        digest = hashlib.sha256(f"{n_rows} {k}".encode())
        for array in made_from:
            digest.update(np.ascontiguousarray(array).data)
        self._identity = digest.hexdigest()
        if self._path is not None and self._path.exists():
            self._load(self._path)

    def finish(self, block: int, *, last: bool) -> None:
        """Note that this block is in the lists; save them if that was long ago, or the end."""
        self.n_done = block + 1
        now = time.monotonic()
        if self._path is not None and (last or now - self._saved_at >= _SECONDS_BETWEEN):
            self._save(self._path)
            self._saved_at = now

    def _load(self, path: Path) -> None:
        try:
            with np.load(path) as saved:
                if str(saved["identity"]) == self._identity:
                    self.index, self.similarity = saved["index"], saved["similarity"]
                    self.n_done = int(saved["n_done"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            path.unlink()  # not one of ours: begin again

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(
                file, index=self.index, similarity=self.similarity,
                n_done=np.array(self.n_done), identity=np.array(self._identity),
            )  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
