"""The first command of the README does the whole road."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bigrec.models.registry import MODELS
from bigrec.runs import list_runs


def demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bigrec", "demo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_demo_goes_from_raw_files_to_a_report(tmp_path: Path) -> None:
    done = demo("d", "--ratings", "20000", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {run.name for run in list_runs(tmp_path / "d" / "runs")} == set(MODELS)
    assert (tmp_path / "d" / "report.html").stat().st_size > 100_000
    assert len((tmp_path / "d" / "qualifying.csv").read_text().splitlines()) > 100
    again = demo("d", folder=tmp_path)
    assert again.returncode == 3
    assert "is no empty folder" in again.stderr


def test_a_step_that_fails_ends_the_demo_with_its_exit_code(tmp_path: Path) -> None:
    done = demo("d", "--ratings", "20000", "--memory", "256MiB", folder=tmp_path)
    assert done.returncode == 5, done.stderr
    assert "the step 'bigrec ingest' ended with exit code 5" in done.stderr
