"""Runs for use elsewhere: a SavedModel from raw ids to scores, or the bare Keras model.

saved-model   OUTPUT/                  for tf.saved_model.load or TensorFlow Serving; needs
TensorFlow only. Called with user ids and item ids (see bigrec.models.serving.save_served)
keras         OUTPUT/model.keras       takes indices; its layers need bigrec to be loaded
OUTPUT/user_ids.npy      (n_users,) int32, the id of each user_index
OUTPUT/item_ids.npy     (n_items,) int32, the id of each item_index

Scores are those of a day without ratings. The Keras model of an AutoRec of rows with day biases
takes ratings less these.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.models.graphs import check_weights
from bigrec.models.serving import ServedModel, save_served
from bigrec.runs import RunDirectory
from bigrec.store.publish import folder_bytes, publishing
from bigrec.store.seal import Kind

FORMATS: Final = ("saved-model", "keras")


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote."""

    format: str
    """saved-model or keras."""
    n_bytes: int
    """Size of the folder."""
    output: str
    """The folder."""


def export_run(
    run: RunDirectory, data: TrainingData, output: Path, *, kind: str, overwrite: bool = False
) -> ExportSummary:
    """Write a trained model to a folder.

    Args:
        run: the run.
        data: the split that it was trained on, for the ids.
        output: the folder to make.
        kind: one of FORMATS.
        overwrite: whether a folder that exists is replaced.

    Raises:
        SettingsError: no such format, or the folder exists.
        RunError: the model has no form of this format, or weights that are no numbers.
    """
    if kind not in FORMATS:
        raise SettingsError.unknown_name("format", kind, FORMATS)
    if output.exists() and not overwrite:
        raise SettingsError(
            f"{output} exists already", hint="name another folder, or add --overwrite"
        )
    with publishing(output, Kind.EXPORT) as draft:
        partial = draft.folder
        if kind == "keras":
            _write_keras_model(run, data, partial / "model.keras")
            np.save(partial / "user_ids.npy", data.user_ids)
            np.save(partial / "item_ids.npy", data.item_ids)
        else:
            served = ServedModel(run.recommender(data), data.user_ids, data.item_ids)
            save_served(served, partial)
    return ExportSummary(kind, folder_bytes(output), str(output))


def _write_keras_model(run: RunDirectory, data: TrainingData, path: Path) -> None:
    model = run.recommender(data).keras_model()
    if model is not None:
        check_weights(model)
    saved = run.folder / path.name
    if saved.exists():
        shutil.copyfile(saved, path)
        return
    if model is None:
        raise RunError(
            f"run {run.name!r} is no single Keras model", hint="export it with --format saved-model"
        )
    model.save(path)
