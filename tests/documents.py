"""The documents of the repository: their commands and Python blocks, run and compared.

`python -m tests.documents` (`make outputs`) runs all that the documents show, and where it says
something else now, puts that in its place; with `--times` also where only times differ.
A line of three dots in an output stands for any lines, and stays. What `$ cat FILE` shows is
written to that file, if it is not there; a command that shows an error is to end with one.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bigrec.cli.app import main

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"

CHAINS: Final = (
    ("README.md",),
    (
        "docs/tour.md", "docs/splits.md", "docs/training.md", "docs/evaluation.md",
        "docs/python.md", "docs/adding-a-query.md", "docs/store-format.md",
    ),
    ("docs/your-own-data.md",),
)  # fmt: skip
"""Pages whose commands run one after the other, each chain in a folder of its own."""

DOTS: Final = "..."
PROMPT: Final = "$ bigrec "
SHOWS_FILE: Final = "$ cat "
ERROR: Final = "error: "

_OF_THE_MACHINE: Final = frozenset(
    {"seconds", "rows/s", "input wait", "rows a second", "peak memory", "size", "store"}
)
"""Names of values and columns that another machine or hour changes."""
_OF_THE_MODEL: Final = frozenset({"popularity"})
"""Columns of whole numbers that follow from scores, which differ a little between processors."""
_LISTS: Final = ("recommend", "similar")
"""Commands whose rows are in the order of scores."""

_AMOUNT: Final = re.compile(r"\d[\d.,]* (KiB|MiB|GiB|s)\b")
_DIGEST: Final = re.compile(r"\b[0-9a-f]{16}\b")
"""Of a split or of a store's rows: it changes with the version of the rules."""
_NUMBER: Final = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_TOLERANCE: Final = 0.01
"""Of numbers with digits behind the point: a change of an RMSE that is worth a look."""
_LOOSE_TOLERANCE: Final = 0.03
"""Of whole numbers that follow from scores, relative."""


def documents() -> list[Path]:
    """All Markdown files that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "benchmarks/README.md"]


@dataclass(frozen=True)
class Step:
    """One command of a console block with what it prints, one Python block, or a file."""

    page: Path
    line: int
    """Of the command, or of the first line of the block, in the page; from 0."""
    command: str
    """What stands behind `$ bigrec`, or Python source, or the name of a file."""
    output: tuple[str, ...]
    is_python: bool = False
    is_file: bool = False

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line + 1}: {self.command}"

    @property
    def fails(self) -> bool:
        """Whether the page shows an error."""
        return any(line.startswith(ERROR) for line in self.output)

    def run(self, names: dict[str, Any]) -> tuple[int, list[str]]:
        """Run it in the working folder: the exit code, and the lines on stdout and stderr."""
        if self.is_file:
            path = Path(self.command)
            if not path.exists():
                path.write_text("".join(f"{line}\n" for line in self.output), encoding="utf-8")
            return 0, path.read_text(encoding="utf-8").splitlines()
        stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            if self.is_python:
                exec(compile(self.command, str(self), "exec"), names)
                code = 0
            else:
                code = main(shlex.split(self.command, comments=True))
        stream.seek(0)
        lines = [line.rstrip() for line in stream]
        return code, [line for line in lines if line]


def read_steps(page: Path) -> Iterator[Step]:
    """What a page runs, in order."""
    fence, start = "", 0
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("```"):
            if fence == "```python":
                source = "\n".join(lines[start:number])
                yield Step(page, start, source, (), is_python=True)
            fence, start = ("", 0) if fence else (line.strip(), number + 1)
        elif fence == "```console" and line.startswith((PROMPT, SHOWS_FILE)):
            prompt = PROMPT if line.startswith(PROMPT) else SHOWS_FILE
            output = []
            for below in lines[number + 1 :]:
                if not below or below.startswith(("```", "$ ")):
                    break
                output.append(below.rstrip())
            command = line.removeprefix(prompt)
            yield Step(page, number, command, tuple(output), is_file=prompt == SHOWS_FILE)


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Work in a folder, with none of the settings of whoever runs this."""
    before = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("BIGREC_")}
    with contextlib.chdir(folder):
        try:
            yield
        finally:
            os.environ.update(before)


def differences(step: Step, found: Sequence[str]) -> list[str]:
    """Where the lines that a step prints are not those that its page shows."""
    expected, shown = step.output, _as_shown(step, found)
    if len(shown) != len(expected):
        return [f"expected {len(expected)} lines, found {len(shown)}"]
    if step.command.split()[0] in _LISTS:
        n_same = len({_first(line) for line in expected} & {_first(line) for line in shown})
        return [] if 2 * n_same >= len(expected) else ["other items"]
    wrong = []
    machine: set[int] = set()
    model: set[int] = set()
    for one, other in zip(expected, shown, strict=True):
        names, values = _cells(one), _cells(other)
        if found_machine := _columns(names, _OF_THE_MACHINE):
            machine, model = found_machine, _columns(names, _OF_THE_MODEL)
        elif of_model := _columns(names, _OF_THE_MODEL):
            machine, model = set(), of_model
        if names[:1] == values[:1] and names[0] in _OF_THE_MACHINE:
            continue
        same = len(names) == len(values) and all(
            index in machine or _same(a, b, loosely=index in model)
            for index, (a, b) in enumerate(zip(names, values, strict=True))
        )
        if not same:
            wrong.append(f"expected {one!r}, found {other!r}")
    return wrong


def _as_shown(step: Step, found: Sequence[str]) -> list[str]:
    """The lines that a step prints, with dots where its page has them."""
    if DOTS not in step.output:
        return list(found)
    dots = step.output.index(DOTS)
    n_tail = len(step.output) - dots - 1
    return [*found[:dots], DOTS, *found[max(dots, len(found) - n_tail) :]]


def _cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def _first(line: str) -> str:
    return _cells(line)[0]


def _columns(names: Sequence[str], wanted: frozenset[str]) -> set[int]:
    """Which columns of a table's heading these are; a name before its value is no heading."""
    return {index for index, name in enumerate(names) if name in wanted and index}


def _same(one: str, other: str, *, loosely: bool) -> bool:
    one, other = (_DIGEST.sub("#", _AMOUNT.sub(r"\1", text)) for text in (one, other))
    if set(one) | set(other) <= set("- "):
        return True  # a rule below a heading, as wide as the cells
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    return all(
        a == b or (loosely and _near(a, b, _LOOSE_TOLERANCE)) or ("." in a and _near(a, b, 0))
        for a, b in zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    )


def _near(one: str, other: str, relative: float) -> bool:
    a, b = (float(text.replace(",", "")) for text in (one, other))
    return abs(a - b) <= max(_TOLERANCE, relative * abs(a))


def _run_alone(step: Step) -> tuple[int, list[str]]:
    """Run a step in a process of its own, whose peak of memory is the command's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step.run, {}).result()


def _rewrite(chain: Sequence[str], *, times: bool) -> None:
    """Put what the commands of some pages print in the place of what stands there."""
    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)):
        for page in (ROOT / name for name in chain):
            names: dict[str, Any] = {}
            lines = page.read_text(encoding="utf-8").splitlines()
            n_more = 0
            for step in read_steps(page):
                code, found = step.run(names) if step.is_python else _run_alone(step)
                if bool(code) != step.fails:
                    raise SystemExit(f"{step} ended with {code}: {found}")
                if step.is_python or not (times or differences(step, found)):
                    continue
                shown = _as_shown(step, found)
                start = step.line + 1 + n_more
                lines[start : start + len(step.output)] = shown
                n_more += len(shown) - len(step.output)
            page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for pages in CHAINS:
        _rewrite(pages, times="--times" in sys.argv[1:])
