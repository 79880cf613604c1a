"""A run while it is trained: a hidden folder that becomes the run when all went well.

While it is trained, a run is the hidden folder runs/.NAME.bigrec-unfinished, with the history so
far and perhaps a checkpoint to go on from. A run appears when it is complete, by one rename.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.errors import RunError, SettingsError
from bigrec.models.baseline.bias import Biases
from bigrec.run_records import EpochSummary, RunConfig, RunMetrics
from bigrec.runs import HISTORY, NETWORK, REPRESENTATION
from bigrec.store.locks import LOCK, hidden_sibling, writer_lock
from bigrec.store.publish import (
    Draft,
    check_target,
    made_parents,
    publish_folder,
    telling_of_a_full_disk,
)
from bigrec.store.seal import TEMPORARY, Kind, read_object

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]

CHECKPOINT: Final = ".bigrec-checkpoint.npz"


def _check_run_name(name: str) -> None:
    """Refuse a name that cannot be a folder's.

    Raises:
        SettingsError: the name has other characters.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", name):
        raise SettingsError(
            f"{name[:60]!r} cannot name a run",
            hint="use at most 200 letters, digits, '-', '_', '.'",
        )


def has_checkpoint(runs: Path, name: str) -> bool:
    """Whether there is an unfinished run of this name that can be resumed."""
    return (_unfinished(runs, name) / CHECKPOINT).exists()


@contextmanager
def writing_run(
    runs: Path, name: str, config: RunConfig, *, overwrite: bool, resume: bool
) -> Iterator[Path]:
    """Give the folder of an unfinished run, which becomes the run if the block ends well.

    If the block fails, or its process dies, the folder stays where it holds a checkpoint.

    Args:
        runs: the folder of runs.
        name: of the run.
        config: what config.json shall hold.
        overwrite: whether a complete run of this name is replaced.
        resume: whether to go on with the unfinished run of this name, instead of discarding it.

    Raises:
        SettingsError: the name cannot be a folder's.
        RunError: the run exists already; there is nothing to resume, or it has another config.
        StoreError: another process is training a run of this name.
        ResourceError: the disk is full.
    """
    _check_run_name(name)
    target = Path(os.path.realpath(runs / name))
    if target.exists() and not overwrite:
        raise RunError(
            f"the run {name!r} exists already",
            hint="name another with --run, or replace it with --overwrite",
        )
    check_target(target, Kind.RUN)
    folder = _unfinished(runs, name)
    with made_parents(target.parent), writer_lock(target), telling_of_a_full_disk(target.parent):
        _sweep_unfinished(target.parent, keep=folder)
        if resume:
            _check_resumable(folder, name, config.to_json())
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            _write_json(folder / "config.json", config.to_json())
        try:
            yield folder
            publish_folder(Draft(folder), target, Kind.RUN)
            (target / CHECKPOINT).unlink(missing_ok=True)
        finally:
            if not (folder / CHECKPOINT).exists():
                shutil.rmtree(folder, ignore_errors=True)


def _unfinished(runs: Path, name: str) -> Path:
    return hidden_sibling(Path(os.path.realpath(runs / name)), "unfinished")


def _sweep_unfinished(runs: Path, keep: Path) -> None:
    """Remove what trainings that were killed before their first checkpoint left behind."""
    for folder in runs.glob(f".*{TEMPORARY}unfinished"):
        lock = folder.with_name(folder.name.removesuffix("unfinished") + LOCK)
        if folder != keep and not lock.exists() and not (folder / CHECKPOINT).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _check_resumable(folder: Path, name: str, config: dict[str, Any]) -> None:
    anew = "leave out --resume to train from the start"
    if not (folder / CHECKPOINT).exists():
        raise RunError(f"there is no checkpoint of an unfinished run {name!r}", hint=anew)
    begun, now = read_object(folder / "config.json", Kind.RUN), json.loads(json.dumps(config))
    # Elsewhere, say on another machine, a training may go on, if not to the same bits.
    differences = _differences(begun, {**now, "environment": begun.get("environment")})
    if differences:
        raise RunError(
            f"the unfinished run {name!r} was begun otherwise: {'; '.join(differences)}",
            hint=f"give what it was begun with, or {anew}",
        )


def _differences(begun: Any, now: Any, path: str = "") -> list[str]:
    """The leaves in which two JSON values differ, in words."""
    if isinstance(begun, dict) and isinstance(now, dict):
        found = []
        for key in {**begun, **now}:
            below = f"{path}.{key}" if path else key
            found += _differences(begun.get(key), now.get(key), below)
        return found
    return [] if begun == now else [f"{path} was {begun}, is now {now}"]


def write_run(
    folder: Path,
    *,
    config: RunConfig,
    history: Sequence[EpochSummary],
    metrics: RunMetrics,
    biases: Biases,
    network: keras.Model | None = None,
    arrays: Mapping[str, Array] | None = None,
) -> None:
    """Fill a run's folder; a blend has neither a network nor arrays."""
    if network is not None:
        network.save(folder / NETWORK)
    (folder / REPRESENTATION).mkdir(exist_ok=True)
    for name, values in (arrays or {}).items():
        np.save(folder / REPRESENTATION / f"{name}.npy", values)
    np.savez(folder / "biases.npz", **biases.to_arrays())
    lines = "".join(json.dumps(dataclasses.asdict(epoch)) + "\n" for epoch in history)
    (folder / HISTORY).write_text(lines)
    _write_json(folder / "config.json", config.to_json())
    _write_json(folder / "metrics.json", metrics.to_json())


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
