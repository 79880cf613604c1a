"""Options for XLA: added once, beside what a user has set, never against it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bigrec.train.compiler import limit_unrolling


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "--xla_backend_extra_options=-unroll-full-max-count=16"),
        (
            "--xla_dump_to=/x",
            "--xla_dump_to=/x --xla_backend_extra_options=-unroll-full-max-count=16",
        ),
        ("--xla_backend_extra_options=-o=1", "--xla_backend_extra_options=-o=1"),
    ],
)
def test_options_are_added_once(monkeypatch: pytest.MonkeyPatch, before: str, after: str) -> None:
    monkeypatch.setenv("XLA_FLAGS", before)
    limit_unrolling()
    limit_unrolling()
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.parametrize("is_misspelt", [False, True])
def test_xla_reads_what_is_set_in_its_process(*, is_misspelt: bool) -> None:
    """It ends a process that gives it an option which it does not know."""
    code = (
        "import os, tensorflow as tf\n"
        "from bigrec.train.compiler import limit_unrolling\n"
        "limit_unrolling()\n"
        f"os.environ['XLA_FLAGS'] += '{'x' * is_misspelt}'\n"
        "print(float(tf.function(tf.reduce_sum, jit_compile=True)(tf.ones((8, 64)))))\n"
    )
    environment = {**os.environ, "XLA_FLAGS": "", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode != 0) == is_misspelt
    assert done.stdout == ("" if is_misspelt else "512.0\n")
