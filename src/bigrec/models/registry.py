"""The models by name. To add one, write its module and list it here.

Most modules load Keras, which takes seconds, so each is imported when it is first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from bigrec.errors import SettingsError
from bigrec.models.options import ModelOptions
from bigrec.models.scoring import FoldIn


@dataclass(frozen=True)
class ModelDefinition:
    """A model, and what its module offers to other stages.

    The module has PRESETS, `build` or `fit`, and perhaps the other functions.
    """

    name: str
    """As on the command line."""
    title: str
    """For people."""
    module: str
    """In bigrec.models."""
    uses_keras: bool = True
    """Whether the trained model is one of Keras."""

    @property
    def presets(self) -> Mapping[str, ModelOptions]:
        """Options by preset name: notebook and tuned."""
        presets: Mapping[str, ModelOptions] = self._load().PRESETS
        return presets

    @property
    def build(self) -> Callable[..., Any] | None:
        """(spec, options, biases) to an untrained Keras model, for those fitted by steps.

        Where has_dense_layers says so, it takes their dtype policy too: `policy`, by name.
        """
        return getattr(self._load(), "build", None)

    @property
    def has_dense_layers(self) -> Callable[[Any], bool]:
        """Whether options give the model dense layers, which can compute in other precision."""
        return getattr(self._load(), "has_dense_layers", lambda _: False)

    @property
    def fit(self) -> Callable[..., Any] | None:
        """(rows, spec, options, biases, progress, …) to a finished Scorer, for the others."""
        return getattr(self._load(), "fit", None)

    @property
    def represent(self) -> Callable[[Any], Mapping[str, Any]]:
        """A trained model to the arrays that a run keeps for readers without Keras.

        They are the fields of Factors where scores are dot products, those of NeighbourLists for
        neighbours, and otherwise what of models.similarity compares the items.
        """
        return getattr(self._load(), "represent", lambda _: {})

    @property
    def fold_in(self) -> FoldIn | None:
        """Scores for a person who is not in the data, where the Keras model can give them."""
        return getattr(self._load(), "fold_in", None)

    def _load(self) -> ModuleType:
        return importlib.import_module(f"bigrec.models.{self.module}")


MODELS: Final[Mapping[str, ModelDefinition]] = {
    model.name: model
    for model in (
        ModelDefinition("cosine-knn", "User-cosine neighbours", "knn.cosine_knn", uses_keras=False),
        ModelDefinition("autorec", "AutoRec", "autorec.network"),
        ModelDefinition("matrix-factorization", "Matrix factorisation", "factorization.network"),
        ModelDefinition("dnn", "Deep network", "deep.dnn"),
        ModelDefinition("residual", "Residual learning", "deep.residual"),
    )
}


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
