"""Whether a split's materialized form is there and current, told without loading what makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from bigrec.errors import SettingsError
from bigrec.splits.spec import SplitSpec
from bigrec.store.catalog import Catalog

FORMAT_VERSION: Final = 2
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


def are_current(shards: Path, digest: str) -> bool:
    """Whether a folder holds the shards of the split with this digest, in the format of now."""
    path = shards / "manifest.json"
    if not path.exists():
        return False
    fields = json.loads(path.read_text())
    return bool(fields["split_digest"] == digest and fields["format_version"] == FORMAT_VERSION)
