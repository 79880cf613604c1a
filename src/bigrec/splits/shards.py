"""Whether a split's materialized form is there, current and undamaged, told without its maker."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog

FORMAT_VERSION: Final = 3
"""Of the files that `materialize` writes."""


def ready_shards(catalog: Catalog, name: str) -> Path | None:
    """The shards of a saved split, if they are of the split and the store as they are now."""
    folder = catalog.layout.split(name)
    try:
        fields = json.loads((folder / "split.json").read_text())
        spec = SplitSpec.from_json(fields["spec"])
    except (OSError, ValueError, KeyError, TypeError, SettingsError):
        return None
    shards = folder / "shards"
    return shards if are_current(shards, spec.digest(catalog.manifest.fingerprint)) else None


def ready_days(shards: Path) -> bool:
    """Whether the days of these shards are there as well."""
    fields = json.loads((shards / "manifest.json").read_text())
    return are_current(shards.parent / "days", fields["split_digest"])


def are_current(shards: Path, digest: str) -> bool:
    """Whether a folder holds the shards, or days, of this split, in the format of now."""
    path = shards / "manifest.json"
    if not path.exists():
        return False
    fields = json.loads(path.read_text())
    return bool(fields["split_digest"] == digest and fields["format_version"] == FORMAT_VERSION)


def damaged_files(shards: Path) -> list[tuple[str, str]]:
    """The files of a materialized split that are not as they were written: (name, what is wrong).

    Its days are among them, where it has them.

    Empty where all is well, and where the split is not materialized.
    """
    damaged = []
    for folder, prefix in ((shards, ""), (shards.parent / "days", "days/")):
        path = folder / "manifest.json"
        files = json.loads(path.read_text())["files"] if path.exists() else {}
        for name, digest in files.items():
            if not (folder / name).is_file():
                damaged.append((prefix + name, "it is missing"))
            elif file_digest(folder / name) != digest:
                damaged.append((prefix + name, "its digest differs from the manifest's"))
    return damaged


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
