"""A split's materialized form: whether it is there and current, told without what makes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError, SplitError, StoreError
from bigrec.resources import Progress
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog
from bigrec.store.locks import sweep_beside, writer_lock
from bigrec.store.publish import Draft, drafting
from bigrec.store.seal import SEAL, Kind, damaged, open_sealed, read_object

FORMAT_VERSION: Final = 6
"""Of the files that `materialize` writes."""


def ready_shards(catalog: Catalog, name: str) -> Path | None:
    """The shards of a saved split, if they are of the split and the store as they are now.

    Raises:
        StoreError: they are damaged.
    """
    folder = catalog.layout.split(name)
    try:
        spec = SplitSpec.from_json(read_object(folder / "split.json", Kind.SPLIT)["spec"])
    except (SplitError, ValueError, KeyError, TypeError, SettingsError):
        return None  # open_split says what is wrong
    shards = folder / "shards"
    current = are_current(shards, Kind.SHARDS, spec.digest(catalog.manifest.fingerprint))
    return shards if current else None


def ready_days(shards: Path) -> bool:
    """Whether the days of these shards are there as well."""
    digest = read_object(shards / "manifest.json", Kind.SHARDS)["split_digest"]
    return are_current(shards.parent / "days", Kind.DAYS, digest)


def are_current(folder: Path, kind: Kind, digest: str) -> bool:
    """Whether a folder holds the shards, or days, of this split, in the format of now.

    Raises:
        StoreError: it is damaged, or holds something else.
    """
    try:
        open_sealed(folder, kind)
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise damaged(kind, folder / SEAL, "it is missing") from None
        return False
    fields = read_object(folder / "manifest.json", kind)
    return bool(
        fields.get("split_digest") == digest and fields.get("format_version") == FORMAT_VERSION
    )


def making_once(
    folder: Path, kind: Kind, digest: str, progress: Progress, make: Callable[[Draft], None]
) -> None:
    """Make the shards, or days, of a split unless they are current; of two processes, one does.

    Args:
        folder: where they go.
        kind: SHARDS or DAYS.
        digest: of the split.
        progress: told in words when another process makes them, which is then waited for.
        make: fills the draft.

    Raises:
        StoreError: those that are there are damaged, or the store cannot be written to.
    """
    if are_current(folder, kind, digest):
        sweep_beside(folder)
        return
    real = Path(os.path.realpath(folder))
    with writer_lock(real, wait=progress.note, error=StoreError):
        if not are_current(folder, kind, digest):
            with drafting(real, kind) as draft:
                make(draft)
