"""Opening a table of ratings as a source."""

from __future__ import annotations

from pathlib import Path

from bigrec.sources.raw import RawFolder
from bigrec.sources.table.base import TableSettings, TableSource
from bigrec.sources.table.named_sets import NamedSet
from bigrec.sources.table.plan import TEXT, TableOptions
from bigrec.sources.table.recognise import recognise


def open_table(
    raw: Path, options: TableOptions, settings: TableSettings, named: NamedSet | None
) -> TableSource:
    """Recognise a table and open it.

    Args:
        raw: a file, a folder of parts or of several tables, or a zip archive.
        options: what somebody says of it.
        settings: what is to be kept of it.
        named: the published set that it is; None to see what it is.

    Raises:
        SettingsError: the options name what is not there.
        DataError: there is no table of ratings, or it is a question which it is, or which of its
            columns is what.
    """
    plan = recognise(raw, options, named)
    folder = RawFolder(raw)
    if plan.form == TEXT and not plan.wide:
        from bigrec.sources.table.text import TableTextSource

        return TableTextSource(folder, plan, settings, named)
    from bigrec.sources.table.batches import TableBatchSource

    return TableBatchSource(folder, plan, settings, named)
