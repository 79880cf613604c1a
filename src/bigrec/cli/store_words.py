"""What ratings are and what is kept of times, as `ingest` and `info` say it."""

from __future__ import annotations

from typing import Final

from bigrec.interactions import EXPLICIT
from bigrec.schema import BY_DAY, BY_SECOND, NO_TIME

TIMES: Final = {BY_SECOND: "to the second", BY_DAY: "days", NO_TIME: "none"}
"""What a store keeps of times."""


def scale_words(feedback: str, low: float, high: float) -> dict[str, str]:
    """The scale of ratings, or what implicit feedback counts, as a name and words.

    Args:
        feedback: one of bigrec.interactions.FEEDBACK.
        low: the lowest rating.
        high: the highest one.
    """
    if feedback == EXPLICIT:
        return {"scale": f"{low:g} to {high:g}"}
    is_counted = (low, high) != (1, 1)
    return {"feedback": f"implicit, counts of {low:g} to {high:g}" if is_counted else "implicit"}
