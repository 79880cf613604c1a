"""Speaking to the command line about a folder with a store and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bigrec.cli.app import main

Capture = pytest.CaptureFixture[str]


def places(folder: Path) -> list[str]:
    """The flags for a folder's store and runs."""
    return ["--store", str(folder / "store"), "--runs", str(folder / "runs")]


def json_of(capsys: Capture, *argv: str) -> dict[str, Any]:
    """What a command that succeeds prints with --json."""
    capsys.readouterr()
    assert main([*argv, "--json"]) == 0
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


def refusal(capsys: Capture, *argv: str, code: int) -> str:
    """What a command that fails with this exit code prints on stderr."""
    capsys.readouterr()
    assert main([*argv]) == code
    return capsys.readouterr().err
