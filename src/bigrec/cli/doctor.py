"""`bigrec doctor`: what this machine has and what state store and runs are in."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, RunsOption, StoreOption, load_tensorflow, read_settings
from bigrec.errors import BigrecError
from bigrec.version import __version__

_PACKAGES = (
    "polars", "pyarrow", "duckdb", "numpy", "scipy", "numba", "tensorflow", "keras",
    "scikit-learn", "altair", "vl-convert-python",
)  # fmt: skip


def doctor(store: StoreOption = None, runs: RunsOption = None, as_json: JsonOption = False) -> None:
    """Show versions, CPU, memory, disk, GPUs, and the state of store and runs."""
    from bigrec.resources import available_cores, format_bytes
    from bigrec.store.layout import run_folders

    settings = read_settings(store=store, runs=runs)
    versions = {name: _version(name) for name in _PACKAGES}
    gpus = _gpus() if versions["tensorflow"] else []
    existing = settings.store if settings.store.exists() else Path()
    report = {
        "bigrec": __version__,
        "python": platform.python_version(),
        "packages": versions,
        "cpus": available_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "disk_free_bytes": shutil.disk_usage(existing).free,
        "gpus": gpus,
        "store": _store_state(settings.store),
        "runs": [folder.name for folder in run_folders(settings.runs)],
    }
    if as_json:
        console.print_json(report)
        return
    console.print_fields(
        {
            "bigrec": report["bigrec"],
            "python": report["python"],
            **{name: version or "not installed" for name, version in versions.items()},
            "cores": report["cpus"],
            "memory": format_bytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
            "free disk": format_bytes(shutil.disk_usage(existing).free),
            "GPUs": ", ".join(gpus) or "none",
            "store": f"{settings.store}: {report['store']}",
            "runs": f"{settings.runs}: {', '.join(report['runs']) or 'none yet'}",  # type: ignore[arg-type]
        }
    )
    if not versions["tensorflow"]:
        console.print_warning(
            "TensorFlow is not installed: no training. pip install 'bigrec[train]'"
        )
    elif not gpus:
        console.print_warning("TensorFlow sees no GPU: training runs on the CPU.")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    load_tensorflow()
    from bigrec.train.devices import list_gpus

    return list_gpus()


def _store_state(path: Path) -> str:
    from bigrec.store.layout import StoreLayout
    from bigrec.store.manifest import read_manifest

    try:
        manifest = read_manifest(StoreLayout(path))
    except BigrecError as error:
        return error.message
    return f"{manifest.n_ratings:,} ratings of {manifest.n_users:,} users"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)
