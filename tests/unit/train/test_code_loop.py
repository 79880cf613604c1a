"""The one-layer AutoRec's step and codes by their formulas, and that it learns in both bases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bigrec.datasets.user_rows import RowFeed
from bigrec.models.autorec.model import PRESETS, AutoRecOptions
from bigrec.models.autorec.network import build, codes_and_decoder
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.keras_scorer import KerasScorer
from bigrec.models.options import override
from bigrec.rows import ITEM_INDEX, RATING, ROW_LENGTHS, USER_INDEX, Rows
from bigrec.train.code_loop import CodeLoop
from tests.support.rows import make_rows


def make_loop(basis: str) -> tuple[Any, Rows, Any, Any]:
    rows, spec = make_rows(5, n_users=40, n_items=15, density=0.3)
    biases = fit_biases(rows, spec)
    settings = {"basis": basis, "first_units": "8", "row_l2": "0.1", "learning_rate": "0.3"}
    options: AutoRecOptions = override(PRESETS["tuned"], settings)
    model = build(spec, options, biases)
    by_row = rows.transposed(spec.n_items) if basis == "item" else rows
    loop = CodeLoop(model, options, by_row, biases)
    return loop, by_row, (model, options), (rows, spec, biases)


@pytest.mark.parametrize("basis", ["user", "item"])
def test_codes_are_those_of_the_formula(basis: str) -> None:
    loop, by_row, (model, options), (_, _, biases) = make_loop(basis)
    feed = RowFeed(by_row, batch_size=4, seed=0)
    for block in feed.blocks(1):
        loop.train_block(block)
    loop.end_epoch()
    residual_weights, presence_weights, _, _, hidden_bias = (v.numpy() for v in loop.variables[:5])
    bases = (biases.item, biases.user) if basis == "item" else (biases.user, biases.item)
    codes = codes_and_decoder(model, options)[0].numpy()
    for row in range(by_row.n_rows):
        columns = by_row.column[by_row.indptr[row] : by_row.indptr[row + 1]]
        ratings = by_row.rating[by_row.indptr[row] : by_row.indptr[row + 1]]
        residual = ratings - biases.mean - bases[0][row] - bases[1][columns]
        presence = options.presence / np.sqrt(max(len(columns), 1))
        sums = residual @ residual_weights[columns]
        sums += presence * presence_weights[columns].sum(axis=0) + hidden_bias
        np.testing.assert_allclose(codes[row], 1 / (1 + np.exp(-sums)), atol=1e-5)


@pytest.mark.parametrize("basis", ["user", "item"])
def test_a_step_is_that_of_the_formula(basis: str) -> None:
    loop, by_row, (_, options), (_, spec, biases) = make_loop(basis)
    block = next(iter(RowFeed(by_row, batch_size=4, seed=0).arrays(1)))
    n_columns = spec.n_users if basis == "item" else spec.n_items
    bases = (biases.item, biases.user) if basis == "item" else (biases.user, biases.item)
    w, m, v, d, b = (tf.Variable(variable) for variable in loop.variables[:5])
    counts = np.bincount(by_row.column, minlength=n_columns)
    squares, penalty = 0.0, 0.0
    with tf.GradientTape() as tape:
        ends = np.cumsum(block[ROW_LENGTHS])
        for row, start, stop in zip(
            block[USER_INDEX], [0, *ends], ends, strict=False
        ):  # fmt: skip
            columns, rating = block[ITEM_INDEX][start:stop], block[RATING][start:stop]
            residual = rating - biases.mean - bases[0][row] - bases[1][columns]
            inputs = tf.gather(w, columns) * residual[:, None]
            inputs += tf.gather(m, columns) * options.presence / np.sqrt(stop - start)
            code = tf.sigmoid(b + tf.reduce_sum(inputs, axis=0))
            scores = tf.linalg.matvec(tf.gather(v, columns), code) + tf.gather(d[:, 0], columns)
            squares += tf.reduce_sum(tf.square(scores - residual))
            for column in columns:
                l2 = options.row_l2 * counts[column] ** -options.row_l2_power
                norms = (w[column] ** 2, options.presence_l2 * m[column] ** 2, v[column] ** 2)
                penalty += l2 * tf.reduce_sum(tf.add_n(norms))
                penalty += options.bias_l2 * d[column, 0] ** 2
        loss = (squares + penalty) / 2
    expected = []
    for variable, gradient in zip(
        (w, m, v, d, b), tape.gradient(loss, (w, m, v, d, b)), strict=True
    ):
        g = tf.convert_to_tensor(gradient).numpy()
        expected.append(variable.numpy() - options.learning_rate * g / (np.abs(g) + 0.1))
    found, n_rows = loop.train_block({name: tf.constant(values) for name, values in block.items()})
    assert n_rows == block[ROW_LENGTHS].sum()
    assert found == pytest.approx(float(squares), rel=1e-5)
    for variable, value in zip(loop.variables[:5], expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, atol=1e-5)


@pytest.mark.parametrize("basis", ["user", "item"])
def test_it_fits_its_train_subset(basis: str) -> None:
    loop, by_row, (model, _), (rows, spec, biases) = make_loop(basis)
    before = KerasScorer(model, rows, spec, biases).errors_on(rows)
    feed = RowFeed(by_row, batch_size=4, seed=0)
    for epoch in range(1, 13):
        if epoch > 1:
            loop.between_epochs()
        squares = sum(loop.train_block(block)[0] for block in feed.blocks(epoch))
    loop.end_epoch()
    after = KerasScorer(model, rows, spec, biases).errors_on(rows)
    assert squares / rows.n_ratings < 0.8 * before.rmse**2
    assert after.rmse < 0.9 * before.rmse


def test_transposed_rows_hold_the_same_ratings() -> None:
    rows, spec = make_rows(6, n_users=12, n_items=7, density=0.4)
    dense = np.zeros((12, 7))
    dense[np.repeat(np.arange(12), rows.lengths()), rows.column] = rows.rating
    by_item = rows.transposed(spec.n_items)
    again = np.zeros((7, 12))
    again[np.repeat(np.arange(7), by_item.lengths()), by_item.column] = by_item.rating
    np.testing.assert_array_equal(again, dense.T)
