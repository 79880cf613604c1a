"""What is added up of all parts of one sort order while their statistics pass by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bigrec.ingest.parts import Part
from bigrec.ingest.row_kernels import GroupStats
from bigrec.schema import EPOCH_DAY

_DIGEST_MASK = (1 << 64) - 1


@dataclass
class Totals:
    """Sums over parts."""

    n_rows: int = 0
    """Rows in all."""
    n_merged: int = 0
    """Rows that became one with others."""
    rating_sum: float = 0.0
    """All ratings added up."""
    digest: int = 0
    """Of all rows, whatever their order; see digest_text."""
    first_day: int = 1 << 16
    """The first day of a rating, since bigrec.schema.FIRST_DATE."""
    last_day: int = -1
    """The last one."""
    repeated: set[tuple[int, int]] = field(default_factory=set)
    """(item, user) of rows that were left out because they repeat others."""
    files: dict[Path, str] = field(default_factory=dict)
    """The SHA-256 of each part."""

    @property
    def first_date(self) -> str:
        """The first day, ISO 8601."""
        return str(np.datetime64(self.first_day - EPOCH_DAY, "D"))

    @property
    def last_date(self) -> str:
        """The last day, ISO 8601."""
        return str(np.datetime64(self.last_day - EPOCH_DAY, "D"))

    def add(self, parts: Iterable[Part]) -> Iterator[GroupStats]:
        """Yield the statistics of parts, and add the parts up.

        Args:
            parts: in order.
        """
        for part in parts:
            stats = part.stats
            self.n_rows += part.n_rows
            self.n_merged += part.n_merged
            self.rating_sum += float(stats.sums.sum())
            self.digest += part.digest
            self.first_day = min(self.first_day, int(stats.first_days.min()))
            self.last_day = max(self.last_day, int(stats.last_days.max()))
            self.repeated.update(part.repeated)
            self.files[part.path] = part.sha256
            yield stats


def digest_text(digest: int) -> str:
    """A sum of 64-bit digests as hexadecimal digits.

    Args:
        digest: the sum, which may have more bits.
    """
    return f"{digest & _DIGEST_MASK:016x}"
