"""The README is true: every command stands in it, and what it shows can be run as shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import bigrec
from bigrec.cli.app import main, make_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    app = make_app()
    names = [
        command.name or getattr(command.callback, "__name__", "")
        for command in app.registered_commands
    ]
    return names + [str(group.name) for group in app.registered_groups]


def console_lines(tool: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]
    return [line.removeprefix(tool + " ") for line in lines if line.startswith(tool + " ")]


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_stands_in_the_readme(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    words = capsys.readouterr().out
    assert "Usage" in words
    assert len(words) > 300
    assert f"bigrec {name}" in README


def test_the_tour_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = console_lines("bigrec")
    assert len(lines) > 10
    for line in lines:
        # The same commands on a fiftieth of the data, for a user and an item that it has.
        small = line.replace("--ratings 1000000", "--ratings 20000")
        small = re.sub(r"(recommend \S+) \d+", lambda found: f"{found[1]} {some('user_id')}", small)
        small = re.sub(r"(similar \S+) \d+", lambda found: f"{found[1]} {some('item_id')}", small)
        assert main(shlex.split(small)) == 0, line
    assert (tmp_path / "report.html").stat().st_size > 10_000


def some(column: str) -> int:
    split = bigrec.open("store").split("demo")
    return int(split.train.select(column).first().collect().item())


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {line.split()[0] for line in console_lines("make")}
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_public_name_is_documented() -> None:
    for name in bigrec.__all__:
        if not name.startswith("__"):
            assert getattr(bigrec, name).__doc__, name


def test_no_rating_data_and_no_addresses_are_committed() -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in constraints)
    found = [path for pattern in ("combined_data_*", "ratings.csv") for path in ROOT.glob(pattern)]
    assert found == []
