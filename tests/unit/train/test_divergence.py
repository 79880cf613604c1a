"""Losses that no useful model has stop a training with advice."""

from __future__ import annotations

import dataclasses
import math

import pytest

from bigrec.errors import RunError
from bigrec.models.options import GradientOptions
from bigrec.rows import DataSpec
from bigrec.train.divergence import check_loss

SPEC = DataSpec(10, 10, 3.5, 1.0, 5.0)
SGD = GradientOptions(learning_rate=0.08)


@pytest.mark.parametrize("rmse", [0.0, 0.9, 4.0, 39.9])
def test_possible_errors_pass(rmse: float) -> None:
    check_loss(rmse**2 * 1000, 1000, SPEC, SGD, 1)


@pytest.mark.parametrize(
    ("squares", "words"),
    [(40.1**2 * 1000, "40.1 stars"), (math.inf, "not a number"), (math.nan, "not a number")],
)
def test_impossible_errors_stop(squares: float, words: str) -> None:
    with pytest.raises(RunError, match=words) as error:
        check_loss(squares, 1000, SPEC, SGD, 3)
    assert "epoch 3" in error.value.message
    assert "--set learning_rate=0.02" in error.value.hint
    assert "dense_learning_rate" not in error.value.hint


def test_advice_names_the_rates_that_are_used() -> None:
    options = GradientOptions(optimizer="adaptive", learning_rate=1.0, dense_learning_rate=0.4)
    with pytest.raises(RunError) as error:
        check_loss(math.nan, 1, SPEC, options, 1)
    assert "--set learning_rate=0.25 --set dense_learning_rate=0.1," in error.value.hint
    options = dataclasses.replace(options, learning_rate=0.0)
    with pytest.raises(RunError) as error:
        check_loss(math.nan, 1, SPEC, options, 1)
    assert "with --set dense_learning_rate=0.1," in error.value.hint
