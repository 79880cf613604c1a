"""What holds for every source, as tests that the tests of a source inherit.

class TestPlays(SourceContract):
source_name = "plays"

def write_example(self, folder: Path) -> list[ExampleRow]:
rows = [ExampleRow(7, 1, 4.5, dt.date(2024, 2, 29)), ...]
...  # write them to files in the folder as the source has them
return rows
"""

from __future__ import annotations

import datetime as dt
import os
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest

from bigrec.errors import BigrecError
from bigrec.ingest import builder
from bigrec.ingest.deep_check import find_other_rows
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.resources import Budget
from bigrec.sources.contract import Source, TextSource
from bigrec.sources.raw import RawFolder
from bigrec.sources.registry import find_source, open_source
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import read_manifest


class ExampleRow(NamedTuple):
    """One rating, as a store should hold it."""

    user_id: int
    item_id: int
    rating: float
    date: dt.date


class SourceContract(ABC):
    """Tests of one source. A subclass whose name begins with Test is run by pytest."""

    source_name: ClassVar[str]
    """The name of the source, which `bigrec.sources` or an entry point has."""
    titles: ClassVar[Mapping[int, str]] = {}
    """Titles of items in the example, of a source that has some."""
    n_pairs: ClassVar[Mapping[str, int]] = {}
    """Number of pairs in each table that the example has beside its ratings."""

    @abstractmethod
    def write_example(self, folder: Path) -> list[ExampleRow]:
        """Write raw files of a handful of ratings, as the source has them.

        Args:
            folder: where to write; it is there and empty.

        Returns:
            The ratings, in any order: of two users and two items at least, no pair twice.
        """

    @pytest.fixture
    def raw(self, tmp_path: Path) -> Path:
        """A folder to write the example to."""
        folder = tmp_path / "raw"
        folder.mkdir()
        return folder

    @pytest.fixture
    def example(self, raw: Path) -> list[ExampleRow]:
        """The rows of the example, which is written."""
        rows = self.write_example(raw)
        assert len({row.user_id for row in rows}) > 1, "write rows of two users at least"
        assert len({row.item_id for row in rows}) > 1, "write rows of two items at least"
        assert len({(row.user_id, row.item_id) for row in rows}) == len(rows), "a pair comes twice"
        return rows

    def test_it_is_found_by_its_name_and_has_words_for_people(self) -> None:
        source = find_source(self.source_name)
        assert source.name == self.source_name
        assert re.fullmatch("[a-z][a-z0-9_-]*", source.name), "a name is a word in lower case"
        assert source.signature.strip(), "say by which files people know the source"
        assert re.fullmatch("[a-z][a-z_]*", source.item_name), "SQL makes a column of item_name"
        assert source.item_name not in ("user", "rating", "split", "probe", "manifest")

    def test_it_recognises_its_own_files_and_no_others(
        self, raw: Path, example: list[ExampleRow], tmp_path: Path
    ) -> None:
        source = find_source(self.source_name)
        assert source.recognises(RawFolder(raw))
        other = tmp_path / "other"
        other.mkdir()
        assert not source.recognises(RawFolder(other)), "an empty folder is taken for the source"
        (other / "notes.txt").write_text("nothing to see\n")
        assert not source.recognises(RawFolder(other)), "any file is taken for the source"

    def test_it_is_what_an_ingest_finds_by_itself(
        self, raw: Path, example: list[ExampleRow]
    ) -> None:
        assert open_source(raw).name == self.source_name

    def test_it_says_what_the_data_are(self, raw: Path, example: list[ExampleRow]) -> None:
        source = self._open(raw)
        assert source.form.strip()
        files = [file for group in source.files() for file in group]
        assert files, "every file that is read belongs to files()"
        assert len(set(files)) == len(files), "a file comes twice in files()"
        if source.scale is None:
            return
        values = set(source.scale.table.tolist())
        off = [row for row in example if float(np.float32(row.rating)) not in values]
        assert not off, f"ratings of the example are not on the scale: {off}"

    @pytest.mark.parametrize("by_user", [True, False], ids=["both orders", "one order"])
    def test_a_store_holds_its_rows_and_no_others(
        self, by_user: bool, raw: Path, example: list[ExampleRow], tmp_path: Path
    ) -> None:
        store = tmp_path / "store"
        options = IngestOptions(source=self.source_name, by_user=by_user)
        summary = ingest_ratings(raw, store, options=options)
        self._expect_rows(store, example, by_user=by_user)
        assert summary.n_ratings == len(example)
        assert summary.n_users == len({row.user_id for row in example})
        layout = StoreLayout(store)
        manifest = read_manifest(layout)
        assert find_other_rows(layout, manifest, budget=Budget(threads=1)) == []
        assert manifest.first_date == min(row.date for row in example).isoformat()
        assert manifest.last_date == max(row.date for row in example).isoformat()

    def test_titles_and_tables_are_stored_as_well(
        self, raw: Path, example: list[ExampleRow], tmp_path: Path
    ) -> None:
        ingest_ratings(raw, tmp_path / "store", options=self._options())
        layout = StoreLayout(tmp_path / "store")
        items = pq.read_table(layout.items).to_pydict()
        titles = {i: t for i, t in zip(items["item_id"], items["title"], strict=True) if t}
        assert titles == dict(self.titles)
        assert {row.item_id for row in example} <= set(items["item_id"])
        manifest = read_manifest(layout)
        counts = {"probe": manifest.n_probe, "qualifying": manifest.n_qualifying}
        assert {name: n for name, n in counts.items() if n is not None} == dict(self.n_pairs)

    def test_rows_do_not_depend_on_how_they_are_cut(
        self,
        raw: Path,
        example: list[ExampleRow],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 30)
        monkeypatch.setattr(builder, "_MAX_BUCKET_ROWS", 2)
        for threads in (1, 3):
            store = tmp_path / f"store-{threads}"
            budget = Budget(threads=threads)
            ingest_ratings(raw, store, options=self._options(), budget=budget)
            self._expect_rows(store, example, by_user=True)

    def test_an_archive_of_text_is_read_like_its_folder(
        self, raw: Path, example: list[ExampleRow], tmp_path: Path
    ) -> None:
        if not issubclass(find_source(self.source_name), TextSource):
            pytest.skip("files that are no text need not be read from archives")
        archive = tmp_path / "raw.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted(raw.rglob("*")):
                target.write(path, path.relative_to(raw).as_posix())
        ingest_ratings(archive, tmp_path / "store", options=self._options())
        self._expect_rows(tmp_path / "store", example, by_user=True)

    def test_the_same_files_again_are_nothing_to_do_and_changed_ones_are(
        self, raw: Path, example: list[ExampleRow], tmp_path: Path
    ) -> None:
        store = tmp_path / "store"
        ingest_ratings(raw, store, options=self._options())
        assert ingest_ratings(raw, store, options=self._options()).unchanged
        file = self._open(raw).files()[0][0]
        os.utime(file.path, ns=(1, 1))
        with pytest.raises(BigrecError, match="other files"):
            ingest_ratings(raw, store, options=self._options())

    def _options(self) -> IngestOptions:
        return IngestOptions(source=self.source_name)

    def _open(self, raw: Path) -> Source:
        return open_source(raw, self.source_name)

    def _expect_rows(self, store: Path, example: list[ExampleRow], *, by_user: bool) -> None:
        layout = StoreLayout(store)
        expected = [
            (row.item_id, row.user_id, float(np.float32(row.rating)), row.date) for row in example
        ]
        assert _stored_rows(layout, layout.ratings) == sorted(expected)
        if by_user:
            by_users = sorted(expected, key=lambda row: (row[1], row[0]))
            assert _stored_rows(layout, layout.ratings_by_user) == by_users


def _stored_rows(layout: StoreLayout, folder: Path) -> list[tuple[int, int, float, dt.date]]:
    """The rows of one order of a store, as they lie there."""
    rows: list[tuple[int, int, float, dt.date]] = []
    for path in layout.parts(folder):
        columns = pq.ParquetFile(path).read().to_pydict()
        names = ("item_id", "user_id", "rating", "date")
        rows += zip(*(columns[name] for name in names), strict=True)
    return rows
