"""The contract of models on all of bigrec's own, each with the error that is right for it."""

from __future__ import annotations

from bigrec.models.registry import MODELS
from bigrec.testing.model_contract import ModelContract


class TestCosineKnn(ModelContract):
    model = MODELS["cosine-knn"]
    expected_rmse = (0, 9)


class TestAutoRec(ModelContract):
    model = MODELS["autorec"]
    expected_rmse = (0, 9)


class TestMatrixFactorization(ModelContract):
    model = MODELS["matrix-factorization"]
    expected_rmse = (0, 9)


class TestDnn(ModelContract):
    model = MODELS["dnn"]
    expected_rmse = (0, 9)


class TestResidual(ModelContract):
    model = MODELS["residual"]
    expected_rmse = (0, 9)
