"""The ingest stage: a raw folder in, a store out.

Units are parsed by a pool of threads and come back in order. A movie-sorted unit becomes a part of
ratings/ at once; every other sort order goes through the bucket sort. Both orders count the same
digest of their rows, so a store is published only if they hold the same ones.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bigrec.errors import DataError, StoreError
from bigrec.ingest.rows import Pairs, Rows
from bigrec.ingest.sorting import (
    Bucket,
    BucketFiles,
    BucketPlan,
    Scattered,
    SortedRows,
    plan_buckets,
    scatter_rows,
    sort_rows,
)
from bigrec.ingest.sources import Source, open_source
from bigrec.ingest.units import RawUnit
from bigrec.resources import SILENT, Budget, Progress, map_in_order, peak_rss_bytes
from bigrec.schema import DATE, MOVIE_ID, USER_ID
from bigrec.store.layout import StoreLayout, part_name
from bigrec.store.manifest import Manifest, SourceFile, read_manifest
from bigrec.store.writer import folder_bytes, publishing, write_ratings_part, write_table
from bigrec.version import __version__

Array = np.ndarray[Any, Any]

_BASE_BYTES = 288 << 20  # the interpreter with numpy, numba, pyarrow and polars
_UNIT_COPIES = 5  # memory that a unit in work takes, as a multiple of its text
_MAX_UNIT_BYTES = 32 << 20
_SORT_ROW_BYTES = 72  # memory that a row of a bucket in work takes
_MAX_BUCKET_ROWS = 1 << 20
_DIGEST_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class IngestOptions:
    """What to ingest, and how."""

    source: str = "auto"
    """The kind of raw data: auto, netflix or movielens."""
    overwrite: bool = False
    """Whether a store that exists is replaced, its splits included."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest did."""

    n_ratings: int
    n_users: int
    n_movies: int
    n_probe: int | None
    """None where the source has no probe."""
    n_qualifying: int | None
    """None where the source has no qualifying set."""
    seconds: float
    """Wall time."""
    rows_per_second: float
    """Ratings a second of wall time; 0 if nothing had to be done."""
    peak_rss_bytes: int
    """Peak resident memory of the process, all its threads included."""
    store_bytes: int
    """Size of the store's files without splits."""
    source: str
    """The kind of raw data that was recognised."""
    unchanged: bool
    """Whether the store held these very files already, so that nothing was written."""


def ingest_ratings(
    raw: Path,
    store: Path,
    *,
    options: IngestOptions | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> IngestSummary:
    """Turn a folder of raw rating files into a store.

    Args:
        raw: the folder of raw files.
        store: the folder to make. It appears when it is complete, not before.
        options: see IngestOptions.
        budget: memory and threads.
        progress: told of finished bytes of text.

    Raises:
        DataError: the raw files are missing or malformed; the store is then as it was.
        StoreError: a store with other data exists and `overwrite` is off, or somebody writes it.
    """
    started = time.perf_counter()
    options = options or IngestOptions()
    budget = budget or Budget()
    source = open_source(raw, options.source)
    files = _describe_files(raw, source.files())
    layout = StoreLayout(store)
    if layout.root.exists() and not options.overwrite:
        manifest = _existing_manifest(layout, source.name, files)
        return _summarise(layout, manifest, started, unchanged=True)
    with publishing(store) as partial:
        manifest = _StoreBuilder(source, StoreLayout(partial), budget, progress).build(raw, files)
    return _summarise(layout, manifest, started, unchanged=False)


def _describe_files(raw: Path, paths: list[Path]) -> dict[Path, SourceFile]:
    described = {}
    for path in paths:
        status = path.stat()
        if not status.st_size:
            raise DataError(f"{path} is empty", hint="fetch the file again")
        described[path] = SourceFile(
            path.relative_to(raw).as_posix(), status.st_size, status.st_mtime_ns
        )
    return described


def _existing_manifest(layout: StoreLayout, source: str, files: dict[Path, SourceFile]) -> Manifest:
    if not layout.manifest.exists():
        if any(layout.root.iterdir()):
            raise StoreError(
                f"{layout.root} is a folder but no store", hint="choose another path with --store"
            )
        raise StoreError(f"{layout.root} is an empty folder", hint="remove it, or use --overwrite")
    manifest = read_manifest(layout)
    stored = {(file.name, file.size, file.mtime_ns) for file in manifest.source_files}
    given = {(file.name, file.size, file.mtime_ns) for file in files.values()}
    if manifest.source != source or stored != given:
        changed = sorted({name for name, *_ in stored ^ given})
        raise StoreError(
            f"{layout.root} was made from other files (differing: {', '.join(changed[:5])})",
            hint="replace it with --overwrite, or choose another path with --store",
        )
    return manifest


def _summarise(
    layout: StoreLayout, manifest: Manifest, started: float, *, unchanged: bool
) -> IngestSummary:
    seconds = time.perf_counter() - started
    split_bytes = folder_bytes(layout.splits) if layout.splits.exists() else 0
    return IngestSummary(
        n_ratings=manifest.n_ratings,
        n_users=manifest.n_users,
        n_movies=manifest.n_movies,
        n_probe=manifest.n_probe,
        n_qualifying=manifest.n_qualifying,
        seconds=seconds,
        rows_per_second=0.0 if unchanged else manifest.n_ratings / seconds,
        peak_rss_bytes=peak_rss_bytes(),
        store_bytes=folder_bytes(layout.root) - split_bytes,
        source=manifest.source,
        unchanged=unchanged,
    )


@dataclass(frozen=True)
class _Part:
    """The statistics of one written part, by its primary id."""

    ids: Array  # (n,) int32
    counts: Array  # (n,) int32
    sums: Array  # (n,) int64, half stars
    first_days: Array  # (n,) int32
    last_days: Array  # (n,) int32
    digest: int


@dataclass(frozen=True)
class _ParsedUnit:
    unit: RawUnit
    part: _Part | None  # of a movie-sorted unit, whose part is written
    by_movie: Scattered | None
    by_user: Scattered


class _StoreBuilder:
    """Builds one store inside a folder that nobody else sees yet."""

    def __init__(
        self, source: Source, layout: StoreLayout, budget: Budget, progress: Progress
    ) -> None:
        self._source = source
        self._layout = layout
        self._budget = budget
        self._progress = progress
        spare = max(budget.memory_bytes - _BASE_BYTES, 32 << 20) // (budget.threads + 1)
        self._unit_bytes = min(spare // _UNIT_COPIES, _MAX_UNIT_BYTES)
        self._bucket_rows = min(spare // _SORT_ROW_BYTES, _MAX_BUCKET_ROWS)
        self._spill = layout.root / "spill"

    def build(self, raw: Path, files: dict[Path, SourceFile]) -> Manifest:
        """Write everything; return the manifest, written last."""
        movie_sample, user_sample, n_rows = self._source.sample()
        user_plan = plan_buckets(user_sample, n_rows, self._bucket_rows)
        movie_plan = plan_buckets(movie_sample, n_rows, self._bucket_rows)
        self._spill.mkdir()
        by_user = BucketFiles(self._spill / "by_user", user_plan)
        by_movie = BucketFiles(self._spill / "by_movie", movie_plan)
        movie_parts: list[_Part] = []
        digests: dict[Path, int] = {}
        self._layout.ratings.mkdir()
        self._layout.ratings_by_user.mkdir()
        try:
            self._progress.start("parsing", sum(f.size for f in files.values()), "bytes")
            for parsed in self._parse_units(movie_plan, user_plan):
                if parsed.part is not None:
                    self._check_order(movie_parts, parsed)
                    movie_parts.append(parsed.part)
                    before = digests.get(parsed.unit.path, 0)
                    digests[parsed.unit.path] = (before + parsed.part.digest) & _DIGEST_MASK
                if parsed.by_movie is not None:
                    by_movie.append(parsed.by_movie)
                by_user.append(parsed.by_user)
                n_bytes = parsed.unit.end - parsed.unit.start
                self._progress.advance(n_bytes, len(parsed.by_user.records))
        finally:
            user_buckets, movie_buckets = by_user.finish(), by_movie.finish()
        if not self._source.movie_sorted:
            movie_parts = self._write_sorted(movie_buckets, "sorting by movie", by_movie=True)
        user_parts = self._write_sorted(user_buckets, "sorting by user", by_movie=False)
        shutil.rmtree(self._spill)
        return self._finish(raw, files, digests, movie_parts, user_parts)

    def _parse_units(self, movie_plan: BucketPlan, user_plan: BucketPlan) -> Any:
        counter = iter(range(1 << 30))

        def work(numbered: tuple[int, RawUnit]) -> _ParsedUnit:
            number, unit = numbered
            rows = self._source.parse(unit)
            by_user = scatter_rows(user_plan, rows.user_id, rows.movie_id, rows.payload)
            if rows.columns is None:
                by_movie = scatter_rows(movie_plan, rows.movie_id, rows.user_id, rows.payload)
                return _ParsedUnit(unit, None, by_movie, by_user)
            return _ParsedUnit(unit, self._write_movies(number, rows), None, by_user)

        units = ((next(counter), unit) for unit in self._source.units(self._unit_bytes))
        return map_in_order(work, units, self._budget.threads)

    def _write_movies(self, number: int, rows: Rows) -> _Part:
        columns = rows.columns
        assert columns is not None  # noqa: S101 - only called for movie-sorted rows
        if len(rows.movie_id):
            path = self._layout.ratings / part_name(number)
            write_ratings_part(path, rows.movie_id, rows.user_id, columns.rating, columns.day)
        n = len(columns.movies)
        return _Part(
            columns.movies, columns.counts, columns.sums,
            np.full(n, columns.first_day, np.int32), np.full(n, columns.last_day, np.int32),
            columns.digest,
        )  # fmt: skip

    def _check_order(self, parts: list[_Part], parsed: _ParsedUnit) -> None:
        part = parsed.part
        if parts and part is not None and parts[-1].ids[-1] >= part.ids[0]:
            raise DataError(
                f"{parsed.unit.path}: found movie {part.ids[0]} after movie {parts[-1].ids[-1]}, "
                "expected movies in ascending order over all files",
                hint="a file may be there twice, or under another one's name",
            )

    def _write_sorted(self, buckets: list[Bucket], task: str, *, by_movie: bool) -> list[_Part]:
        folder = self._layout.ratings if by_movie else self._layout.ratings_by_user
        numbers = iter(range(1 << 30))
        lock = threading.Lock()  # parts of one bucket are consecutive; buckets run side by side
        self._progress.start(task, sum(bucket.n_rows for bucket in buckets), "ratings")

        def write(numbered: tuple[int, Array]) -> tuple[_Part, int]:
            number, records = numbered
            rows = sort_rows(
                records, secondary_sorted=self._source.movie_sorted, movie_is_primary=by_movie
            )
            del records
            if rows.duplicate >= 0:
                raise self._duplicate(rows, by_movie=by_movie)
            movie_id, user_id = (rows.primary, rows.secondary)[:: 1 if by_movie else -1]
            write_ratings_part(folder / part_name(number), movie_id, user_id, rows.rating, rows.day)
            part = _Part(
                rows.ids, rows.counts, rows.sums, rows.first_days, rows.last_days, rows.digest
            )
            return part, len(rows.primary)

        def parts() -> Any:
            for bucket in buckets:
                for records in bucket.read_parts(2 * self._bucket_rows):
                    with lock:
                        number = next(numbers)
                    yield number, records
                bucket.path.unlink()

        written = []
        for part, n_rows in map_in_order(write, parts(), self._budget.threads):
            written.append(part)
            self._progress.advance(n_rows, n_rows)
        return written

    def _duplicate(self, rows: SortedRows, *, by_movie: bool) -> DataError:
        one, two = rows.primary[rows.duplicate], rows.secondary[rows.duplicate]
        movie, user = (one, two) if by_movie else (two, one)
        return DataError(
            f"user {user} rates movie {movie} more than once, expected one rating a movie",
            hint="remove all but one of these lines",
        )

    def _finish(
        self,
        raw: Path,
        files: dict[Path, SourceFile],
        digests: dict[Path, int],
        movie_parts: list[_Part],
        user_parts: list[_Part],
    ) -> Manifest:
        digest = sum(part.digest for part in user_parts) & _DIGEST_MASK
        if digest != sum(part.digest for part in movie_parts) & _DIGEST_MASK:
            raise StoreError(
                "the two sort orders do not hold the same rows",
                hint="this is a fault of the disk or of bigrec; please report it",
            )
        n_ratings = sum(int(part.counts.sum()) for part in user_parts)
        if not n_ratings:
            raise DataError(f"{raw} holds no ratings", hint="fetch the files again")
        n_movies = self._write_movie_table(movie_parts)
        self._write_user_table(user_parts)
        probe, qualifying = self._source.probe(), self._source.qualifying()
        _write_pairs(self._layout.probe, probe)
        _write_pairs(self._layout.qualifying, qualifying)
        first_day = min(int(part.first_days.min()) for part in user_parts)
        last_day = max(int(part.last_days.max()) for part in user_parts)
        manifest = Manifest(
            source=self._source.name,
            source_files=tuple(
                SourceFile(
                    file.name, file.size, file.mtime_ns,
                    f"{digests[path]:016x}" if path in digests else "",
                )
                for path, file in files.items()
            ),
            n_ratings=n_ratings,
            n_users=sum(len(part.ids) for part in user_parts),
            n_movies=n_movies,
            n_probe=None if probe is None else len(probe.movie_id),
            n_qualifying=None if qualifying is None else len(qualifying.movie_id),
            rating_sum=sum(int(part.sums.sum()) for part in user_parts) / 2,
            min_rating=self._source.min_rating,
            max_rating=self._source.max_rating,
            first_date=str(np.datetime64(first_day, "D")),
            last_date=str(np.datetime64(last_day, "D")),
            rows_digest=f"{digest:016x}",
            bigrec_version=__version__,
        )  # fmt: skip
        manifest.write(self._layout.manifest)
        return manifest

    def _write_movie_table(self, parts: list[_Part]) -> int:
        titles = self._source.titles()
        rated = np.concatenate([part.ids for part in parts])
        movie_id = np.union1d(titles.movie_id, rated).astype(np.int32)
        n_ratings = np.zeros(len(movie_id), np.int32)
        sums = np.zeros(len(movie_id), np.int64)
        places = np.searchsorted(movie_id, rated)
        n_ratings[places] = np.concatenate([part.counts for part in parts])
        sums[places] = np.concatenate([part.sums for part in parts])
        title: list[str | None] = [None] * len(movie_id)
        year: list[int | None] = [None] * len(movie_id)
        for place, name, released in zip(
            np.searchsorted(movie_id, titles.movie_id), titles.title, titles.year, strict=True
        ):
            title[place], year[place] = name, released
        write_table(
            self._layout.movies,
            {
                MOVIE_ID: pa.array(movie_id),
                "title": pa.array(title, pa.string()),
                "year": pa.array(year, pa.int32()),
                "n_ratings": pa.array(n_ratings),
                "mean_rating": _means(sums, n_ratings),
            },
        )
        return len(movie_id)

    def _write_user_table(self, parts: list[_Part]) -> None:
        counts = np.concatenate([part.counts for part in parts])
        sums = np.concatenate([part.sums for part in parts])
        first_days = np.concatenate([part.first_days for part in parts])
        last_days = np.concatenate([part.last_days for part in parts])
        write_table(
            self._layout.users,
            {
                USER_ID: pa.array(np.concatenate([part.ids for part in parts])),
                "n_ratings": pa.array(counts),
                "mean_rating": _means(sums, counts),
                "first_date": pa.array(first_days).cast(pa.date32()),
                "last_date": pa.array(last_days).cast(pa.date32()),
            },
        )


def _means(half_stars: Array, counts: Array) -> pa.Array:
    with np.errstate(invalid="ignore"):
        return pa.array(half_stars / 2 / counts, mask=counts == 0)


def _write_pairs(path: Path, pairs: Pairs | None) -> None:
    if pairs is None:
        return
    columns = {MOVIE_ID: pa.array(pairs.movie_id), USER_ID: pa.array(pairs.user_id)}
    if pairs.day is not None:
        columns[DATE] = pa.array(pairs.day).cast(pa.date32())
    write_table(path, columns)
