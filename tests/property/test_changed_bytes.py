"""A wrong byte anywhere in a raw set is told with its file and line, or changes its rows only."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import (
    PROBE,
    QUALIFYING,
    kaggle_zip,
    rating_text,
    some_rows,
    write_netflix,
)

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.store.catalog import open_catalog

pytestmark = pytest.mark.slow

N_CHANGES = 60
Content = dict[str, Counter[tuple[Any, ...]]]


def _netflix(folder: Path) -> Path:
    text = rating_text(some_rows(3, 4)).encode()
    return write_netflix(
        folder, ratings=text, others={"probe.txt": PROBE, "qualifying.txt": QUALIFYING}
    )


SETS: dict[str, Callable[[Path], Path]] = {
    "netflix": _netflix,
    **{
        f"movielens {dialect}": partial(write_movielens, dialect=dialect)
        for dialect in ("csv", "1M", "10M", "100K")
    },
}


def _zip(raw: Path) -> Path:
    archive = kaggle_zip(raw)
    shutil.rmtree(raw)
    return archive


def _gzip(raw: Path) -> Path:
    for path in list(raw.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    return raw


def _content(raw: Path, store: Path) -> Content:
    """The rows of all tables of the store that is made of raw files."""
    shutil.rmtree(store, ignore_errors=True)
    # A set whose file has lost its name could be read as any table, which is another matter.
    source = "netflix" if "netflix" in os.environ.get("PYTEST_CURRENT_TEST", "") else "movielens"
    ingest_ratings(raw, store, options=IngestOptions(source=source))
    catalog = open_catalog(store)
    tables = {
        "ratings": catalog.ratings().collect(),
        "titles": catalog.items().collect().select("item_id", "title", "year"),
    }
    if catalog.manifest.n_probe is not None:
        tables["probe"] = catalog.probe().collect()
    if catalog.manifest.n_qualifying is not None:
        tables["qualifying"] = catalog.qualifying().collect()
    return {name: Counter(table.rows()) for name, table in tables.items()}


def _try_content(raw: Path, store: Path) -> Content | DataError:
    """The same, or the error in words; any other exception is a fault."""
    try:
        return _content(raw, store)
    except DataError as error:
        return error


def _changes(data: bytes, seed: str) -> list[tuple[int, bytes]]:
    """Some places, each with the data in which the byte there is another one."""
    draw = random.Random(seed)
    likely = b"0123456789,:|\t\"'\r\n .\0\xff\xc3"
    found = []
    for _ in range(N_CHANGES):
        position = draw.randrange(len(data))
        byte = draw.choice(likely) if draw.random() < 0.7 else draw.randrange(256)
        if byte != data[position]:
            found.append((position, data[:position] + bytes([byte]) + data[position + 1 :]))
    return found


def _touches_header(data: bytes, position: int) -> bool:
    """Whether a place lies in the header of an item's block, or ends the line before it."""
    start, end = data.rfind(b"\n", 0, position) + 1, data.find(b"\n", position + 1)
    return b":\n" in data[start : end + 1]


@pytest.mark.parametrize("source", SETS)
def test_a_wrong_byte_of_a_text_file_changes_its_rows_only_or_is_told(
    source: str, tmp_path: Path
) -> None:
    raw, store = SETS[source](tmp_path / "raw"), tmp_path / "store"
    before = _content(raw, store)
    for path in sorted(raw.iterdir()):
        data = path.read_bytes()
        for position, changed in _changes(data, f"{source} {path.name}"):
            path.write_bytes(changed)
            line = changed[:position].count(b"\n") + 1
            after = _try_content(raw, store)
            if isinstance(after, RawFormatError):
                assert after.path == path
                # Where an order or a pair is broken the other of two lines may be named.
                is_relation = after.expected.startswith(("item ids in asc", "one rating"))
                assert abs(after.line - line) <= 1 or is_relation, (position, changed)
                continue
            if isinstance(after, DataError):
                assert str(raw) in str(after), (position, changed)
                continue
            for name, rows in before.items():
                gone, new = rows - after[name], after[name] - rows
                n_most = len(data) if _touches_header(data, position) else 2
                assert gone.total() <= n_most, (position, changed)
                assert new.total() <= n_most, (position, changed)
        path.write_bytes(data)


@pytest.mark.parametrize("pack", [_zip, _gzip], ids=["zip", "gzip"])
@pytest.mark.parametrize("source", ["netflix", "movielens csv"])
def test_a_wrong_byte_of_a_packed_file_changes_nothing_or_is_told(
    source: str, pack: Callable[[Path], Path], tmp_path: Path
) -> None:
    raw, store = pack(SETS[source](tmp_path / "raw")), tmp_path / "store"
    before = _content(raw, store)
    for path in sorted(raw.iterdir()) if raw.is_dir() else [raw]:
        data = path.read_bytes()
        for position, changed in _changes(data, f"{source} {path.name}"):
            path.write_bytes(changed)
            after = _try_content(raw, store)
            if isinstance(after, DataError):
                assert raw.name in str(after), (position, changed)
                continue
            for name, rows in after.items():  # a table whose file lost its name is not there
                assert rows == before[name], (position, changed)
        path.write_bytes(data)
