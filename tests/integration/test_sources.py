"""bigrec's own sources keep the contract of all sources, and so does one of another package."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import PROBE, QUALIFYING, some_rows, write_netflix

from bigrec.interactions import Scale
from bigrec.sources import registry
from bigrec.sources.contract import BatchSource
from bigrec.sources.raw import RawFile, RawFolder
from bigrec.testing.source_contract import ExampleRow, SourceContract


class TestNetflix(SourceContract):
    source_name = "netflix"
    titles = {1: "Dinosaur Planet", 2: "Señor, the 2nd"}  # noqa: RUF012
    n_pairs = {"probe": 3, "qualifying": 2}  # noqa: RUF012

    def write_example(self, folder: Path) -> list[ExampleRow]:
        write_netflix(folder, others={"probe.txt": PROBE, "qualifying.txt": QUALIFYING})
        return [ExampleRow(user, item, stars, day) for item, user, stars, day in some_rows()]


@pytest.mark.parametrize("dialect", ["csv", "10M"], scope="class")
class TestMovieLens(SourceContract):
    source_name = "movielens"
    titles = {7: "Sabrina, the", 31: "Niñas"}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _keep_dialect(self, dialect: str) -> None:
        self.dialect = dialect

    def write_example(self, folder: Path) -> list[ExampleRow]:
        folder.rmdir()
        write_movielens(folder, self.dialect)
        return [
            ExampleRow(1, 31, 2.5, dt.date(2009, 12, 14)),
            ExampleRow(2, 31, 4.0, dt.date(1996, 6, 21)),
            ExampleRow(1, 7, 5.0, dt.date(2009, 12, 14)),
        ]


class PlaysSource(BatchSource):
    name = "plays"
    signature = "plays.parquet"
    item_name = "song"
    scale = Scale((0.25, 1.0, 7.0, 100.0))

    @classmethod
    def recognises(cls, folder: RawFolder) -> bool:
        return folder.has("plays.parquet")

    def files(self) -> list[list[RawFile]]:
        file = self.folder.find("plays.parquet")
        assert file is not None
        return [[file]]

    def batches(self) -> Iterator[pa.RecordBatch]:
        [[file]] = self.files()
        with pq.ParquetFile(file.path) as table:
            yield from table.iter_batches(batch_size=3)


class TestPlays(SourceContract):
    source_name = "plays"

    @pytest.fixture(autouse=True)
    def _register(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "_registered", {"plays": PlaysSource})

    def write_example(self, folder: Path) -> list[ExampleRow]:
        rows = [
            ExampleRow(user, 50 - 7 * item, PlaysSource.scale.values[(user + item) % 4], day)
            for user in (9, 2, 2**31 - 2, 5)
            for item, day in ((3, dt.date(1970, 1, 1)), (7, dt.date(2099, 12, 31)))
        ]
        columns = ("user_id", "item_id", "rating", "date")
        pq.write_table(
            pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True))),
            folder / "plays.parquet",
        )
        return rows
