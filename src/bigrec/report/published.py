"""Published test errors, each under the one protocol that it was measured by.

A number is shown only beside runs of the same data and the same protocol: the store has exactly the
ratings and users of the published set, nothing was filtered out, and the test side was drawn in the
same way and size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bigrec.splits.spec import SplitSpec
from bigrec.store.manifest import Manifest

_AUTOREC: Final = "Sedhain et al., AutoRec, WWW 2015"
_SURPRISE: Final = "README of the Surprise library"
_RENDLE: Final = "Rendle, Zhang, Koren, On the Difficulty of Evaluating Baselines, 2019"


@dataclass(frozen=True)
class Protocol:
    """One way of measuring, and what was published under it."""

    n_ratings: int
    n_users: int
    test_fraction: float
    """Of a random split of all ratings."""
    source: str
    """Where the figures stand."""
    note: str
    """How the published protocol differs from a single random split, if it does."""
    rmse: dict[str, float]
    """Test RMSE in stars by model."""


PROTOCOLS: Final = (
    Protocol(
        100_480_507, 480_189, 0.1, _AUTOREC, "means of several random splits",
        {"I-AutoRec": 0.823, "LLORMA": 0.834, "BiasedMF": 0.844, "U-RBM": 0.845},
    ),
    Protocol(
        1_000_209, 6_040, 0.1, _AUTOREC, "means of several random splits",
        {
            "I-AutoRec": 0.831, "LLORMA": 0.833, "BiasedMF": 0.845, "I-RBM": 0.854,
            "U-AutoRec": 0.874,
        },
    ),
    Protocol(
        1_000_209, 6_040, 0.2, _SURPRISE, "means of five folds",
        {
            "SVD++": 0.862, "SVD": 0.873, "kNN baseline": 0.895, "kNN basic": 0.923,
            "kNN centred": 0.929,
        },
    ),
    Protocol(
        100_000, 943, 0.2, _SURPRISE, "means of five folds",
        {
            "SVD++": 0.919, "kNN baseline": 0.931, "SVD": 0.934, "kNN centred": 0.951,
            "kNN basic": 0.98,
        },
    ),
    Protocol(
        10_000_054, 69_878, 0.1, _RENDLE, "means of ten folds",
        {
            "Bayesian timeSVD++ flipped": 0.7485, "Bayesian MF": 0.7633, "tuned SGD MF": 0.7720,
            "BiasedMF as others reported it": 0.803,
        },
    ),
)  # fmt: skip


def find_published(manifest: Manifest, spec: SplitSpec) -> Protocol | None:
    """What was published under the protocol of a split; None if nothing was.

    Args:
        manifest: of the store.
        spec: of the split.
    """
    plain = SplitSpec(test_fraction=spec.test_fraction, seed=spec.seed)
    if spec != plain:
        return None
    for protocol in PROTOCOLS:
        same_data = (protocol.n_ratings, protocol.n_users) == (manifest.n_ratings, manifest.n_users)
        if same_data and abs(protocol.test_fraction - spec.test_fraction) < 1e-9:
            return protocol
    return None
