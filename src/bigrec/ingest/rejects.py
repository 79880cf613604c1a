"""What happens to lines that were left out: they are counted, and written to a file if wanted."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bigrec.errors import SettingsError
from bigrec.ingest.rows import BadLine


class Rejects:
    """Counts rejected lines and writes them as csv: file, line, text, expected."""

    def __init__(self, file: TextIO | None) -> None:
        self._writer = csv.writer(file) if file else None
        if self._writer:
            self._writer.writerow(("file", "line", "text", "expected"))
        self.n_lines = 0

    def add(self, lines: Iterable[BadLine]) -> None:
        """Note lines, numbered from 1 in their file."""
        for bad in lines:
            self.n_lines += 1
            if self._writer:
                self._writer.writerow((bad.path, bad.line, bad.found, bad.expected))


@contextmanager
def open_rejects(path: Path | None) -> Iterator[Rejects]:
    """A log of rejected lines, in a new file if there is a path.

    Raises:
        SettingsError: the file cannot be written.
    """
    if path is None:
        yield Rejects(None)
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}", hint="give another file to --rejects"
        ) from error
    with file:
        yield Rejects(file)
