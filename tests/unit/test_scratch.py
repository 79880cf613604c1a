"""Scratch folders go with their process, even with a killed one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bigrec.errors import ResourceError
from bigrec.scratch import scratch_folder

CHILD = """
import sys, time
from pathlib import Path
from bigrec.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "spilled").write_text("rows")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_empty_and_goes_with_its_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "made") as folder:
        assert list(folder.iterdir()) == []
        (folder / "spilled").write_text("rows")
    assert list((tmp_path / "made").iterdir()) == []


def test_folders_of_living_processes_stay_and_of_killed_ones_go(tmp_path: Path) -> None:
    own = tmp_path / "bigrec-scratch"  # a user's, by its name
    own.mkdir()
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        theirs = Path(child.stdout.readline().strip())
        with scratch_folder(tmp_path) as mine:
            assert {*tmp_path.iterdir()} == {own, theirs, mine}
        child.send_signal(signal.SIGKILL)
    assert theirs.exists()
    with scratch_folder(tmp_path) as mine:
        assert {*tmp_path.iterdir()} == {own, mine}


def test_a_folder_that_cannot_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="file/x"), scratch_folder(tmp_path / "file" / "x"):
        pass
