"""What an ingest is asked to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from bigrec.errors import SettingsError
from bigrec.ingest.repeats import ERROR, REPEATS
from bigrec.sources.table.base import TableSettings
from bigrec.sources.table.plan import TableOptions

ON_ERROR: Final = ("stop", "skip")


@dataclass(frozen=True)
class IngestOptions:
    """What to ingest, and how."""

    source: str = "auto"
    """The kind of raw data: auto, netflix, movielens, table, a published set in another form (see
    bigrec.sources.table.named_sets), or a source that a package adds."""
    table: TableOptions = field(default_factory=TableOptions)
    """How a table is written; what is not said is recognised."""
    kept: TableSettings = field(default_factory=TableSettings)
    """What is kept of a table."""
    overwrite: bool = False
    """Whether a store that exists is replaced, its splits included."""
    by_user: bool = True
    """Whether to write ratings_by_user/ too. users.parquet is written in any case."""
    on_error: str = "stop"
    """What a bad line does: stop (nothing is written) or skip (the line is left out).

    A line on which a user rates an item again is bad too. Of such lines the first one in the order
    of the files counts, and the later ones are left out."""
    repeats: str = ERROR
    """What becomes of rows in which a user meets an item again; see bigrec.ingest.repeats."""
    rejects: Path | None = None
    """Where to write the lines that were left out, as csv; None to count them only."""

    @property
    def said(self) -> dict[str, Any]:
        """What the rows of a store depend on beside the files, where it is not the usual."""
        usual = IngestOptions()
        told = {
            f"{group}.{each.name}": getattr(getattr(self, group), each.name)
            for group in ("table", "kept")
            for each in fields(getattr(self, group))
            if getattr(getattr(self, group), each.name) != getattr(getattr(usual, group), each.name)
        }
        if self.repeats != usual.repeats:
            told["repeats"] = self.repeats
        return dict(json.loads(json.dumps(told, default=str)))

    def __post_init__(self) -> None:
        if self.repeats not in REPEATS:
            raise SettingsError.unknown_name("choice for repeats", self.repeats, REPEATS)
        if self.on_error not in ON_ERROR:
            raise SettingsError.unknown_name("on-error choice", self.on_error, ON_ERROR)
        if self.rejects and self.on_error != "skip":
            raise SettingsError(
                "--rejects was given, but bad lines stop the ingest",
                hint="add --on-error skip to leave them out",
            )
