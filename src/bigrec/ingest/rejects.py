"""What happens to lines that were left out: they are counted, and written to a file if wanted."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bigrec.errors import SettingsError
from bigrec.sources.parsed import BadLine
from bigrec.store.publish import publishing_file


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
def open_rejects(path: Path | None, store: Path, inputs: Iterable[Path]) -> Iterator[Rejects]:
    """A log of rejected lines, which appears at `path`, if there is one, when all went well.

    Args:
        path: the csv file.
        store: the store that is made, in which it cannot lie.
        inputs: the raw files.

    Raises:
        SettingsError: the file cannot be written.
    """
    if path is None:
        yield Rejects(None)
        return
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(store)):
        raise SettingsError(f"{path} lies in the store", hint="give another file to --rejects")
    with (
        publishing_file(path, inputs=inputs) as partial,
        partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield Rejects(file)
