"""What results and times depend on beside the code: versions and the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any, Final

from bigrec.version import __version__

_PACKAGES: Final = ("tensorflow", "keras", "numpy", "polars", "pyarrow", "duckdb")


def describe_environment() -> dict[str, Any]:
    """What results and times depend on: the versions of packages, and the machine."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "bigrec": __version__,
        "python": platform.python_version(),
        **versions,
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "n_cpus": len(os.sched_getaffinity(0)),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
