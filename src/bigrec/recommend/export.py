"""Runs for use elsewhere: a SavedModel from raw ids to scores, or the bare Keras model.

saved-model   OUTPUT/                  for tf.saved_model.load or TensorFlow Serving; needs
TensorFlow only. Called with user ids and item ids (see bigrec.models.serving.save_served)
keras         OUTPUT/model.keras       takes indices; its layers need bigrec to be loaded
OUTPUT/user_ids.npy      (n_users,) int32, the id of each user_index
OUTPUT/item_ids.npy     (n_items,) int32, the id of each item_index
Where a store keeps keys, user_ids.parquet or item_ids.parquet has a column of them in that order

Scores are those of a day without ratings. The Keras model of an AutoRec of rows with day biases
takes ratings less these.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError
from bigrec.models.graphs import check_weights
from bigrec.models.serving import ServedModel, save_served
from bigrec.runs import RunDirectory
from bigrec.store.catalog import Catalog
from bigrec.store.publish import folder_bytes, publishing
from bigrec.store.seal import Kind
from bigrec.store.vocabulary import Vocabulary, items_of, users_of

Array = np.ndarray[Any, Any]

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
    run: RunDirectory,
    data: TrainingData,
    catalog: Catalog,
    output: Path,
    *,
    kind: str,
    overwrite: bool = False,
) -> ExportSummary:
    """Write a trained model to a folder.

    Args:
        run: the run.
        data: the split that it was trained on, for the ids.
        catalog: the store, for its keys.
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
            _write_ids(users_of(catalog), data.user_ids, partial / "user_ids")
            _write_ids(items_of(catalog), data.item_ids, partial / "item_ids")
        else:
            user_keys = users_of(catalog).keys_of(data.user_ids).to_numpy()
            item_keys = items_of(catalog).keys_of(data.item_ids).to_numpy()
            save_served(ServedModel(run.recommender(data), user_keys, item_keys), partial)
    return ExportSummary(kind, folder_bytes(output), str(output))


def _write_ids(vocabulary: Vocabulary, ids: Array, path: Path) -> None:
    if vocabulary.has_keys:
        vocabulary.keys_of(ids).to_frame().write_parquet(path.with_suffix(".parquet"))
    else:
        np.save(path.with_suffix(".npy"), ids)


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
