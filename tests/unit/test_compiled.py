"""Compiled loops work with a cache, without one, and with a damaged one."""

from __future__ import annotations

import os
import pickletools
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts processes

SOURCE = Path(__file__).parents[2] / "src" / "bigrec"
LOOP = """
from bigrec.compiled import compiled

@compiled
def double(value):
    return 2 * value
"""


def _doubled(folder: Path, **environment: str) -> str:
    """What a fresh process says of `double(21)`, and how often the loop came from the cache."""
    code = """
from loops import double
print(double(21), sum(double.dispatcher.stats.cache_hits.values()))
"""
    paths = os.pathsep.join([str(folder), str(SOURCE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loops.py").write_text(LOOP)
    return tmp_path


def test_loops_are_taken_from_the_cache_by_the_next_process(folder: Path) -> None:
    assert _doubled(folder) == "42 0"
    assert _doubled(folder) == "42 1"


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\x80\x04junk",
        b"cbigrec.compiled\nGone\n.",  # of a version that had a class of this name
        b"cbigrec.gone\nGone\n.",
    ],
)
def test_a_damaged_cache_is_made_anew(kind: str, damage: bytes, folder: Path) -> None:
    cache = folder / "cache"
    assert _doubled(folder, NUMBA_CACHE_DIR=str(cache)) == "42 0"
    for path in cache.rglob(f"*.{kind}"):
        # A list begins with numba's version.
        with path.open("rb") as file:
            version = pickletools.genops(file) if kind == "nbi" and b"Gone" in damage else ()
            end = max((position or 0 for _, _, position in version), default=-1) + 1
        path.write_bytes(path.read_bytes()[:end] + damage)
    assert _doubled(folder, NUMBA_CACHE_DIR=str(cache)) == "42 0"
    assert _doubled(folder, NUMBA_CACHE_DIR=str(cache)) == "42 1"


def test_a_cache_folder_that_cannot_be_made_is_done_without(folder: Path) -> None:
    """A file stands in the way of every folder, which stops root as well."""
    (folder / "file").touch()
    (folder / "__pycache__").touch()
    blocked = str(folder / "file" / "cache")
    home = {"HOME": blocked, "XDG_CACHE_HOME": blocked}
    assert _doubled(folder, NUMBA_CACHE_DIR=blocked, **home) == "42 0"
    assert _doubled(folder, **home) == "42 0"


def test_a_full_disk_below_the_cache_is_done_without(folder: Path) -> None:
    """numba tries the folder with an empty file, which a full disk still takes."""
    code = """
import numba.core.caching as caching
def full(*arguments):
    raise OSError(28, "No space left on device")
caching.IndexDataCacheFile._save_data = full
from loops import double
print(double(21))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(SOURCE.parent)])},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "42\n", done.stderr


def test_loops_call_loops_and_parts_that_were_not_called_before(folder: Path) -> None:
    (folder / "more.py").write_text(
        """
import sys
from bigrec.compiled import compiled, compiled_part, inlined_part
from loops import double

def factory(inner):
    def outer(value):
        return inner(value) + 1
    return outer

@inlined_part
def triple(value):
    return 3 * value

successor = compiled_part(factory(triple))

@compiled
def total(values):
    result = 0
    for value in values:
        result += double(value) + successor(value)
    return result

assert "numba" not in sys.modules
"""
    )
    code = """
import threading
import more, numpy as np
first = more.total
results = []
threads = [threading.Thread(target=lambda: results.append(first(np.arange(4)))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [34] * 4, results
assert more.total is first.dispatcher, "later calls go to numba's own"
assert more.double(2) == 4 and more.successor(2) == 7
assert first.__name__ == more.total.__name__ == "total"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(SOURCE.parent)])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_matrices_are_still_multiplied_by_other_peoples_loops() -> None:
    code = """
import numba, numpy as np, sys
from bigrec.splitmix import mix64
mix64(np.uint64(1))
assert "scipy.linalg" not in sys.modules
product = numba.njit(lambda one, other: np.dot(one, other))
assert product(np.eye(3), np.eye(3)).sum() == 3
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_cached_loop_is_made_in_one_place() -> None:
    """Only `compiled` forgives a cache that cannot be used."""
    found = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"cache\s*=\s*True", path.read_text())
    ]
    assert found == []
