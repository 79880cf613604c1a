"""A session in time: stores that go, queries that do not end, where it spills."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import pytest

from bigrec.errors import QueryError, ResourceError, SettingsError, StoreError
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget


class TestStoreThatGoes:
    @pytest.mark.parametrize("fate", ["removed", "replaced", "moved"])
    def test_a_query_begun_before_tells_it(self, store: Path, tmp_path: Path, fate: str) -> None:
        copy = shutil.copytree(store, tmp_path / "store", symlinks=True)
        with open_session(copy, budget=Budget(threads=2)) as session:
            result = session.run("SELECT count(*), max(title) FROM items")
            assert result.fetchall()
            copy.rename(tmp_path / "old")
            if fate == "replaced":
                shutil.copytree(store, copy, symlinks=True)
            elif fate == "removed":
                shutil.rmtree(tmp_path / "old")
            with pytest.raises(StoreError, match="replaced or removed"):
                result.fetchall()
            with pytest.raises(StoreError, match="replaced or removed"):
                session.run("SELECT 1")

    def test_another_working_folder_is_not_another_store(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(store.parent)
        with open_session(Path(store.name), budget=Budget(threads=2)) as session:
            monkeypatch.chdir(tmp_path)
            assert session.run("FROM items").count() > 0


class TestTime:
    ENDLESS = (
        "WITH RECURSIVE c AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
    )

    def test_a_query_has_a_time_of_its_own(self, session: Session) -> None:
        with pytest.raises(QueryError, match=r"longer than 0\.2 seconds") as caught:
            session.run(self.ENDLESS, timeout=0.2).fetchall()
        assert "--timeout" in caught.value.hint
        assert session.run("SELECT 7").fetchall() == [(7,)]

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
    def test_a_time_is_positive_and_finite(self, session: Session, timeout: float) -> None:
        with pytest.raises(SettingsError, match="timeout"):
            session.run("SELECT 1", timeout=timeout)

    def test_only_the_engine_is_timed(self, session: Session) -> None:
        result = session.run("SELECT * FROM range(200000)", timeout=1)
        time.sleep(1.2)
        assert result.count() == 200_000


def test_without_a_folder_to_spill_what_spills_nothing_is_answered(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with open_session(store, budget=Budget(threads=2, memory_bytes=256 << 20)) as session:
        assert session.run("SELECT 7").fetchall() == [(7,)]
        with pytest.raises(ResourceError, match="memory"):
            session.run(
                "SELECT range, md5(range::VARCHAR) AS text FROM range(5000000) ORDER BY text"
            ).fetchall()
    with pytest.raises(ResourceError, match="cannot take temporary files") as caught:
        open_session(store, budget=Budget(temp_dir=tmp_path / "file"))
    assert "BIGREC_TEMP_DIR" in caught.value.hint


def test_a_folder_of_any_name_takes_what_is_spilled(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a[1]*? "quoted" %41;x' / "below"
    budget = Budget(memory_bytes=256 << 20, threads=2, temp_dir=folder)
    query = "SELECT range, md5(range::VARCHAR) AS text FROM range(2000000) ORDER BY text"
    with open_session(store, budget=budget) as session:
        stream = session.run(query).row_batches()
        next(stream)
        assert list(folder.glob("bigrec-scratch-*/*"))
        del stream
    assert not list(folder.iterdir())
