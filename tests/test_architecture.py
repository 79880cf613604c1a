"""The run-time twin of the import contracts: what a fresh interpreter has loaded afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.processes import loaded_after

SOURCE = Path(__file__).parents[1] / "src" / "bigrec"
HEAVY = {"tensorflow", "keras", "sklearn", "numba", "altair"}


@pytest.mark.parametrize(
    "code",
    [
        "import bigrec",
        "from bigrec.cli.app import main; assert main(['--help']) == 0",
        "from bigrec.cli.app import main; assert main(['train', '--help']) == 0",
    ],
    ids=["import", "help", "train help"],
)
def test_starting_up_loads_nothing_heavy(code: str) -> None:
    assert not loaded_after(code) & (HEAVY | {"polars", "duckdb", "pyarrow"})


def test_modules_of_loops_are_imported_without_their_compiler() -> None:
    modules = [
        f"bigrec.{path.relative_to(SOURCE).with_suffix('').as_posix().replace('/', '.')}"
        for path in SOURCE.rglob("*.py")
        if "bigrec.compiled import" in path.read_text()
    ]
    modules = [name for name in modules if not name.startswith("bigrec.train.")]  # TensorFlow's
    assert "bigrec.sources.netflix_kernels" in modules
    assert not loaded_after("import " + ", ".join(modules)) & {"numba", "llvmlite"}


def test_information_about_a_store_loads_no_model_library(store_small: Path) -> None:
    argv = ["info", "--store", str(store_small)]
    code = f"from bigrec.cli.app import main; assert main({argv!r}) == 0"
    assert not loaded_after(code) & HEAVY


def test_ingest_loads_only_what_it_needs(raw_small: Path, tmp_path: Path) -> None:
    argv = ["ingest", str(raw_small), "--store", str(tmp_path / "store")]
    loaded = loaded_after(f"from bigrec.cli.app import main; assert main({argv!r}) == 0")
    # pandas and SciPy's linear algebra would come along unasked and take as long as half the work.
    assert not loaded & (HEAVY - {"numba"} | {"polars", "duckdb", "pandas", "rich", "scipy.linalg"})


def test_a_second_ingest_loads_nothing_that_compiles(raw_small: Path, store_small: Path) -> None:
    argv = ["ingest", str(raw_small), "--store", str(store_small), "--json"]
    loaded = loaded_after(f"from bigrec.cli.app import main; assert main({argv!r}) == 0")
    assert "bigrec.ingest.unchanged" in loaded
    assert not loaded & (HEAVY | {"polars", "duckdb", "pandas", "rich", "scipy"})


def test_materializing_a_split_loads_only_what_it_needs(store_small: Path, tmp_path: Path) -> None:
    shutil.copytree(store_small, tmp_path / "store")
    argv = ["split", "create", "s", "--store", str(tmp_path / "store"), "--materialize"]
    argv += ["--method", "temporal"]
    loaded = loaded_after(f"from bigrec.cli.app import main; assert main({argv!r}) == 0")
    assert not loaded & (HEAVY - {"numba"} | {"duckdb", "pandas", "rich", "scipy.linalg"})


def test_modules_stay_small() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")}
    assert {str(path): size for path, size in sizes.items() if size > 400} == {}


def test_every_package_is_a_docstring_only() -> None:
    for path in SOURCE.glob("*/__init__.py"):
        lines = path.read_text().strip()
        assert lines.startswith('"""'), path
        assert lines.endswith('"""'), path
        assert lines.count('"""') == 2, path
