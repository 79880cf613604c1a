"""Opening a store as lazy Polars frames. SQL opens it through `query.session`, without Polars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bigrec.errors import StoreError
from bigrec.schema import BY_SECOND, DATE, SECOND, TIME
from bigrec.store.layout import StoreLayout, split_names
from bigrec.store.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Catalog:
    """A store that has been opened: its paths, its manifest, its tables as lazy frames."""

    layout: StoreLayout
    manifest: Manifest

    def ratings(self) -> pl.LazyFrame:
        """All ratings: item_id INT32, user_id INT32, rating FLOAT32, date DATE.

        Where the store keeps them, time TIMESTAMP too; without times there is no date.
        """
        return self._with_time(scan_file(self.layout.parts(self.layout.ratings)))

    def ratings_by_user(self) -> pl.LazyFrame:
        """The same rows, stored in order of (user_id, item_id)."""
        if not self.layout.ratings_by_user.exists():
            raise StoreError(
                "this store does not keep its ratings in order of users",
                hint="ingest the raw files again with --overwrite and without --no-by-user",
            )
        return self._with_time(scan_file(self.layout.parts(self.layout.ratings_by_user)))

    def items(self) -> pl.LazyFrame:
        """One row an item: item_id, key if it has one, title, year, n_ratings, mean_rating."""
        return scan_file(self.layout.items)

    def users(self) -> pl.LazyFrame:
        """One row a user: user_id, key if it has one, n_ratings, mean_rating, and its dates."""
        return scan_file(self.layout.users)

    def probe(self) -> pl.LazyFrame:
        """Pairs of the official probe: item_id, user_id, in the order of its file."""
        return self._scan_optional(self.layout.probe, "probe")

    def qualifying(self) -> pl.LazyFrame:
        """Pairs of the qualifying set: item_id, user_id, date, in the order of its file."""
        return self._scan_optional(self.layout.qualifying, "qualifying set")

    def split_names(self) -> list[str]:
        """The splits that have been saved, by name."""
        return split_names(self.layout)

    def _with_time(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """The time of each row in place of the second of its day."""
        if self.manifest.time_unit != BY_SECOND:
            return frame
        time = pl.col(DATE).cast(pl.Datetime("us")) + pl.duration(seconds=pl.col(SECOND))
        return frame.with_columns(time.alias(TIME)).drop(SECOND)

    def _scan_optional(self, path: Path, what: str) -> pl.LazyFrame:
        if not path.exists():
            raise StoreError(
                f"this store has no {what}",
                hint=f"it was made from {self.manifest.source} files without one",
            )
        return scan_file(path)


def scan_file(path: Path | list[Path]) -> pl.LazyFrame:
    """The rows of Parquet files, lazily; nothing in a path is a pattern or a column."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def open_catalog(root: Path) -> Catalog:
    """Open a store.

    Raises:
        StoreError: there is no store at `root`, or it cannot be read.
    """
    layout = StoreLayout(Path(root))
    return Catalog(layout, read_manifest(layout))
