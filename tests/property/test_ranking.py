"""Lists and their metrics against naive references, on random small data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.support.naive_metrics import naive_metrics

from bigrec.models.list_measures import USER_METRICS, list_metrics
from bigrec.models.ranking import top_items
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]

SLOW_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def scored_users(draw: st.DrawFn) -> tuple[Array, Rows, Array, int]:
    """Scores with many ties, seen items, popularity with zeros, and the length of a list."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    scores = draw(arrays.arrays(np.float32, shape, elements=st.sampled_from([-1.5, 0, 3, 3.25])))
    popularity = draw(arrays.arrays(np.int32, shape[1], elements=st.integers(0, 3)))
    seen = draw(arrays.arrays(bool, shape))
    rows = Rows(
        np.concatenate(([0], np.cumsum(seen.sum(axis=1)))),
        np.nonzero(seen)[1].astype(np.int32),
        np.ones(seen.sum(), np.float32),
    )
    return scores, rows, popularity, draw(st.integers(1, 10))


def naive_top(scores: Array, rows: Rows, popularity: Array, k: int) -> list[list[int]]:
    lists = []
    for user in range(len(scores)):
        seen = rows.column[rows.indptr[user] : rows.indptr[user + 1]].tolist()
        keys = [
            (-float(scores[user, item]), -int(popularity[item]), item)
            for item in range(len(popularity))
            if popularity[item] > 0 and item not in seen
        ]
        best = [item for *_, item in sorted(keys)[:k]]
        lists.append(best + [-1] * (k - len(best)))
    return lists


@SLOW_MACHINE
@given(scored_users())
def test_top_items_are_those_of_a_full_sort(case: tuple[Array, Rows, Array, int]) -> None:
    before = case[0].copy()
    assert top_items(*case).tolist() == naive_top(*case)
    np.testing.assert_array_equal(case[0], before)


@st.composite
def lists_and_relevant(draw: st.DrawFn) -> tuple[list[list[int]], list[set[int]]]:
    n_users, k = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    lists, relevant = [], []
    for _ in range(n_users):
        items = draw(st.lists(st.integers(0, 9), unique=True, max_size=k))
        lists.append(items + [-1] * (k - len(items)))
        relevant.append(draw(st.sets(st.integers(0, 9))))
    return lists, relevant


@SLOW_MACHINE
@given(lists_and_relevant())
def test_list_metrics_are_those_of_a_naive_loop(
    case: tuple[list[list[int]], list[set[int]]],
) -> None:
    lists, relevant = case
    rows = Rows(
        np.cumsum([0, *map(len, relevant)]),
        np.array([item for own in relevant for item in sorted(own)], np.int32),
        np.full(sum(map(len, relevant)), 5, np.float32),
    )
    found = list_metrics(np.array(lists, np.int32), rows)
    for row, listed, own in zip(found, lists, relevant, strict=True):
        assert dict(zip(USER_METRICS, row, strict=True)) == pytest.approx(
            naive_metrics(listed, own)
        )
