"""How a score is made from a list of neighbors; see `scorer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class NeighborRule:
    """How a score is made from a list."""

    basis: str
    """user or item: whose neighbors the lists hold."""
    neighbors: int
    """Elements of a list that count."""
    only_raters: bool
    """Whether only elements with a rating count."""
    own_level: bool
    """Whether neighbors add deviations to the target's base."""
    shrinkage: float
    """Added to the sum of weights."""
    power: float
    """Of a similarity, to be a weight."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> NeighborRule:
        """The rule in the options of a run."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})
