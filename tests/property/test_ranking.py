"""Lists and their metrics against naive references, on random small data."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bigrec.features import UserRows
from bigrec.models.ranking import top_movies

Array = np.ndarray[Any, Any]


@st.composite
def scored_users(draw: st.DrawFn) -> tuple[Array, UserRows, Array, int]:
    """Scores with many ties, seen movies, popularity with zeros, and the length of a list."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    scores = draw(arrays.arrays(np.float32, shape, elements=st.sampled_from([-1.5, 0, 3, 3.25])))
    popularity = draw(arrays.arrays(np.int32, shape[1], elements=st.integers(0, 3)))
    seen = draw(arrays.arrays(bool, shape))
    rows = UserRows(
        np.concatenate(([0], np.cumsum(seen.sum(axis=1)))),
        np.nonzero(seen)[1].astype(np.int32),
        np.ones(seen.sum(), np.float32),
    )
    return scores, rows, popularity, draw(st.integers(1, 10))


def naive_top(scores: Array, rows: UserRows, popularity: Array, k: int) -> list[list[int]]:
    lists = []
    for user in range(len(scores)):
        seen = rows.movie_index[rows.indptr[user] : rows.indptr[user + 1]].tolist()
        keys = [
            (-float(scores[user, movie]), -int(popularity[movie]), movie)
            for movie in range(len(popularity))
            if popularity[movie] > 0 and movie not in seen
        ]
        best = [movie for *_, movie in sorted(keys)[:k]]
        lists.append(best + [-1] * (k - len(best)))
    return lists


@given(scored_users())
def test_top_movies_are_those_of_a_full_sort(case: tuple[Array, UserRows, Array, int]) -> None:
    before = case[0].copy()
    assert top_movies(*case).tolist() == naive_top(*case)
    np.testing.assert_array_equal(case[0], before)
