"""The models by name. To add one, write its file and list it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bigrec.errors import SettingsError
from bigrec.models import autorec, cosine_knn, dnn, matrix_factorization, residual
from bigrec.models.options import ModelOptions
from bigrec.models.scoring import FoldIn


@dataclass(frozen=True)
class ModelDefinition:
    """What the training stage needs to know of a model."""

    name: str
    """As on the command line."""
    title: str
    """For people."""
    presets: Mapping[str, ModelOptions]
    """Options by preset name: notebook and tuned."""
    build: Callable[..., Any] | None = None
    """(spec, options, biases) to an untrained Keras model, for models fitted by gradient steps."""
    fit: Callable[..., Any] | None = None
    """(rows, spec, options, biases, progress) to a finished Keras model, for the others."""
    represent: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    """A trained Keras model to the arrays that a run keeps for readers without Keras: the fields of
    Factors where scores are dot products, and what of models.similarity compares its movies."""
    fold_in: FoldIn | None = None
    """Scores for a person who is not in the data, where the Keras model can give them."""


MODELS: Final[Mapping[str, ModelDefinition]] = {
    model.name: model
    for model in (
        ModelDefinition(
            "cosine-knn", "User-cosine neighbours", cosine_knn.PRESETS, fit=cosine_knn.fit,
            represent=cosine_knn.represent, fold_in=cosine_knn.fold_in,
        ),
        ModelDefinition(
            "autorec", "AutoRec", autorec.PRESETS, build=autorec.build,
            represent=autorec.represent, fold_in=autorec.fold_in,
        ),
        ModelDefinition(
            "matrix-factorization", "Matrix factorisation",
            matrix_factorization.PRESETS, build=matrix_factorization.build,
            represent=matrix_factorization.represent,
        ),
        ModelDefinition(
            "dnn", "Deep network", dnn.PRESETS, build=dnn.build,
            represent=matrix_factorization.represent_movies,
        ),
        ModelDefinition(
            "residual", "Residual learning", residual.PRESETS, build=residual.build,
            represent=matrix_factorization.represent_movies,
        ),
    )
}  # fmt: skip


def find_model(name: str) -> ModelDefinition:
    """The model of this name.

    Raises:
        SettingsError: there is none.
    """
    if name not in MODELS:
        raise SettingsError.unknown_name("model", name, MODELS)
    return MODELS[name]


def find_preset(model: ModelDefinition, preset: str) -> ModelOptions:
    """The options of a model's preset.

    Raises:
        SettingsError: there is no such preset.
    """
    if preset not in model.presets:
        raise SettingsError.unknown_name("preset", preset, model.presets)
    return model.presets[preset]
