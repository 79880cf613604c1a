"""EASE holds one matrix of items by items and no second one: child processes of two sizes."""

from __future__ import annotations

from tests.support.peak_memory import peak_bytes

N_ITEMS = (500, 6_000)
ALLOWED_BYTES = 48 << 20

FIT = """
    import numpy as np
    from bigrec.rows import DataSpec, Rows
    from bigrec.models.baseline.bias_fit import fit_biases
    from bigrec.models.contract import FitContext
    from bigrec.models.ease.model import MODEL, EaseOptions
    from bigrec.resources import Budget
    n_users, n_items, each = 20_000, int(sys.argv[1]), 10
    random = np.random.default_rng(0)
    items = np.arange(0, n_items, n_items // each)[:each]
    items = items + random.integers(0, n_items // each, (n_users, each))
    rows = Rows(
        np.arange(0, items.size + 1, each), items.ravel().astype(np.int32),
        np.full(items.size, 5, np.float32),
    )
    spec = DataSpec(n_users, n_items, 5.0, 1.0, 5.0)
    options = EaseOptions(positive=4.0, penalty=10.0)
    biases = fit_biases(rows, spec)
    scorer = MODEL.fit(FitContext(rows, spec, biases, options, budget=Budget(1 << 30, 2)))
    assert np.isfinite(scorer.score_users(np.arange(20))).all()
    reported = scorer.weights.nbytes
"""


def test_the_weights_are_made_in_one_matrix() -> None:
    (small, of_small), (large, of_large) = (peak_bytes(FIT, n_items) for n_items in N_ITEMS)
    assert 0.5 * of_large > ALLOWED_BYTES  # a second matrix would show
    assert large - small < of_large - of_small + ALLOWED_BYTES
