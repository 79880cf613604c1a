"""Raw files, from Python: seen for what they are, and made into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from bigrec.api.arguments import MAYBE_BUDGET, as_path, check_flags, check_types
from bigrec.api.store import Store, open  # noqa: A004 - as it is called there
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.recognition import Recognition, recognise_ratings
from bigrec.ingest.said import IngestFlags, TableFlags, read_flags
from bigrec.resources import SILENT, Budget, Progress


def ingest(
    raw: str | Path,
    store: str | Path,
    *,
    budget: Budget | None = None,
    progress: Progress = SILENT,
    **flags: Unpack[IngestFlags],
) -> Store:
    """Turn raw files into a store and open it.

    The same files a second time change nothing.

    Args:
        raw: a file, a folder or a zip archive.
        store: the folder to make.
        budget: memory and threads, of the opened store too; 1 GiB and all cores if None.
        progress: told of finished bytes.
        **flags: those of `bigrec ingest`, see bigrec.ingest.said.IngestFlags: source, columns,
            separator, header, encoding, time_unit, scale, zero, time, items, item_columns, repeats,
            by_user, on_error, rejects, overwrite.

    Raises:
        BigrecError: see bigrec.ingest.ingest.ingest_ratings; or an argument is unknown, has another
            type, or a value that cannot be.

    Examples:
        >>> store = bigrec.ingest("raw", "store", budget=bigrec.Budget(memory_bytes=2 << 30))
        >>> store.manifest.n_ratings
        >>> bigrec.ingest(
        ...     "visits.csv", "visits", columns={"user": "who", "item": "what", "rating": "fun"},
        ...     scale=(1, 5), repeats="last", on_error="skip", rejects="rejects.csv",
        ... )
    """
    check_types(budget=(budget, MAYBE_BUDGET))
    check_flags(flags, IngestFlags)
    ingest_ratings(
        as_path("raw", raw), as_path("store", store),
        options=read_flags(**flags), budget=budget, progress=progress,
    )  # fmt: skip
    return open(store, budget=budget)


def recognise(raw: str | Path, **flags: Unpack[TableFlags]) -> Recognition:
    """Say what raw files are taken for, and write nothing, as `bigrec ingest --dry-run` does.

    Args:
        raw: a file, a folder or a zip archive.
        **flags: those of `ingest` that say what the files are, see bigrec.ingest.said.TableFlags:
            source, columns, separator, header, encoding, time_unit, scale, zero, time, items,
            item_columns.

    Raises:
        DataError: the files hold no ratings, or it is a question what is what.
        SettingsError: an argument is unknown, has another type, or a value that cannot be.

    Examples:
        >>> taken = bigrec.recognise("reviews.csv", items="products.csv")
        >>> taken.ratings.rows[0]
        ('customer_id', 'user', 'anna.k', 'anna.k', 'anna.k')
    """
    check_flags(flags, TableFlags)
    return recognise_ratings(as_path("raw", raw), read_flags(**flags))
