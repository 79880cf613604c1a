"""What a run says of itself: config.json, metrics.json and the lines of history.jsonl.

Each is a dataclass, whose fields are the keys of its JSON form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from bigrec.errors import RunError
from bigrec.measures import Measure, find_measure
from bigrec.rows import DataSpec

FORMAT_VERSION: Final = 1
"""Of these files, and of the run's folder; another one is refused."""


@dataclass(frozen=True)
class SplitRecord:
    """The split that a run was trained on."""

    name: str
    """The name it was saved under."""
    digest: str
    """Identity of the split; see SplitSpec.digest."""
    protocol: str
    """The split in one line."""
    spec: Mapping[str, Any]
    """The fields of its SplitSpec."""


@dataclass(frozen=True)
class DeviceRecord:
    """Where and how a run was computed."""

    asked: str
    """auto, cpu, gpu, …"""
    used: tuple[str, ...]
    """As TensorFlow names devices."""
    precision: str = "float32"
    """Of dense layers."""
    cache: str = "off"
    """Where pairs were kept: device or off."""


@dataclass(frozen=True)
class ComponentRecord:
    """One run of a blend."""

    run: str
    """Its name."""
    model: str
    """Name of its model."""
    digest: str
    """Of the run's files, so that one that was trained again is noticed."""


@dataclass(frozen=True)
class RunConfig:
    """config.json: all that decides a run."""

    run: str
    """Its name."""
    model: str
    """Name of the model."""
    objective: str
    """What it learned to do: rating or ranking."""
    preset: str
    """Where the options started from."""
    options: Mapping[str, Any]
    """The model's hyper-parameters."""
    seed: int
    """Of every random choice."""
    split: SplitRecord
    """What it was trained on."""
    spec: DataSpec
    """Sizes and bounds of the scale."""
    environment: Mapping[str, Any]
    """Versions and machine."""
    device: DeviceRecord | None = None
    """None for a blend."""
    components: tuple[ComponentRecord, ...] = ()
    """Of a blend."""
    weights: Mapping[str, Any] | None = None
    """Of a blend: the fields of its BlendWeights."""
    format_version: int = FORMAT_VERSION
    """Another one is refused."""

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Read the fields back.

        Args:
            fields: as `to_json` gives them.

        Raises:
            RunError: they are of another version.
            TypeError, KeyError, ValueError: a field lacks, is unknown or is wrong.
        """
        _check_version(fields)
        read = dict(fields)
        read["split"] = SplitRecord(**read["split"])
        read["spec"] = DataSpec(**read["spec"])
        read["components"] = tuple(ComponentRecord(**one) for one in read["components"])
        if (device := read["device"]) is not None:
            read["device"] = DeviceRecord(**{**device, "used": tuple(device["used"])})
        config = cls(**read)
        _check_types(config)
        return config


@dataclass(frozen=True)
class RunMetrics:
    """metrics.json: what came of a run."""

    primary: str
    """The measure that the run is judged by first; one of `test`."""
    test: Mapping[str, float]
    """Measures in the test subset, by name."""
    validation: Mapping[str, float] | None
    """Likewise; None for a split without one."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or item has no train row."""
    fallback: str
    """What scored these, in words."""
    seconds: float
    """Wall time of the training, tests included, pauses not."""
    train_seconds: float
    """Wall time of the epochs alone."""
    kept_epoch: int | None = None
    """The epoch whose weights the run holds; None for a blend."""
    day_penalty: float | None = None
    """Of the biases of days; None where scores do not depend on the day."""
    peak_rss_bytes: int | None = None
    """Peak memory of the process that trained; None where something else took more before."""
    item_deciles: tuple[Mapping[str, Any], ...] = ()
    """Errors by popularity of the item; the fields of DecileErrors."""
    user_deciles: tuple[Mapping[str, Any], ...] = ()
    """Errors by activity of the user, likewise."""
    format_version: int = FORMAT_VERSION
    """Another one is refused."""

    @property
    def measure(self) -> Measure:
        """The primary measure."""
        return find_measure(self.primary)

    @property
    def value(self) -> float:
        """The primary measure's value in the test subset."""
        return self.test[self.primary]

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Read the fields back; see RunConfig.from_json.

        Args:
            fields: as `to_json` gives them.
        """
        _check_version(fields)
        read = dict(fields)
        for name in ("item_deciles", "user_deciles"):
            read[name] = tuple(dict(decile) for decile in read[name])
        metrics = cls(**read)
        _check_types(metrics)
        find_measure(metrics.primary)
        if not all(isinstance(value, int | float) for value in metrics.test.values()):
            raise TypeError("a measure is no number")
        if metrics.primary not in metrics.test:
            raise KeyError(metrics.primary)
        return metrics


@dataclass(frozen=True)
class EpochSummary:
    """What one pass over the train subset gave: a line of history.jsonl."""

    epoch: int
    """From 1."""
    train_loss: float | None
    """Mean squared error while training; None for a model without gradient steps."""
    validation: Mapping[str, float] | None
    """Measures in the validation subset after the epoch, by name; None for a split without one."""
    test: Mapping[str, float]
    """Likewise in the test subset."""
    seconds: float
    """Wall time of the pass, without validation and test."""
    rows_per_second: float
    """Train ratings a second."""
    input_wait_seconds: float
    """Time of `seconds` in which training waited for input."""


def _check_version(fields: Mapping[str, Any]) -> None:
    version = fields.get("format_version")
    if version != FORMAT_VERSION:
        raise RunError(
            f"it has format version {version}, this bigrec reads {FORMAT_VERSION}",
            hint="train it again with --overwrite, or read it with the bigrec that wrote it",
        )


_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
    "Mapping[str, Any]": (dict,),
    "Mapping[str, float]": (dict,),
}


def _check_types(record: RunConfig | RunMetrics) -> None:
    """Make sure that plain fields have their types; the others were made by their own classes."""
    for one in dataclasses.fields(record):
        kinds = _KINDS.get(str(one.type))
        value = getattr(record, one.name)
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
            raise TypeError(f"{one.name} is {value!r:.60}")
