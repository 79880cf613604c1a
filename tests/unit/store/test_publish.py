"""Publishing: the whole new folder or the whole old one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bigrec.errors import ResourceError, StoreError
from bigrec.store import publish
from bigrec.store.publish import folder_bytes, publishing
from bigrec.store.seal import SEAL, Kind


def _publish(target: Path, text: str) -> None:
    with publishing(target, Kind.STORE) as draft:
        (draft.folder / "file").write_text(text)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_the_new_folder_takes_the_old_ones_place(
    exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(publish, "_exchange", lambda one, two: False)
    target = tmp_path / "store"
    _publish(target, "old")
    _publish(target, "new")
    assert (target / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["store"]


def test_a_failure_leaves_the_old_folder_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "store"
    _publish(target, "old")
    with pytest.raises(FileNotFoundError), publishing(target, Kind.STORE) as draft:
        (draft.folder / "missing" / "file").write_text("half")
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["store"]


def test_the_rest_of_a_killed_writer_is_cleared_away(tmp_path: Path) -> None:
    for name in ("store", "other"):
        (tmp_path / f".{name}.bigrec-lock").write_text("1")
        (tmp_path / f".{name}.bigrec-partial").mkdir()
        (tmp_path / f".{name}.bigrec-partial" / "half").write_text("half")
    _publish(tmp_path / "store", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"file", SEAL}


def test_a_second_writer_is_told_the_process_id_of_the_first(tmp_path: Path) -> None:
    with (
        publishing(tmp_path / "store", Kind.STORE),
        pytest.raises(StoreError, match=f"process id {os.getpid()}"),
        publishing(tmp_path / "store", Kind.STORE),
    ):
        pass


def test_a_full_disk_is_a_resource_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ResourceError, match="full") as caught,
        publishing(tmp_path / "store", Kind.STORE),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.exit_code == 5
    assert not (tmp_path / "store").exists()


def test_other_failures_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken"), publishing(tmp_path / "store", Kind.STORE):
        raise OSError(errno.EIO, "broken")


def test_folder_bytes_adds_up_files_of_all_levels(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"12345")
    (tmp_path / "two").write_bytes(b"123")
    assert folder_bytes(tmp_path) == 8
