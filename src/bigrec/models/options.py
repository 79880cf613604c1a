"""Hyper-parameters: a frozen dataclass a model, with bounds, presets and `key=value` overrides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bigrec.errors import SettingsError

Options = TypeVar("Options", bound="ModelOptions")


def bounded(default: Any, low: float | None = None, high: float | None = None) -> Any:
    """A field with a default and inclusive bounds; None for no bound."""
    return field(default=default, metadata={"low": low, "high": high})


def choice(default: str, *values: str) -> Any:
    """A field that takes one of these values."""
    return field(default=default, metadata={"values": values})


@dataclass(frozen=True)
class ModelOptions:
    """Hyper-parameters of any model. Values are checked when an object is made."""

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            low, high = spec.metadata.get("low"), spec.metadata.get("high")
            values = spec.metadata.get("values")
            if values and value not in values:
                raise SettingsError.unknown_name(f"value of {spec.name}", str(value), values)
            if (low is not None and value < low) or (high is not None and value > high):
                bounds = f"{'-∞' if low is None else low} to {'∞' if high is None else high}"
                raise SettingsError(f"expected {spec.name} from {bounds}, found {value}")


@dataclass(frozen=True)
class GradientOptions(ModelOptions):
    """Hyper-parameters of any model that is fitted by gradient steps."""

    epochs: int = bounded(5, 1)
    """Passes over the train side."""
    batch_size: int = bounded(1024, 1)
    """Rows of a step (users of a step for AutoRec)."""
    optimizer: str = choice("sgd", "sgd", "adaptive")
    """sgd: with momentum, as Keras does it. adaptive: Adagrad on embedding rows, Adam elsewhere."""
    learning_rate: float = bounded(0.08, 0)
    """Step size; of Adagrad for embeddings with the adaptive optimizer."""
    momentum: float = bounded(0.9, 0, 1)
    """Momentum of sgd."""
    dense_learning_rate: float = bounded(0.001, 0)
    """Step size of Adam with the adaptive optimizer."""


def override(options: Options, settings: Mapping[str, str]) -> Options:
    """Replace fields by values given as text.

    Args:
        options: what to start from.
        settings: text by field name, as in `--set embedding_size=32`.

    Raises:
        SettingsError: no such field, not of its type, or out of bounds.
    """
    fields = {spec.name: spec for spec in dataclasses.fields(options)}
    values: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in fields:
            raise SettingsError.unknown_name("hyper-parameter", name, fields)
        kind = type(getattr(options, name))
        try:
            values[name] = _parse(kind, text)
        except ValueError:
            raise SettingsError(f"expected {name} as {kind.__name__}, found {text!r}") from None
    return dataclasses.replace(options, **values)


def _parse(kind: type, text: str) -> Any:
    if kind is bool:
        values = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in values:
            raise ValueError
        return values[text.lower()]
    return kind(text)
