"""Neighbors against scikit-learn and dense formulas, by every way, tile and thread count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from bigrec.errors import RunError
from bigrec.models.contract import Checkpoint
from bigrec.models.knn import search as neighbors
from bigrec.models.knn import tiled_search
from bigrec.models.knn.gpu_product import tensorflow_product
from bigrec.models.knn.kernels import BaseLevels, sparse
from bigrec.models.knn.profiles import Neighbors, Profiles, profile_columns, profile_rows
from bigrec.models.knn.search import (
    find_column_neighbors,
    find_neighbors_of,
    find_row_neighbors,
)
from bigrec.models.knn.tiled_search import blas_product
from bigrec.resources import Budget
from bigrec.rows import Rows
from tests.support.rows import make_rows


def dense_of(rows: Rows, n_items: int) -> Any:
    """Ratings as a matrix, NaN where there is none."""
    dense = np.full((rows.n_rows, n_items), np.nan)
    dense[np.repeat(np.arange(rows.n_rows), rows.lengths()), rows.column] = rows.rating
    return dense


def profiles_of(rows: Rows, n_items: int, **terms: Any) -> Profiles:
    """Profiles of users by their own means."""
    mean = np.nanmean(dense_of(rows, n_items), axis=1)
    ratings = sparse(rows.indptr, rows.column, rows.rating)
    return profile_rows(ratings, BaseLevels(mean, np.zeros(n_items)), **terms)


def expected_similarity(dense: Any, filled: bool, support: float, co_rating: float) -> Any:
    """All similarities by their definition, the diagonal out of the way."""
    dense = dense[:, ~np.isnan(dense).all(axis=0)]
    mean = np.nanmean(dense, axis=1, keepdims=True)
    deviations = np.nan_to_num(dense - mean)
    similarity = cosine_similarity(deviations + mean if filled else deviations)
    rated = (~np.isnan(dense)).astype(float)
    common = rated @ rated.T
    if support:
        similarity *= common / (common + support)
    if co_rating:
        with np.errstate(all="ignore"):
            similarity += co_rating * np.nan_to_num(np.corrcoef(rated))
    np.fill_diagonal(similarity, -1)
    return similarity


def check_lists(found: Neighbors, expected: Any) -> None:
    """The lists hold the greatest positive similarities, up to ties."""
    k = found.index.shape[1]
    best = np.maximum(-np.sort(-expected, axis=1)[:, :k], 0)
    np.testing.assert_allclose(found.similarity, best, atol=1e-12)
    named = np.take_along_axis(expected, np.maximum(found.index, 0), axis=1)
    real = found.index >= 0
    np.testing.assert_allclose(named[real], found.similarity[real], atol=1e-12)
    assert (found.similarity[~real] == 0).all()
    for line in found.index:
        assert len(set(line[line >= 0])) == (line >= 0).sum()


TERMS = st.fixed_dictionaries(
    {
        "filled": st.booleans(),
        "support": st.sampled_from([0.0, 2.5]),
        "co_rating": st.sampled_from([0.0, 0.5]),
    }
)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.02, 0.7), terms=TERMS)
def test_every_way_finds_the_neighbors_of_the_dense_matrix(
    seed: int, density: float, terms: dict[str, Any]
) -> None:
    rows, spec = make_rows(seed, n_users=50, n_items=20, density=density)
    expected = expected_similarity(dense_of(rows, spec.n_items), **terms)
    profiles = profiles_of(rows, spec.n_items, **terms)
    tiles = find_row_neighbors(profiles, 7, multiply=blas_product)
    check_lists(tiles, expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_DENSE_GAIN", 0)
        products = find_row_neighbors(profiles, 7)
    np.testing.assert_array_equal(products.index, tiles.index)
    np.testing.assert_array_equal(products.similarity, tiles.similarity)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), density=st.floats(0.05, 0.7), terms=TERMS)
def test_columns_have_the_neighbors_of_the_transposed_matrix(
    seed: int, density: float, terms: dict[str, Any]
) -> None:
    rows, spec = make_rows(seed, n_users=20, n_items=50, density=density)
    dense = dense_of(rows, spec.n_items)
    rated = ~np.isnan(dense).all(axis=0)
    mean = np.full(spec.n_items, 3.0)
    mean[rated] = np.nanmean(dense[:, rated], axis=0)
    ratings = sparse(rows.indptr, rows.column, rows.rating)
    profiles = profile_columns(ratings, BaseLevels(np.zeros(20), mean), **terms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_BLOCK_RATINGS", 60)
        found = find_column_neighbors(profiles, 7)
    expected = np.full((50, 50), -1.0)
    expected[np.ix_(rated, rated)] = expected_similarity(dense.T[rated], **terms)
    check_lists(found, expected)


@pytest.mark.parametrize("terms", [{"filled": True}, {"filled": False, "support": 2.0}])
def test_tiles_and_threads_do_not_change_a_bit(
    terms: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, spec = make_rows(5, n_users=150, n_items=20, density=0.2)
    profiles = profiles_of(rows, spec.n_items, **terms)
    whole = find_row_neighbors(profiles, 9, multiply=blas_product, budget=Budget(threads=1))
    monkeypatch.setattr(tiled_search, "_TILE_ROWS", 48)
    for multiply in (blas_product, tensorflow_product):
        tiled = find_row_neighbors(profiles, 9, multiply=multiply, budget=Budget(threads=3))
        np.testing.assert_array_equal(whole.index, tiled.index)
        np.testing.assert_array_equal(whole.similarity, tiled.similarity)


@pytest.mark.gpu
def test_a_gpu_finds_the_same_neighbors() -> None:
    import tensorflow as tf

    rows, spec = make_rows(5, n_users=150, n_items=20, density=0.2)
    profiles = profiles_of(rows, spec.n_items, filled=True)
    expected = find_row_neighbors(profiles, 9, multiply=blas_product)
    with tf.device("/GPU:0"):
        found = find_row_neighbors(profiles, 9, multiply=tensorflow_product)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.similarity, expected.similarity)


def test_users_with_equal_rows_tie_and_come_by_index() -> None:
    # Constant users of one length tie exactly, whatever their constant is.
    indptr = np.arange(0, 42, 2)
    item = np.tile(np.array([0, 1], np.int32), 20)
    rating = np.repeat(np.arange(20) % 5 + 1, 2).astype(np.float32)
    profiles = profiles_of(Rows(indptr, item, rating), 3, filled=True)
    found = find_row_neighbors(profiles, 4, multiply=blas_product)
    assert found.index[10].tolist() == [0, 1, 2, 3]
    assert found.index[1].tolist() == [0, 2, 3, 4]
    assert (found.similarity == 1).all()


def test_a_product_that_errs_within_the_bound_changes_nothing() -> None:
    # The worst float32 products that the bound allows, against the exact ones.
    rows, spec = make_rows(6, n_users=90, n_items=40, density=0.4)
    profiles = profiles_of(rows, spec.n_items, filled=True)
    expected = find_row_neighbors(profiles, 6, multiply=blas_product)
    rng = np.random.default_rng(0)

    def err(one: Any, other: Any, products: Any) -> None:
        exact = one.astype(np.float64) @ other.T.astype(np.float64)
        bound = np.minimum.outer((one != 0).sum(axis=1), (other != 0).sum(axis=1)) * 2.0**-24
        bound = bound * np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
        products[:] = exact + rng.choice([-1, 1], exact.shape) * bound

    found = find_row_neighbors(profiles, 6, multiply=err)
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.similarity, expected.similarity)


def test_a_chosen_list_finds_what_all_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_search, "_TILE_ROWS", 32)
    rows, spec = make_rows(7, n_users=100, n_items=30, density=0.3)
    profiles = profiles_of(rows, spec.n_items, filled=True)
    every = find_row_neighbors(profiles, 99, multiply=blas_product)
    chosen = np.array([40, 3, 77])
    found = find_neighbors_of(profiles.take(chosen), profiles, 6)
    np.testing.assert_array_equal(found.index[:, 0], chosen)  # nobody is nearer than oneself
    np.testing.assert_array_equal(found.index[:, 1:], every.index[chosen, :5])
    np.testing.assert_array_equal(found.similarity[:, 1:], every.similarity[chosen, :5])


@pytest.mark.parametrize("n_chosen", [1, 10, 90])
def test_a_chosen_list_costs_its_own_products(
    n_chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []

    def count(one: Any, other: Any, products: Any) -> None:
        shapes.append(products.shape)
        blas_product(one, other, products)

    monkeypatch.setattr(tiled_search, "_TILE_ROWS", 32)
    monkeypatch.setattr(tiled_search, "blas_product", count)
    rows, spec = make_rows(7, n_users=100, n_items=30, density=0.3)
    profiles = profiles_of(rows, spec.n_items, filled=True)
    find_neighbors_of(profiles.take(np.arange(n_chosen)), profiles, 6)
    assert sum(n * m for n, m in shapes) == n_chosen * 100


@pytest.mark.parametrize("minutes", [0, None], ids=["saved each time", "saved at Ctrl-C"])
@pytest.mark.parametrize("basis", ["rows", "products", "columns"])
def test_a_search_goes_on_where_it_stopped(
    basis: str, minutes: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled_search, "_TILE_ROWS", 16)
    monkeypatch.setattr(neighbors, "_BLOCK_RATINGS", 300)
    monkeypatch.setattr(neighbors, "_PART_ROWS", 8)
    rows, spec = make_rows(9, n_users=100, n_items=60, density=0.3)
    mean = np.nanmean(dense_of(rows, spec.n_items), axis=1)
    ratings, levels = (
        sparse(rows.indptr, rows.column, rows.rating),
        BaseLevels(mean, np.zeros(60)),
    )
    checkpoint = Checkpoint(tmp_path / "state.npz", minutes)

    def search(checkpoint: Checkpoint | None, progress: Any = lambda _: None) -> Neighbors:
        how: dict[str, Any] = {"progress": progress, "checkpoint": checkpoint}
        if basis == "columns":
            return find_column_neighbors(profile_columns(ratings, levels, filled=False), 5, **how)
        profiles = profile_rows(ratings, levels, filled=True)
        return find_row_neighbors(
            profiles, 5, multiply=blas_product if basis == "rows" else None, **how
        )

    done = 0

    def stop_half_way(n: int) -> None:
        nonlocal done
        done += n
        if done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(checkpoint, stop_half_way)
    reported: list[int] = []
    resumed = search(checkpoint, reported.append)
    assert reported[0] > 20
    assert sum(reported) == (60 if basis == "columns" else 100)
    expected = search(None)
    np.testing.assert_array_equal(resumed.index, expected.index)
    np.testing.assert_array_equal(resumed.similarity, expected.similarity)


def test_a_state_of_another_search_is_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.npz", 0)
    rows, spec = make_rows(9, n_users=40, n_items=20, density=0.3)
    find_row_neighbors(profiles_of(rows, spec.n_items, filled=True), 5, checkpoint=checkpoint)
    with pytest.raises(RunError, match="holds another search"):
        find_row_neighbors(profiles_of(rows, spec.n_items, filled=False), 5, checkpoint=checkpoint)
    checkpoint.path.write_bytes(b"damaged")
    with pytest.raises(RunError, match="cannot be read"):
        find_row_neighbors(profiles_of(rows, spec.n_items, filled=True), 5, checkpoint=checkpoint)


def test_offsets_go_beyond_32_bits(tmp_path: Path) -> None:
    # Arrays of more than 2^31 elements, of which the file system keeps only the last few.
    rows, spec = make_rows(2, n_users=40, n_items=20, density=0.3)
    hole = 2**31 + 5
    arrays = []
    for name, part in (("item", rows.column), ("rating", rows.rating)):
        shape = (hole + rows.n_ratings,)
        array: Any = np.memmap(tmp_path / name, part.dtype, "w+", shape=shape)
        array[hole:] = part
        arrays.append(array)
    mean = np.nanmean(dense_of(rows, spec.n_items), axis=1)
    expected = find_row_neighbors(
        profiles_of(rows, spec.n_items, filled=True), 5, multiply=blas_product
    )
    far = profiles_of(rows, spec.n_items, filled=True)
    shifted = Profiles(
        sparse(rows.indptr + hole, *arrays),
        BaseLevels(mean, far.levels.column),
        far.norms,
        far.terms,
    )
    found = find_neighbors_of(shifted, far, 6)
    np.testing.assert_array_equal(found.index[:, 1:], expected.index)
