"""What docs/adding-a-source.md shows works: the source as an installed package, and its test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "adding-a-source.md").read_text()
SOURCE_TEXT, TEST_TEXT = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
((NAME, TARGET),) = re.findall(r"^(\w+) = \"(your_package.*)\"$", PAGE, re.MULTILINE)
INGEST = """
import sys
from pathlib import Path
from test_bookclub import TestBookClub
from bigrec.cli.app import main
raw = Path("raw")
raw.mkdir()
TestBookClub().write_example(raw)
assert main(["ingest", "raw", "--json"]) == 0
assert main(["sql", "SELECT title, sum(rating) AS s FROM books JOIN ratings USING (book_id) "
             "GROUP BY title ORDER BY s", "--format", "csv"]) == 0
"""


def test_the_page_is_a_package_that_works(tmp_path: Path) -> None:
    package = tmp_path / "your_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "bookclub.py").write_text(SOURCE_TEXT)
    (tmp_path / "test_bookclub.py").write_text(TEST_TEXT)
    information = tmp_path / "your_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: yours\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[bigrec.sources]\n{NAME} = {TARGET}\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": path}, "text": True}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bookclub.py"]
    done = subprocess.run(command, capture_output=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b9 passed, 1 skipped", done.stdout), done.stdout
    done = subprocess.run([sys.executable, "-c", INGEST], capture_output=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert '"source": "bookclub"' in done.stdout
    assert done.stdout.endswith("title,s\nSolaris,4.0\nMiddlemarch,19.0\n")
