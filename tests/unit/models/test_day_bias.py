"""Day biases against the closed form of their ridge regression, and their look-up in a dict."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.errors import StoreError
from bigrec.models.baseline import day_bias
from bigrec.models.baseline.bias import ITEM_PENALTY, USER_PENALTY, Biases
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.baseline.day_bias import DayBiases, list_days
from bigrec.rows import DataSpec, Rows
from tests.support.rows import make_rows


@pytest.fixture(scope="module")
def data() -> tuple[Rows, DataSpec]:
    """Ratings, some of them whole stars off by the mood of a day."""
    rows, spec = make_rows(2, n_users=30, n_items=25, density=0.5)
    random = np.random.default_rng(5)
    day = random.integers(65_530, 65_536, rows.n_ratings).astype(np.uint16)
    user = np.repeat(np.arange(30), rows.lengths())
    moods = random.normal(0, 1, (30, 6))[user, day - 65_530].astype(np.float32)
    return dataclasses.replace(rows, rating=rows.rating + moods, day=day), spec


@pytest.fixture(scope="module")
def biases(data: tuple[Rows, DataSpec]) -> Biases:
    rows, spec = data
    return fit_biases(rows, spec, with_days=True)


def test_the_penalty_is_the_ratio_of_variances_by_products_of_pairs(
    data: tuple[Rows, DataSpec], biases: Biases
) -> None:
    rows, spec = data
    assert rows.day is not None
    assert biases.days is not None
    item = fit_biases(rows, spec).item
    means: list[tuple[float, float, float]] = []
    for user in range(rows.n_rows):
        own = slice(*rows.indptr[[user, user + 1]])
        deviation = rows.rating[own] - spec.mean_rating - item[rows.column[own]]
        pairs = list(itertools.permutations(range(len(deviation)), 2))
        same = [
            deviation[i] * deviation[j] for i, j in pairs if rows.day[own][i] == rows.day[own][j]
        ]
        other = [
            deviation[i] * deviation[j] for i, j in pairs if rows.day[own][i] != rows.day[own][j]
        ]
        if same and other:
            means.append((mean(same), mean(other), mean(deviation**2)))
    same_day, other_day, total = np.mean(means, axis=0)
    expected = (total - same_day) / (same_day - other_day)
    assert biases.days.penalty == pytest.approx(expected, rel=1e-4)


def mean(values: Any) -> float:
    return float(np.mean(values))


def test_planted_variances_are_found() -> None:
    rows, spec = make_rows(7, n_users=2000, n_items=40, density=0.6)
    random = np.random.default_rng(1)
    user = np.repeat(np.arange(2000), rows.lengths())
    day = random.integers(0, 5, rows.n_ratings)
    rating = random.normal(3, 0.4, 2000)[user] + random.normal(0, 0.9, rows.n_ratings)
    plain = dataclasses.replace(rows, rating=rating.astype(np.float32), day=day.astype(np.uint16))
    moods = random.normal(0, 0.3, (2000, 5))[user, day]
    moody = dataclasses.replace(plain, rating=(rating + moods).astype(np.float32))
    days = fit_biases(moody, spec, with_days=True).days
    assert days is not None
    assert days.penalty == pytest.approx(0.9**2 / 0.3**2, rel=0.1)
    nothing = fit_biases(plain, spec, with_days=True).days
    assert nothing is None


def test_all_biases_are_the_ridge_fit(data: tuple[Rows, DataSpec], biases: Biases) -> None:
    rows, spec = data
    assert rows.day is not None
    assert biases.days is not None
    user = np.repeat(np.arange(rows.n_rows), rows.lengths())
    keys, session = np.unique(user * 65_536 + rows.day, return_inverse=True)
    n_terms = rows.n_rows + spec.n_items + len(keys)
    terms = np.zeros((rows.n_ratings, n_terms))  # one column a bias
    each = np.arange(rows.n_ratings)
    terms[each, user] = terms[each, rows.n_rows + rows.column] = 1
    terms[each, rows.n_rows + spec.n_items + session] = 1
    penalty = np.repeat(
        [USER_PENALTY, ITEM_PENALTY, biases.days.penalty], [rows.n_rows, spec.n_items, len(keys)]
    )
    solved = np.linalg.solve(
        terms.T @ terms + np.diag(penalty), terms.T @ (rows.rating - spec.mean_rating)
    )
    found = np.concatenate((biases.user, biases.item, biases.days.bias))
    np.testing.assert_allclose(found, solved, atol=2e-3)
    np.testing.assert_array_equal(biases.days.day, keys % 65_536)
    np.testing.assert_array_equal(np.diff(biases.days.indptr), np.bincount(keys // 65_536))


def test_unless_asked_for_there_are_no_day_biases(data: tuple[Rows, DataSpec]) -> None:
    rows, spec = data
    plain = fit_biases(rows, spec)
    assert plain.days is None
    assert plain.less_days(rows) is rows.rating
    np.testing.assert_array_equal(plain.of_days(np.arange(3), np.arange(3)), np.zeros(3))


def test_rows_without_days_are_refused(data: tuple[Rows, DataSpec]) -> None:
    rows, spec = data
    with pytest.raises(StoreError, match="need days"):
        fit_biases(dataclasses.replace(rows, day=None), spec, with_days=True)


def test_ratings_less_days_and_what_a_day_adds_make_the_ratings(
    data: tuple[Rows, DataSpec], biases: Biases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_bias, "_ROWS_AT_ONCE", 50)  # several chunks
    rows, _ = data
    user = np.repeat(np.arange(rows.n_rows), rows.lengths())
    added = biases.of_days(user, rows.day)
    assert np.abs(added).max() > 0.1
    np.testing.assert_allclose(biases.less_days(rows) + added, rows.rating, atol=1e-6)


def test_what_is_not_known_adds_nothing(biases: Biases) -> None:
    assert biases.days is not None
    known = int(biases.days.day[0])
    found = biases.of_days(np.array([0, -1, 0, 0, 0]), np.array([known, known, -1, 3, 70_000]))
    assert found.tolist() == [float(biases.days.bias[0]), 0, 0, 0, 0]
    assert biases.of_days(np.array([0]), None).tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 65_535)), max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_biases_are_found_as_in_a_dict(rows: list[tuple[int, int]], more: st.DataObject) -> None:
    rows.sort(key=lambda row: row[0])
    indptr = np.searchsorted([user for user, _ in rows], np.arange(6)).astype(np.int64)
    ends, day = list_days(indptr, np.array([day for _, day in rows], np.uint16))
    bias = np.arange(1, len(day) + 1, dtype=np.float32)
    expected = {key: position + 1 for position, key in enumerate(sorted(set(rows)))}
    asked = rows + more.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 65_535))))
    user, days = (np.array([row[subset] for row in asked], np.int32) for subset in (0, 1))
    found = DayBiases(ends, day, bias, 1.0).of_pairs(user, days)
    assert found.tolist() == [expected.get(key, 0) for key in asked]
