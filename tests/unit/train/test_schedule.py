"""Step sizes by epoch, against values worked out by hand."""

from __future__ import annotations

import pytest

from bigrec.models.options import GradientOptions
from bigrec.train.schedule import learning_rate_factor


def factors(options: GradientOptions) -> list[float]:
    return [learning_rate_factor(options, epoch) for epoch in range(1, options.epochs + 1)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (GradientOptions(epochs=3), [1, 1, 1]),
        (GradientOptions(epochs=4, schedule="exponential", decay=0.5), [1, 0.5, 0.25, 0.125]),
        (GradientOptions(epochs=4, schedule="cosine"), [1, 0.853553, 0.5, 0.146447]),
        (GradientOptions(epochs=4, warmup=2), [1 / 3, 2 / 3, 1, 1]),
        (
            GradientOptions(epochs=5, warmup=3, schedule="exponential", decay=0.1),
            [0.25, 0.5, 0.75, 1, 0.1],
        ),
        (GradientOptions(epochs=3, warmup=1, schedule="cosine"), [0.5, 1, 0.5]),
        (GradientOptions(epochs=2, warmup=3, schedule="cosine"), [0.25, 0.5]),
        (GradientOptions(epochs=1, schedule="cosine"), [1]),
    ],
)
def test_factors_by_epoch(options: GradientOptions, expected: list[float]) -> None:
    assert factors(options) == pytest.approx(expected, abs=1e-6)
