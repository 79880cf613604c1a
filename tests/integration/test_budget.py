"""Threads that are asked for are those of every pool, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import places

from bigrec.cli.app import main
from bigrec.thread_limits import announce_threads

PROBE = """
import concurrent.futures, json, os, sys, threading, time
pools, peak = [], [0]
def note(self, n=None, *rest, make=concurrent.futures.ThreadPoolExecutor.__init__, **more):
    pools.append(n)
    make(self, n, *rest, **more)
concurrent.futures.ThreadPoolExecutor.__init__ = note
def watch():
    while True:
        peak[0] = max(peak[0], len(os.listdir("/proc/self/task")))
        time.sleep(0.001)
threading.Thread(target=watch, daemon=True).start()
WORK
from threadpoolctl import threadpool_info
found = {"peak": peak[0], "pools": [n for n in pools if n is not None]}  # Polars has one of None
found["blas"] = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
if "polars" in sys.modules:
    found["polars"] = sys.modules["polars"].thread_pool_size()
if "tensorflow" in sys.modules:
    threading = sys.modules["tensorflow"].config.threading
    found["tensorflow"] = [
        threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    ]
print(json.dumps(found))
"""
COMMAND = "from bigrec.cli.app import main\nassert main({!r}) == 0"
API = """
import bigrec
split = bigrec.open({!r}, budget=bigrec.Budget(threads={})).split("s")
split.run({!r}, "knn").evaluate(n_users=300)
"""


@pytest.fixture(scope="module")
def place(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has the split `s`, and a run of neighbors."""
    folder = tmp_path_factory.mktemp("budget")
    shutil.copytree(store_small, folder / "store")
    at = places(folder)
    create = ["split", "create", "s", "--min-item-ratings", "20", "--min-user-ratings", "5"]
    assert main([*create, *at[:2]]) == 0
    assert main(["train", "cosine-knn", "--split", "s", "--run", "knn", *at]) == 0
    return folder


def seen_in(work: str, folder: Path, **variables: str) -> dict[str, Any]:
    """What a process in a folder that does this work had for threads."""
    kept = {
        name: value for name, value in os.environ.items()
        if not name.endswith("_NUM_THREADS") and name != "POLARS_MAX_THREADS"
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROBE.replace("WORK", work)],
        capture_output=True, text=True, cwd=folder, env=kept | variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_scoring_has_the_threads_that_a_command_is_given(
    way: str, place: Path, tmp_path: Path
) -> None:
    argv, peaks = ["evaluate", "knn", "--users", "300", *places(place)], []
    for threads in (1, 4):  # four help on any machine
        flags, variables = [], {}
        if way == "flag":
            flags = ["--threads", str(threads)]
        elif way == "variable":
            variables = {"BIGREC_THREADS": str(threads)}
        else:
            (tmp_path / "bigrec.toml").write_text(f"threads = {threads}\n")
        found = seen_in(COMMAND.format([*argv, *flags]), tmp_path, **variables)
        assert set(found["pools"]) == {threads}
        assert found["polars"] == threads
        assert max(found["blas"]) <= threads
        peaks.append(found["peak"])
    assert peaks[0] < peaks[1]


def test_scoring_has_the_threads_that_python_gives(place: Path, tmp_path: Path) -> None:
    peaks = []
    for threads in (1, 4):
        work = API.format(str(place / "store"), threads, str(place / "runs"))
        found = seen_in(work, tmp_path)
        assert set(found["pools"]) == {threads}
        assert max(found["blas"]) <= threads
        peaks.append(found["peak"])
    assert peaks[0] < peaks[1]


@pytest.mark.parametrize("model", ["matrix-factorization", "cosine-knn"])
def test_training_has_the_threads_of_the_variable(model: str, place: Path, tmp_path: Path) -> None:
    peaks = []
    argv = ["train", model, "--split", "s", *places(place)[:2], "--runs", str(tmp_path)]
    argv += ["--overwrite", *(["--epochs", "1"] if model == "matrix-factorization" else [])]
    for threads in (1, 4):
        found = seen_in(COMMAND.format(argv), tmp_path, BIGREC_THREADS=str(threads))
        assert set(found["pools"]) <= {threads}
        assert max(found["blas"]) <= threads
        if model == "matrix-factorization":
            assert found["tensorflow"] == [threads, threads]
        peaks.append(found["peak"])
    assert peaks[0] < peaks[1]


def test_a_lower_limit_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "polars", raising=False)
    for before, after in (("1", "1"), ("8", "3"), ("", "3"), ("0", "3"), ("many", "3")):
        environment = {"POLARS_MAX_THREADS": before}
        announce_threads(3, environment)
        assert environment["POLARS_MAX_THREADS"] == after


def test_a_library_that_is_loaded_is_not_told() -> None:
    import polars  # noqa: F401

    environment: dict[str, str] = {}
    announce_threads(3, environment)
    assert "POLARS_MAX_THREADS" not in environment
