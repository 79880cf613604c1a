"""Where and how a training computes, as asked for; `devices` finds what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bigrec.errors import SettingsError

KINDS: Final = ("auto", "cpu", "gpu")
POLICIES: Final = {"float32": "float32", "mixed": "mixed_bfloat16"}
"""Keras' dtype policies by what precision is called."""
CACHES: Final = ("auto", "device", "off")


@dataclass(frozen=True)
class DeviceOptions:
    """What a training is to compute on."""

    kind: str = "auto"
    """cpu, gpu, or auto: a GPU where there is one."""
    n_devices: int = 1
    """How many devices of the kind share each batch; 0: all there are."""
    precision: str = "float32"
    """mixed: hidden layers compute in bfloat16; weights, embeddings, scores and the loss stay
    float32. For models with dense layers only."""
    cache: str = "auto"
    """device: the pairs of the train subset are kept in the memory of the (first) device and each
    epoch is drawn from them there. off: they are read from disk. auto: device for a GPU that has
    room for them. For models of pairs only."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SettingsError.unknown_name("device", self.kind, KINDS)
        if self.precision not in POLICIES:
            raise SettingsError.unknown_name("precision", self.precision, POLICIES)
        if self.cache not in CACHES:
            raise SettingsError.unknown_name("cache", self.cache, CACHES)
        if not isinstance(self.n_devices, int) or self.n_devices < 0:
            raise SettingsError(f"expected a number of devices, found {self.n_devices}")
