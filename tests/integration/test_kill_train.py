"""SIGKILL or Ctrl-C at any moment of a training leaves the runs as they were."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bigrec.cli.app import main


@pytest.fixture
def home(store_small: Path, tmp_path: Path) -> Path:
    shutil.copytree(store_small, tmp_path / "store")
    store = ["--store", str(tmp_path / "store")]
    assert main(["split", "create", "s", "--min-movie-ratings", "20", *store]) == 0
    return tmp_path


def argv(home: Path, run: str, epochs: int) -> list[str]:
    return [
        "train", "matrix-factorization", "--split", "s", "--run", run, "--epochs", str(epochs),
        "--overwrite", "--store", str(home / "store"), "--runs", str(home / "runs"),
    ]  # fmt: skip


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_killed_trainings_leave_the_old_run(home: Path) -> None:
    assert main(argv(home, "r", 1)) == 0
    before = snapshot(home / "runs" / "r")
    command = [sys.executable, "-m", "bigrec", *argv(home, "r", 5000)]
    for wait_for in ("epoch   1", "epoch  40"):
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith(wait_for):
                break
        time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stderr.close()
        assert snapshot(home / "runs" / "r") == before
    assert main(argv(home, "r", 2)) == 0
    assert snapshot(home / "runs" / "r") != before
    assert [path.name for path in (home / "runs").iterdir() if path.is_dir()] == ["r"]


def test_an_interrupted_training_says_so_and_leaves_nothing(home: Path) -> None:
    command = [sys.executable, "-m", "bigrec", *argv(home, "i", 5000)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    words = ""
    for line in child.stderr:
        words += line
        if line.startswith("epoch   2"):
            child.send_signal(signal.SIGINT)
    assert child.wait() == 130
    child.stderr.close()
    assert "interrupted" in words
    assert "Traceback" not in words
    assert [path.name for path in (home / "runs").iterdir() if path.is_dir()] == []
