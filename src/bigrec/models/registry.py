"""The models by name. To add one, write its module and name it here, in one line.

Models are imported when they are first asked for, so that their libraries load only when needed.
An installed package adds models by entry points of the group `bigrec.models`: the name of each is
that of the model, its object the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

from bigrec.errors import SettingsError
from bigrec.interactions import IMPLICIT
from bigrec.plugins import load_offered, offered_names

if TYPE_CHECKING:
    from bigrec.models.contract import Model, RunModel
    from bigrec.models.options import ModelOptions

GROUP: Final = "bigrec.models"
"""The group of entry points."""

_OWN: Final[Mapping[str, str]] = {
    "cosine-knn": "bigrec.models.knn.model:MODEL",
    "autorec": "bigrec.models.autorec.model:MODEL",
    "matrix-factorization": "bigrec.models.factorization.model:MODEL",
    "dnn": "bigrec.models.deep.model:DNN",
    "residual": "bigrec.models.deep.model:RESIDUAL",
    "popularity": "bigrec.models.popularity.model:MODEL",
    "ease": "bigrec.models.ease.model:MODEL",
}
_MADE_OF_RUNS: Final[Mapping[str, str]] = {"blend": "bigrec.models.blend:MODEL"}
_registered: dict[str, Model] = {}


class _OwnModels(Mapping[str, "Model"]):
    """The models of bigrec; each is imported when it is looked up."""

    def __getitem__(self, name: str) -> Model:
        model: Model = resolve_name(_OWN[name])
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(_OWN)

    def __len__(self) -> int:
        return len(_OWN)


MODELS: Final[Mapping[str, Model]] = _OwnModels()
"""Those of bigrec, in the order in which they are shown."""


def model_names() -> list[str]:
    """The names of all models that can be trained: bigrec's own first, then others by name."""
    others = {*_registered, *offered_names(GROUP)}
    return [*_OWN, *sorted(others - {*_OWN})]


def register_model(model: Model) -> None:
    """Make a model known in this process, as an installed package's would be.

    Raises:
        SettingsError: bigrec has one of this name, or it is no model.
    """
    if model.name in {*_OWN, *_MADE_OF_RUNS} and find_run_model(model.name) is not model:
        raise SettingsError(f"bigrec has a model {model.name!r} itself", hint="name it otherwise")
    _check_model(model, model.name, "the model")
    _registered[model.name] = model


def find_model(name: str) -> Model:
    """The model of this name.

    Raises:
        SettingsError: there is none, or the package that offers it is broken.
    """
    if name in _OWN:
        return MODELS[name]
    if name in _registered:
        return _registered[name]
    offered = load_offered(GROUP, "model", name)
    if offered is None:
        raise SettingsError.unknown_name("model", name, model_names())
    return _check_model(offered[0], name, offered[1])


def find_run_model(name: str) -> RunModel:
    """The model that made a run: one that can be trained, or the blend.

    Raises:
        SettingsError: see find_model.
    """
    if name in _MADE_OF_RUNS:
        model: RunModel = resolve_name(_MADE_OF_RUNS[name])
        return model
    return find_model(name)


def check_feedback(model: RunModel, feedback: str) -> None:
    """Stop where a model learns ratings and a store holds none.

    Args:
        model: what is to be trained, or has been.
        feedback: of the store.

    Raises:
        SettingsError: it does, and there are none.
    """
    if feedback != IMPLICIT or _ranks(model):
        return
    ranking = [name for name in model_names() if _ranks(find_model(name))]
    raise SettingsError(
        f"{model.name} learns to tell ratings, and this store holds none: its feedback is implicit",
        hint=f"models that rank are {', '.join(ranking)}",
    )


def find_preset(model: Model, preset: str) -> ModelOptions:
    """The options of a model's preset.

    Raises:
        SettingsError: there is no such preset.
    """
    if preset not in model.presets:
        raise SettingsError.unknown_name("preset", preset, model.presets)
    return model.presets[preset]


def _ranks(model: RunModel) -> bool:
    """Whether a model can learn anything but to tell ratings."""
    from bigrec.measures import RATING_OBJECTIVE
    from bigrec.models.contract import Model

    return isinstance(model, Model) and {*model.objectives} != {RATING_OBJECTIVE}


def _check_model(model: Any, name: str, where: str) -> Model:
    from bigrec.models.contract import Model

    if isinstance(model, type) or not isinstance(model, Model):
        raise SettingsError(
            f"{where} is no Model: found {model!r:.80}",
            hint="see bigrec.models.contract.Model, and docs/adding-a-model.md",
        )
    if model.name != name:
        raise SettingsError(f"{where} calls itself {model.name!r}")
    return model
