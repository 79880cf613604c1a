"""The documents are true: what they show runs and prints that, links lead somewhere."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bigrec
from bigrec.cli.app import main, make_app
from bigrec.sources.table.named_sets import NAMED_SETS, NamedSet
from tests.documents import (
    CHAINS,
    DOCS,
    DOTS,
    ROOT,
    Step,
    differences,
    documents,
    read_steps,
    working_in,
)

HOSTS = {"127.0.0.1", "parquet.apache.org", "semver.org", "www.w3.org"}
README_LINES = 200
README_OUTPUT_LINES = 6


def commands() -> list[str]:
    app = make_app()
    names = [
        command.name or getattr(command.callback, "__name__", "")
        for command in app.registered_commands
    ]
    return names + [str(group.name) for group in app.registered_groups]


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_and_stands_in_the_tour(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    words = capsys.readouterr().out
    assert "Usage" in words
    assert len(words) > 300
    pages = [DOCS / "tour.md", DOCS / "training.md", DOCS / "evaluation.md"]
    assert any(f"bigrec {name}" in page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: Path(chain[0]).stem)
def test_what_documents_show_runs_and_prints_that(chain: tuple[str, ...], tmp_path: Path) -> None:
    wrong = []
    n_outputs = 0
    with working_in(tmp_path):
        for name in chain:
            names: dict[str, Any] = {}
            for step in read_steps(ROOT / name):
                code, found = step.run(names)
                assert bool(code) == step.fails, f"{step}: {found}"
                if not step.is_python:
                    n_outputs += 1
                    wrong += [f"{step}: {text}" for text in differences(step, found)]
    assert n_outputs > 7
    assert untold_fields(tmp_path) == set()
    assert not wrong, "\n".join([*wrong, "`make outputs` writes what the commands print now"])


def untold_fields(folder: Path) -> set[str]:
    """Fields and arrays of a store and its runs that the pages on their forms do not name."""
    pages = {
        "store-format.md": [folder / "store" / "manifest.json"],
        "run-format.md": sorted(folder.glob("runs/*/*.json")),
    }
    untold = set()
    for page, paths in pages.items():
        told = (DOCS / page).read_text(encoding="utf-8")
        for path in paths:
            if path.name != "bigrec.json":
                found = json.loads(path.read_text(encoding="utf-8"))
                untold |= {f"{page}: {name}" for name in found if f"`{name}`" not in told}
        for path in folder.glob("runs/*/representation/*.npy"):
            if page == "run-format.md" and f"`{path.stem}`" not in told:
                untold.add(f"{page}: {path.stem}")
    return untold


def step_of(command: str, *output: str) -> Step:
    return Step(ROOT / "README.md", 0, command, output)


@pytest.mark.parametrize(
    ("shown", "found", "is_same"),
    [
        (["test RMSE  0.8163"], ["test RMSE  0.8171"], True),
        (["test RMSE  0.8163"], ["test RMSE  0.8363"], False),
        (["test ratings  198,408"], ["test ratings  198,409"], False),
        (["digest  29ce6de4ebec279b"], ["digest  48fbe931966fe011"], True),
        (["seconds  0.41"], ["seconds  12.79"], True),
        (["page: 21 figures, 1.5 MiB, 8.4 s"], ["page: 21 figures, 1.6 MiB, 12 s"], True),
        (["page: 21 figures, 1.5 MiB, 8.4 s"], ["page: 20 figures, 1.5 MiB, 8.4 s"], False),
        (["run  RMSE  seconds", "mf  0.8163  6.8"], ["run  RMSE  seconds", "mf  0.8163  9"], True),
        (["run  RMSE  seconds", "mf  0.8163  6.8"], ["run  RMSE  seconds", "ar  0.8163  6"], False),
        (["a  1", DOTS, "d  4"], ["a  1", "b  2", "c  3", "d  4"], True),
        (["a  1", DOTS, "d  4"], ["a  1", "b  2", "c  3", "d  5"], False),
        (["a  1", DOTS, "d  4"], ["a  1"], False),
        (["a  1"], ["a  1", "b  2"], False),
    ],
)
def test_outputs_differ_in_what_they_say_not_in_what_the_machine_adds(
    shown: list[str], found: list[str], is_same: bool
) -> None:
    assert (differences(step_of("train", *shown), found) == []) is is_same


def test_the_readme_is_short() -> None:
    page = ROOT / "README.md"
    assert len(page.read_text(encoding="utf-8").splitlines()) <= README_LINES
    for step in read_steps(page):
        assert len(step.output) <= README_OUTPUT_LINES, step


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    benchmarks = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|.*\|$", readme.partition("## How fast")[2], re.MULTILINE)
    assert len(rows) > 3
    assert [row for row in rows if row not in benchmarks] == []


def test_python_blocks_and_commands_stand_in_pages_that_a_test_runs() -> None:
    run = {ROOT / name for chain in CHAINS for name in chain}
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")]
    for page in documents():
        has_own_test = any(f'"{page.name}"' in text for text in tests)
        assert page in run or has_own_test or not list(read_steps(page)), "enter it in CHAINS"


def named_set_row(named: NamedSet) -> str:
    """The row of a published set in the table of them, from what bigrec knows of it."""
    options = named.options
    columns = ",".join(f"{role}={said}" for role, said in options.columns.items() if said != "none")
    known = [
        f"`--columns {columns}`" if columns else "",
        f"`--time-unit {options.time_unit}`" if options.time_unit else "",
        *(f"{value:g} is no rating" for value in options.no_rating),
        "ratings are counts" if options.implicit else "",
        *(f"only rows of `{text}`" for text in options.only.values()),
    ]
    cells = (
        f"`{named.name}`",
        named.title,
        ", ".join(f"`{pattern}`" for pattern in named.patterns),
        ", ".join(f"`{pattern}`" for pattern in named.items_patterns),
        "; ".join(word for word in known if word),
    )
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def test_the_page_on_own_data_has_every_named_set() -> None:
    page = (DOCS / "your-own-data.md").read_text(encoding="utf-8")
    table = page.partition("## Published sets")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert rows == [named_set_row(named) for named in NAMED_SETS.values()]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their words."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        # Pages of the reference have their anchors from docstrings; mkdocs looks for these.
        if anchor and there.parent.name != "reference":
            assert anchor in anchors_of(there), target


def test_make_has_the_targets_that_documents_name() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(page.read_text(encoding="utf-8") for page in documents())
    targets = set(re.findall(r"(?:`|^\$ )make (?:-j )?([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test", "quick", "check", "docs"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_architecture_has_every_layer_and_package() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    wanted = [set(layer.split(" | ")) - {"__main__"} for layer in layers]
    told = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    # Neighboring layers may share a row, as long as their order is that of the contract.
    flat = [name for names in told for name in names]
    for layer in wanted:
        assert layer <= set(flat), layer
    first_row = [
        min(n for n, names in enumerate(told) if name in names)
        for layer in wanted
        for name in layer
    ]
    assert first_row == sorted(first_row)


def reference_names() -> list[tuple[str, bool]]:
    """The modules and classes of the reference, and whether it shows what is in them."""
    pages = sorted((DOCS / "reference").glob("*.md"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    found = re.findall(r"^::: (\S+)$((?:\n +.*)*)", text, re.MULTILINE)
    return [(name, "members: false" not in options) for name, options in found]


def public_members(name: str, *, inside: bool) -> Iterator[tuple[str, Any]]:
    """What the reference shows of a module or a class: public functions, classes, properties."""
    members = list(all_public_members(name))
    yield from members if inside else members[:1]


def all_public_members(name: str) -> Iterator[tuple[str, Any]]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        home, _, word = name.rpartition(".")
        yield from with_methods(name, getattr(importlib.import_module(home), word))
        return
    for word, value in vars(module).items():
        is_own = getattr(value, "__module__", "") == name and not word.startswith("_")
        if is_own and (inspect.isfunction(value) or inspect.isclass(value)):
            yield from with_methods(f"{name}.{word}", value)


def with_methods(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    if inspect.isclass(value):
        for word, member in vars(value).items():
            if not word.startswith("_"):
                inner = getattr(member, "fget", None) or getattr(member, "func", None)
                inner = inner or getattr(member, "__func__", None) or member
                if inspect.isfunction(inner):
                    yield f"{name}.{word}", inner


PUBLIC = [
    pair for name, inside in reference_names() for pair in public_members(name, inside=inside)
]


@pytest.mark.parametrize("name", [name for name, _ in PUBLIC])
def test_every_public_name_and_argument_is_documented(name: str) -> None:
    value = dict(PUBLIC)[name]
    text = inspect.cleandoc(value.__doc__ or "")
    assert text, "it has no docstring"
    assert not text.startswith(f"{name.rpartition('.')[2]}("), "its docstring is dataclasses'"
    if inspect.isclass(value):
        assert undocumented_fields(value) == []
        return
    parameters = [
        word for word in inspect.signature(value).parameters if word not in ("self", "cls")
    ]
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", text, re.MULTILINE)
    told = re.findall(r"^    ([\w*, ]+):", section[1], re.MULTILINE) if section else []
    documented = {word.strip(" *") for words in told for word in words.split(",")}
    assert [word for word in parameters if word not in documented] == []


def undocumented_fields(kind: type) -> list[str]:
    """Fields of a dataclass that have no docstring below them."""
    if not dataclasses.is_dataclass(kind):
        return []
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    missing = []
    for statement, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if not is_text and not statement.target.id.startswith("_"):
                missing.append(statement.target.id)
    return missing


def test_the_reference_has_every_public_name() -> None:
    told = {name.rpartition(".")[2] for name, _ in PUBLIC}
    assert {name for name in bigrec.__all__ if not name.startswith("__")} <= told


def test_no_rating_data_and_no_addresses_are_committed() -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in constraints)
    found = [path for pattern in ("combined_data_*", "ratings.csv") for path in ROOT.glob(pattern)]
    assert found == []
    files = [ROOT / name for name in ("pyproject.toml", "mkdocs.yml", "Makefile", ".ci/run")]
    for path in [*documents(), *files, *(ROOT / "src").rglob("*.py")]:
        hosts = re.findall(r"https?://([\w.-]+)", path.read_text(encoding="utf-8"))
        assert set(hosts) <= HOSTS, path
