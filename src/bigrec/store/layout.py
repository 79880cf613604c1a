"""Every path inside a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bigrec.store.seal import Kind, mark_kind


@dataclass(frozen=True)
class StoreLayout:
    """The paths of one store."""

    root: Path
    """The store's folder."""

    @property
    def manifest(self) -> Path:
        """What the store holds; written last, so its presence means that the store is whole."""
        return self.root / "manifest.json"

    @property
    def ratings(self) -> Path:
        """Parquet parts sorted by (item_id, user_id), one contiguous range of items each."""
        return self.root / "ratings"

    @property
    def ratings_by_user(self) -> Path:
        """Parquet parts sorted by (user_id, item_id), one contiguous range of users each."""
        return self.root / "ratings_by_user"

    @property
    def items(self) -> Path:
        """One row an item: id, title, year, counts."""
        return self.root / "items.parquet"

    @property
    def users(self) -> Path:
        """One row a user: id, counts, first and last date."""
        return self.root / "users.parquet"

    @property
    def probe(self) -> Path:
        """Pairs of the official probe, in the order of its file."""
        return self.root / "probe.parquet"

    @property
    def qualifying(self) -> Path:
        """Pairs of the qualifying set, in the order of its file."""
        return self.root / "qualifying.parquet"

    @property
    def splits(self) -> Path:
        """One folder a split."""
        return self.root / "splits"

    def split(self, name: str) -> Path:
        """The folder of one split."""
        return self.splits / name

    def parts(self, folder: Path) -> list[Path]:
        """The Parquet parts of ratings/ or ratings_by_user/, in sort order."""
        return sorted(folder.glob("part-*.parquet"))


def split_names(layout: StoreLayout) -> list[str]:
    """The splits that have been saved, by name; damaged ones too."""

    def is_split(folder: Path) -> bool:
        return mark_kind(folder) == Kind.SPLIT.label or (folder / "split.json").exists()

    return sorted(path.name for path in layout.splits.glob("[!.]*") if is_split(path))


def run_folders(runs: Path) -> list[Path]:
    """The folders of all complete runs, by name; damaged ones too."""

    def is_run(folder: Path) -> bool:
        label = mark_kind(folder)
        has_files = (folder / "config.json").exists() and (folder / "metrics.json").exists()
        return label == Kind.RUN.label or (label is None and has_files)

    return sorted(path for path in runs.glob("[!.]*") if is_run(path))


def part_name(number: int) -> str:
    """The file name of a part; names sort as numbers do."""
    return f"part-{number:05d}.parquet"
