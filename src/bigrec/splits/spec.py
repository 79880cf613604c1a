"""The description of a split: which rows take part, and which of them are the test side."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from bigrec.errors import SettingsError, SplitError
from bigrec.splits.random_key import PRIME

METHODS: Final = ("random",)

PRESETS: Final[dict[str, dict[str, int]]] = {
    "notebook-small": {"min_movie_ratings": 53_000, "min_user_ratings": 830},
    "notebook-large": {"min_movie_ratings": 10_000, "min_user_ratings": 230},
}
"""The two filters of the notebook: small for its cosine and AutoRec cells, large for the others."""


@dataclass(frozen=True)
class SplitSpec:
    """What decides a split. Two stores with the same rows and the same spec have the same split."""

    min_movie_ratings: int = 0
    """Keep movies with more ratings than this in the whole store; exclusive, as in the notebook."""
    min_user_ratings: int = 0
    """Keep users with more ratings than this in the whole store; exclusive, as in the notebook."""
    method: str = "random"
    """How rows go to the test side; one of METHODS."""
    test_fraction: float = 0.2
    """Share of rows on the test side, above 0 and below 1. Each row is drawn on its own."""
    seed: int = 0
    """Seed of the random method, at least 0."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SettingsError.unknown_name("split method", self.method, METHODS)
        if not 0 < self.test_fraction < 1:
            raise SettingsError(
                f"expected a test fraction between 0 and 1, found {self.test_fraction}"
            )
        for name in ("min_movie_ratings", "min_user_ratings", "seed"):
            if getattr(self, name) < 0:
                raise SettingsError(f"expected {name} of at least 0, found {getattr(self, name)}")
        if self.seed >= PRIME // 2:
            raise SettingsError(f"expected a seed below {PRIME // 2}, found {self.seed}")

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SplitSpec:
        """Read the fields back.

        Raises:
            SplitError: a field is missing or unknown.
        """
        try:
            return cls(**fields)
        except TypeError as error:
            raise SplitError(f"a split description cannot be read: {error}") from error

    def digest(self, fingerprint: str) -> str:
        """Identity of the split of one store: of its rows (the fingerprint) and of the spec."""
        text = json.dumps([fingerprint, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def protocol(self) -> str:
        """The split in one line, as every result states it."""
        filters = []
        if self.min_movie_ratings:
            filters.append(f"movies with more than {self.min_movie_ratings:,} ratings")
        if self.min_user_ratings:
            filters.append(f"users with more than {self.min_user_ratings:,}")
        kept = " and ".join(filters) or "all ratings"
        train = round(100 * (1 - self.test_fraction), 3)
        test = round(100 * self.test_fraction, 3)
        return f"{kept}; random {train:g}/{test:g}, seed {self.seed}"
