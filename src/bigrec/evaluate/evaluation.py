"""All that is measured of one run in the test subset."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from bigrec.evaluate.ranking import RankingSummary
from bigrec.models.scoring import Errors


@dataclass(frozen=True)
class Evaluation:
    """Errors and lists of one run."""

    run: str
    """Name of the run."""
    errors: Errors | None
    """Of the scores of all test ratings; None for a model that ranks."""
    lists: RankingSummary | None
    """Of the best unseen items; None if no user has a relevant one."""

    def to_json(self) -> dict[str, Any]:
        """run, errors and lists."""
        return {
            "run": self.run,
            "errors": None if self.errors is None else dataclasses.asdict(self.errors),
            "lists": None if self.lists is None else dataclasses.asdict(self.lists),
        }
