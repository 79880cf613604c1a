"""Hyper-parameters: a frozen dataclass a model, with bounds, presets and `key=value` overrides.

The string under a field says what it means; `describe_options` reads it from there.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import numbers
import re
import textwrap
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from bigrec.errors import SettingsError

if TYPE_CHECKING:
    from bigrec.rows import DataSpec

Options = TypeVar("Options", bound="ModelOptions")

MAX_SEED: Final = 2**32 - 1
"""The largest seed that NumPy, Keras and TensorFlow all take."""

_LARGEST: Final = {int: 10**12, float: 1e30}
"""What any number is at most: counts that 64 bits hold the products of, and float32."""
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHOWN_DIGITS: Final = 40


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises:
        SettingsError: it is no whole number from 0 to MAX_SEED.
    """
    if not _is_whole(seed) or not 0 <= seed <= MAX_SEED:  # type: ignore[operator]
        raise SettingsError(
            f"expected a seed from 0 to {MAX_SEED}, found {str(seed)[:_SHOWN_DIGITS]!r}"
        )


def bounded(default: Any, low: float | None = None, high: float | None = None) -> Any:
    """A field with a default and inclusive bounds; None for that of _LARGEST."""
    return field(default=default, metadata={"low": low, "high": high})


def choice(default: str, *values: str) -> Any:
    """A field that takes one of these values."""
    return field(default=default, metadata={"values": values})


@dataclass(frozen=True)
class ModelOptions:
    """Hyper-parameters of any model. Values are checked when an object is made.

    Fields are bool, int, float, str, or one of these or None where the data decide.
    """

    @property
    def needs_days(self) -> bool:
        """Whether the model learns from the days of ratings."""
        return False

    def settled(self, spec: DataSpec) -> Self:  # noqa: ARG002
        """The same with what the data decide filled in.

        Args:
            spec: of the split that the model is trained on.
        """
        return self

    def __post_init__(self) -> None:
        types = typing.get_type_hints(type(self))
        for spec in dataclasses.fields(self):
            value = getattr(self, spec.name)
            kind, can_be_none = _kind_of(types[spec.name])
            if value is None and can_be_none:
                continue
            values = spec.metadata.get("values")
            if values and value not in values:
                raise SettingsError.unknown_name(
                    f"value of {spec.name}", str(value)[:_SHOWN_DIGITS], values
                )
            if not _is_of(kind, value):
                raise SettingsError(f"expected {spec.name} as {kind.__name__}, found {value!r}")
            if kind in _LARGEST:
                low, high = spec.metadata.get("low"), spec.metadata.get("high")
                largest = _LARGEST[kind] if high is None else high
                smallest = -largest if low is None else low
                if not smallest <= value <= largest:  # as no number is not, either
                    raise SettingsError(
                        f"expected {spec.name} to be {_bounds(smallest, largest)}, "
                        f"found {str(value)[:_SHOWN_DIGITS]}"
                    )


@dataclass(frozen=True)
class RatingOptions(ModelOptions):
    """Hyper-parameters of any model that learns to tell ratings."""

    day_biases: bool = False
    """Whether each user has a bias on each day too. The model learns from ratings less these
    biases, and scores of pairs with a date have them added. The data tells how far they may go, and
    where ratings of one day agree no more than others, there are none."""

    @property
    def needs_days(self) -> bool:
        """Whether there are to be biases of days."""
        return self.day_biases


@dataclass(frozen=True)
class RankingOptions(ModelOptions):
    """Hyper-parameters of any model that learns to rank."""

    positive: float | None = bounded(None, -(10**12), 10**12)
    """The rating from which on a train rating is positive: the model learns from those alone, and
    of them that they are there. None: 4 of 5 stars, as far up on another scale, and every rating of
    implicit feedback."""

    def settled(self, spec: DataSpec) -> Self:
        """The same with the number that `positive` stands for.

        Args:
            spec: of the split that the model is trained on.

        Raises:
            SettingsError: no rating of the scale is as high.
        """
        if self.positive is None:
            return replace(self, positive=spec.relevant)
        if self.positive > spec.max_rating:
            raise SettingsError(
                f"expected positive to be at most {spec.max_rating:g}, the highest rating of the "
                f"scale, found {self.positive:g}"
            )
        return self


@dataclass(frozen=True)
class GradientOptions(RatingOptions):
    """Hyper-parameters of any model that is fitted by gradient steps."""

    epochs: int = bounded(5, 1)
    """Passes over the train subset, at most."""
    patience: int = bounded(0, 0)
    """Stop after this many epochs in a row without a better validation RMSE, and keep the weights
    of the best epoch. 0: never stop, keep the last. The split must have a validation subset."""
    batch_size: int = bounded(1024, 1)
    """Rows of a step (users of a step for AutoRec)."""
    optimizer: str = choice("sgd", "sgd", "adaptive")
    """sgd: with momentum, as Keras does it. adaptive: Adagrad on embedding rows, one step size for
    all of a row, and Adam elsewhere."""
    learning_rate: float = bounded(0.08, 0)
    """Step size; of Adagrad for embeddings with the adaptive optimizer."""
    momentum: float = bounded(0.9, 0, 1)
    """Momentum of sgd."""
    dense_learning_rate: float = bounded(0.001, 0)
    """Step size of Adam with the adaptive optimizer."""
    schedule: str = choice("constant", "constant", "exponential", "cosine")
    """How step sizes change from epoch to epoch. exponential: times `decay` each. cosine: half a
    cosine wave down, nearly to 0 in the last of `epochs`."""
    decay: float = bounded(0.9, 0.01, 1)
    """Factor on step sizes from one epoch to the next, with the exponential schedule."""
    warmup: int = bounded(0, 0)
    """First epochs, whose step sizes rise in equal steps to the full one; 0: none."""


@dataclass(frozen=True)
class OptionDescription:
    """What there is to know of one hyper-parameter."""

    name: str
    type: str
    """int, float, bool or str."""
    presets: dict[str, Any]
    """Its value in each preset."""
    bounds: str
    """What it may be, in words; empty if anything of its type."""
    meaning: str


def describe_options(presets: Mapping[str, ModelOptions]) -> list[OptionDescription]:
    """Describe every hyper-parameter of a model.

    Args:
        presets: the model's options by preset name, all of one class.
    """
    cls = type(next(iter(presets.values())))
    meanings = _field_docstrings(cls)
    types = typing.get_type_hints(cls)
    described = []
    for spec in dataclasses.fields(cls):
        values = spec.metadata.get("values")
        low, high = spec.metadata.get("low"), spec.metadata.get("high")
        described.append(
            OptionDescription(
                spec.name,
                _kind_of(types[spec.name])[0].__name__,
                {name: getattr(options, spec.name) for name, options in presets.items()},
                f"one of {', '.join(values)}" if values else _bounds(low, high),
                meanings.get(spec.name, ""),
            )
        )
    return described


def override(options: Options, settings: Mapping[str, str]) -> Options:
    """Replace fields by values given as text.

    Args:
        options: what to start from.
        settings: text by field name, as in `--set embedding_size=32`.

    Raises:
        SettingsError: no such field, not of its type, or out of bounds.
    """
    types = {
        name: kind
        for name, kind in typing.get_type_hints(type(options)).items()
        if name in {spec.name for spec in dataclasses.fields(options)}
    }
    values: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in types:
            raise SettingsError.unknown_name("hyper-parameter", name, types)
        kind, can_be_none = _kind_of(types[name])
        if can_be_none and text.lower() == "none":
            values[name] = None
            continue
        try:
            values[name] = _parse(kind, text)
        except ValueError:
            shown = text[:_SHOWN_DIGITS]
            raise SettingsError(f"expected {name} as {kind.__name__}, found {shown!r}") from None
    return dataclasses.replace(options, **values)


def _kind_of(annotation: Any) -> tuple[type, bool]:
    """The type of a field's values, and whether None is one too."""
    kinds = typing.get_args(annotation) or (annotation,)
    (kind,) = (one for one in kinds if one is not type(None))
    return kind, len(kinds) > 1


def _parse(kind: type, text: str) -> Any:
    if kind is bool:
        values = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in values:
            raise ValueError
        return values[text.lower()]
    pattern = {int: _WHOLE, float: _DECIMAL}.get(kind)
    # Python reads digits of any script and underscores too. What is no number is left to bounds.
    if pattern and not pattern.fullmatch(text) and text.lower().lstrip("+-") not in {"nan", "inf"}:
        raise ValueError
    return kind(text)


def _is_of(kind: type, value: object) -> bool:
    if kind is int:
        return _is_whole(value)
    if kind is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    return isinstance(value, kind)


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}"
    return "" if high is None else f"at most {high}"


def _field_docstrings(cls: type) -> dict[str, str]:
    """The string that stands under each field in the source of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        definition = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - the source of a class
        for statement, below in zip(definition.body, definition.body[1:], strict=False):
            match statement, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = " ".join(text.split())
    return found
