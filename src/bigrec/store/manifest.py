"""The manifest: what a store holds and what it was made from."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bigrec.errors import SettingsError, StoreError, of_the_system
from bigrec.interactions import FEEDBACK, Scale
from bigrec.schema import SCHEMA_VERSION, TIME_UNITS
from bigrec.store.item_names import is_item_name
from bigrec.store.layout import StoreLayout
from bigrec.store.seal import (
    SEAL,
    Kind,
    damaged,
    enclosing_folder,
    mark_kind,
    open_sealed,
    read_object,
    require_text_path,
)

_MOST_LOOKED_AT: Final = 1000
_MOST_OFFERED: Final = 3


@dataclass(frozen=True)
class SourceFile:
    """One raw file, or many small ones together, as they were when they were ingested."""

    name: str
    """Path below the raw folder; of the first file of many."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, in nanoseconds since 1970."""
    rows_digest: str = ""
    """Digest of the file's rows in hexadecimal, independent of their order; empty for titles."""
    files_digest: str = ""
    """Digest of the names, sizes and times of many files, in hexadecimal; empty for one."""


@dataclass(frozen=True)
class Manifest:
    """What a store holds and what it was made from."""

    source: str
    """Which kind of raw data: netflix, movielens, …"""
    item_name: str
    """What the source calls an item; SQL knows that word too."""
    source_files: tuple[SourceFile, ...]
    """Every raw file that was read."""
    n_ratings: int
    """Rows, each of another pair of user and item."""
    n_users: int
    """Users with at least one rating."""
    n_items: int
    """Items with a title or a rating."""
    n_probe: int | None
    """Pairs of the official probe; None where the source has none."""
    n_qualifying: int | None
    """Pairs of the qualifying set; None where the source has none."""
    rating_sum: float
    """All ratings added up, so that the mean rating needs no scan."""
    scale: Scale
    """The ratings that there may be."""
    feedback: str
    """What a rating says: explicit, how much somebody liked an item, or implicit, how often they
    chose it."""
    time_unit: str
    """What is kept of times: second, day or none."""
    first_date: str | None
    """Day of the first rating, ISO 8601; None without times."""
    last_date: str | None
    """Day of the last rating, ISO 8601; None without times."""
    user_keys: bool
    """Whether users have keys, and ids that bigrec gave them."""
    item_keys: bool
    """Whether items have."""
    said: dict[str, Any]
    """What the ingest was told of the files and their rows, where that was not the usual."""
    repeats: str
    """What became of rows in which a user meets an item again."""
    n_merged: int
    """Rows that became one with others of their pair."""
    rows_digest: str
    """Digest of all rows in hexadecimal, independent of their order."""
    bigrec_version: str
    """What wrote the store."""
    n_rejected: int = 0
    """Lines of the raw files that broke their grammar and were left out."""
    schema_version: int = SCHEMA_VERSION
    """Of the files and columns; a store of another one is refused."""

    @property
    def mean_rating(self) -> float:
        """Mean of all ratings."""
        return self.rating_sum / self.n_ratings

    @property
    def dates(self) -> str:
        """The first and the last day, in words."""
        return f"{self.first_date} to {self.last_date}" if self.first_date else "no times"

    def is_source(self, path: Path) -> bool:
        """Whether a file is one that the store was made from, by its name, size and time.

        Args:
            path: of the file.
        """
        path = Path(os.path.realpath(path))
        if not path.is_file():
            return False
        status = path.stat()
        return any(
            Path(file.name).name == path.name
            and (file.size, file.mtime_ns) == (status.st_size, status.st_mtime_ns)
            for file in self.source_files
        )

    @property
    def fingerprint(self) -> str:
        """Identity of the ratings: equal for two stores exactly when they hold the same rows."""
        text = f"{self.schema_version}:{self.n_ratings}:{self.rows_digest}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(self, path: Path) -> None:
        """Write as JSON.

        Args:
            path: of the file.
        """
        fields = {**dataclasses.asdict(self), "scale": list(self.scale.values)}
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def _where_else(root: Path) -> str:
    """What to do where there is no store: a store nearby is what was meant."""
    if outer := enclosing_folder(root / "inside"):
        folder = next(
            (up for up in outer[0].parents if mark_kind(up) == Kind.STORE.label), outer[0]
        )
        if (label := mark_kind(folder)) != Kind.STORE.label:
            return f"that is {folder}, a {label}; a store is made by bigrec ingest"
        return f"did you mean --store {folder}? that is the {label} around it"
    if root.is_symlink() and not root.exists():
        return f"that is a link to {root.readlink()}, which is not there; mend or remove it"
    if root.is_dir():
        if below := _stores_below(root):
            return f"did you mean --store {', or '.join(map(str, below))}?"
        if any(root.iterdir()):
            return (
                "that folder holds something else; choose another path with --store, or if these "
                f"are raw files: bigrec ingest {root} --store STORE"
            )
    elif os.path.lexists(root):
        return "that is no folder; choose another path with --store"
    return f"make one with: bigrec ingest RAW --store {root}"


def _stores_below(root: Path) -> list[Path]:
    """The first stores one folder below, or else two."""
    for pattern in ("*", "*/*"):
        marks = islice(root.glob(f"{pattern}/{SEAL}"), _MOST_LOOKED_AT)
        folders = sorted(mark.parent for mark in marks)
        if found := [path for path in folders if mark_kind(path) == Kind.STORE.label]:
            return found[:_MOST_OFFERED]
    return []


def _require_readable(root: Path) -> None:
    """Tell a store that cannot be looked into from one that is damaged or is not there.

    Raises:
        StoreError: the system refuses.
    """
    mark = root / SEAL
    try:
        mark.stat()
        if not os.access(mark, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        os.scandir(root).close()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise of_the_system(error, root, StoreError) from error


def read_manifest(layout: StoreLayout) -> Manifest:
    """Read the manifest of a store, which is verified as far as that is done at opening.

    Raises:
        StoreError: there is no store, it is damaged, or it has another schema version.
    """
    require_text_path(layout.root)
    _require_readable(layout.root)
    try:
        if mark_kind(layout.root) not in (None, Kind.STORE.label):
            raise FileNotFoundError
        open_sealed(layout.root, Kind.STORE)
        fields = read_object(layout.manifest, Kind.STORE)
    except FileNotFoundError:
        raise StoreError(
            f"there is no store at {layout.root}", hint=_where_else(layout.root)
        ) from None
    if fields.get("schema_version") != SCHEMA_VERSION:
        raise StoreError(
            f"{layout.root} has schema version {fields.get('schema_version')}, "
            f"this bigrec reads {SCHEMA_VERSION}",
            hint="ingest the raw files again with --overwrite",
        )
    try:
        fields["scale"] = Scale(tuple(map(float, fields["scale"])))
        fields["source_files"] = tuple(SourceFile(**file) for file in fields["source_files"])
        manifest = Manifest(**fields)
        if manifest.time_unit not in TIME_UNITS or manifest.feedback not in FEEDBACK:
            raise ValueError(f"{manifest.time_unit!r:.20} or {manifest.feedback!r:.20} is unknown")
        if not is_item_name(manifest.item_name):
            raise ValueError(f"item_name is {manifest.item_name!r:.60}")
        return manifest
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise damaged(
            Kind.STORE, layout.manifest, f"a field lacks or is wrong ({error})"
        ) from error
