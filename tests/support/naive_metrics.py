"""Measures of lists by the textbook."""

from __future__ import annotations

import math

from bigrec.models.list_measures import USER_METRICS


def naive_metrics(listed: list[int], relevant: set[int]) -> dict[str, float]:
    """The textbook's definitions, one place of the list after the other."""
    k = len(listed)
    found, gain, precisions = 0, 0.0, 0.0
    for rank, item in enumerate(listed, start=1):
        if item in relevant:
            found += 1
            gain += 1 / math.log2(rank + 1)
            precisions += found / rank
    if not relevant:
        return dict.fromkeys(USER_METRICS, 0.0)
    reachable = min(len(relevant), k)
    return {
        "precision": found / k,
        "recall": found / len(relevant),
        "ndcg": gain / sum(1 / math.log2(rank + 1) for rank in range(1, reachable + 1)),
        "map": precisions / reachable,
        "hit_rate": float(found > 0),
    }
