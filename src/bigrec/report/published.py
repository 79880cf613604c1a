"""Published test errors, each under the one protocol that it was measured by.

A number is shown only beside runs of the same data and the same protocol: the store has exactly the
ratings and users of the published set, nothing was filtered out, and the test subset was drawn in
the same way and size.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from bigrec.splits.spec import SplitSpec
from bigrec.store.manifest import Manifest

_AUTOREC: Final = "Sedhain et al., AutoRec, WWW 2015"
_SURPRISE: Final = "README of the Surprise library"
_RENDLE: Final = "Rendle, Zhang, Koren, On the Difficulty of Evaluating Baselines, 2019"
_PRIZE: Final = "Netflix Prize, RMSE on the probe"
_KUCHAIEV: Final = "Kuchaiev and Ginsburg, Training Deep AutoEncoders, 2017"

_NETFLIX: Final = (100_480_507, 480_189)
_MOVIELENS_100K: Final = (100_000, 943)
_MOVIELENS_1M: Final = (1_000_209, 6_040)
_MOVIELENS_10M: Final = (10_000_054, 69_878)

_TENTH: Final = (SplitSpec(test_fraction=0.1), SplitSpec(method="folds", folds=10, fold=1))
_FIFTH: Final = (SplitSpec(test_fraction=0.2), SplitSpec(method="folds", folds=5, fold=1))
_PROBE: Final = (SplitSpec(method="probe"),)
_DECEMBER: Final = (SplitSpec(method="temporal", test_from="2005-12-01"),)


@dataclass(frozen=True)
class Protocol:
    """One way of measuring, and what was published under it."""

    data: tuple[int, int]
    """Ratings and users of the data."""
    specs: tuple[SplitSpec, ...]
    """The splits that follow it, of any seed and with any fold as the test subset."""
    source: str
    """Where the figures stand."""
    note: str
    """How they were averaged."""
    rmse: dict[str, float]
    """Test RMSE in stars by model."""


PROTOCOLS: Final = (
    Protocol(
        _NETFLIX, _TENTH, _AUTOREC, "means of random splits",
        {"I-AutoRec": 0.823, "LLORMA": 0.834, "BiasedMF": 0.844, "U-RBM": 0.845},
    ),
    Protocol(
        _NETFLIX, _PROBE, _PRIZE, "one fixed test subset",
        {"constrained PMF": 0.902, "plain SVD": 0.926},
    ),
    Protocol(_NETFLIX, _DECEMBER, _KUCHAIEV, "one fixed test subset", {"DeepRecommender": 0.9099}),
    Protocol(
        _MOVIELENS_1M, _TENTH, _AUTOREC, "means of random splits",
        {
            "I-AutoRec": 0.831, "LLORMA": 0.833, "BiasedMF": 0.845, "I-RBM": 0.854,
            "U-AutoRec": 0.874,
        },
    ),
    Protocol(
        _MOVIELENS_1M, _FIFTH, _SURPRISE, "means of five folds",
        {
            "SVD++": 0.862, "SVD": 0.873, "kNN baseline": 0.895, "kNN basic": 0.923,
            "kNN centred": 0.929,
        },
    ),
    Protocol(
        _MOVIELENS_100K, _FIFTH, _SURPRISE, "means of five folds",
        {
            "SVD++": 0.919, "kNN baseline": 0.931, "SVD": 0.934, "kNN centred": 0.951,
            "kNN basic": 0.98,
        },
    ),
    Protocol(
        _MOVIELENS_10M, _TENTH, _RENDLE, "means of ten folds",
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
    any_draw = dataclasses.replace(spec, seed=0, fold=min(spec.fold, 1))
    for protocol in PROTOCOLS:
        if protocol.data == (manifest.n_ratings, manifest.n_users) and any_draw in protocol.specs:
            return protocol
    return None
