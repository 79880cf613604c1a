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


def test_xla_takes_them() -> None:
    """It ends a process that has an option which it does not know."""
    code = (
        "import tensorflow as tf\n"
        "from bigrec.train.compiler import limit_unrolling\n"
        "tf.config.set_visible_devices([], 'GPU')\n"
        "limit_unrolling()\n"
        "print(float(tf.function(tf.reduce_sum, jit_compile=True)(tf.ones((8, 64)))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["512.0"]
