"""The lists of a search that may be killed: saved as one file now and then, and continued from it.

The file holds the lists, how many units of work are in them, and what they were made from. It is
replaced by one rename, so there is always a whole one or none. A unit that is done twice changes
nothing, so an interrupted search may be saved in the middle of one.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bigrec.errors import RunError
from bigrec.models.contract import Checkpoint

Array = np.ndarray[Any, Any]


class SearchProgress:
    """The lists so far, and how many units of work have gone into them."""

    def __init__(
        self, n_rows: int, k: int, made_from: Iterable[Array], checkpoint: Checkpoint | None
    ) -> None:
        """Continue the saved state of the same search, or begin with empty lists.

        Args:
            n_rows, k: lists, and their length.
            made_from: arrays that tell this search from any other.
            checkpoint: where to save; None saves nothing.

        Raises:
            RunError: the file is damaged, or of another search.
        """
        self.index = np.full((n_rows, k), -1, np.int32)
        self.similarity = np.zeros((n_rows, k))
        self.n_done = 0
        self._checkpoint = checkpoint
        self._saved_at = time.monotonic()
        digest = hashlib.sha256(f"{n_rows} {k}".encode())
        for array in made_from:
            digest.update(np.ascontiguousarray(array).data)
        self._identity = digest.hexdigest()
        if checkpoint is not None and checkpoint.path.exists():
            self._load(checkpoint.path)

    def finish(self, n_done: int) -> None:
        """Note that so many units are in the lists, and save them if that is due."""
        self.n_done = n_done
        minutes = None if self._checkpoint is None else self._checkpoint.minutes
        if minutes is not None and time.monotonic() - self._saved_at >= 60 * minutes:
            self.save()

    def save(self) -> None:
        """Save now, if it is wanted at all."""
        if self._checkpoint is None:
            return
        path = self._checkpoint.path
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(
                file, index=self.index, similarity=self.similarity,
                n_done=np.array(self.n_done), identity=np.array(self._identity),
            )  # fmt: skip
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        self._saved_at = time.monotonic()

    def __enter__(self) -> SearchProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is KeyboardInterrupt:
            self.save()

    def _load(self, path: Path) -> None:
        anew = "leave out --resume to search from the start"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                identity = str(saved["identity"])
                self.index, self.similarity = saved["index"], saved["similarity"]
                self.n_done = int(saved["n_done"])
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} cannot be read: {error}", hint=anew) from error
        if identity != self._identity:
            raise RunError(f"{path} holds another search for neighbors", hint=anew)
