"""Every model keeps the contract with the error that is right for it; presets and options."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from bigrec.errors import SettingsError
from bigrec.models.baseline.bias import Biases
from bigrec.models.baseline.bias_fit import fit_biases
from bigrec.models.keras_scorer import KerasScorer
from bigrec.models.options import describe_options, override
from bigrec.models.registry import MODELS, find_model, find_preset
from bigrec.rows import DataSpec, Rows
from bigrec.testing.model_contract import ModelContract, RankingModelContract
from tests.support.model_names import RATING_MODELS
from tests.support.rows import make_rows
from tests.support.scorers import make_scorer


class TestCosineKnn(ModelContract):
    model = MODELS["cosine-knn"]
    expected_rmse = (0.880, 0.892)


class TestAutoRec(ModelContract):
    model = MODELS["autorec"]
    expected_rmse = (0.903, 0.916)


class TestMatrixFactorization(ModelContract):
    model = MODELS["matrix-factorization"]
    expected_rmse = (0.866, 0.879)


class TestDnn(ModelContract):
    model = MODELS["dnn"]
    expected_rmse = (0.876, 0.893)


class TestResidual(ModelContract):
    model = MODELS["residual"]
    expected_rmse = (0.866, 0.880)


class TestPopularity(RankingModelContract):
    model = MODELS["popularity"]
    expected_ndcg = (0.302, 0.330)


class TestEase(RankingModelContract):
    model = MODELS["ease"]
    expected_ndcg = (0.292, 0.318)


@pytest.fixture(scope="module")
def data() -> tuple[Rows, DataSpec, Biases]:
    rows, spec = make_rows(1, n_users=50, n_items=20, density=0.3)
    return rows, spec, fit_biases(rows, spec)


@pytest.mark.parametrize("preset", ["notebook", "tuned"])
@pytest.mark.parametrize("name", RATING_MODELS)
def test_a_saved_model_scores_as_before(
    name: str, preset: str, data: tuple[Rows, DataSpec, Biases], tmp_path: Path
) -> None:
    rows, spec, biases = data
    scorer = make_scorer(name, preset, rows, spec, biases)
    model = scorer.keras_model()
    assert model is not None
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    user = np.arange(50, dtype=np.int32)
    item = (user * 7 % 20).astype(np.int32)
    before, _ = KerasScorer(model, rows, spec, biases).score_pairs(user, item)
    after, cold = KerasScorer(loaded, rows, spec, biases).score_pairs(user, item)
    np.testing.assert_array_equal(before, after)
    assert not cold.any()


@pytest.mark.parametrize("name", RATING_MODELS)
def test_unknown_ids_fall_back_and_are_counted(
    name: str, data: tuple[Rows, DataSpec, Biases]
) -> None:
    rows, spec, biases = data
    recommender = make_scorer(name, "tuned", rows, spec, biases)
    user, item = np.array([-1, 2, -1, 2], "i4"), np.array([4, -1, -1, 4], "i4")
    scores, cold = recommender.score_pairs(user, item)
    assert cold.tolist() == [True, True, True, False]
    expected = [biases.mean + biases.item[4], biases.mean + biases.user[2], biases.mean]
    np.testing.assert_allclose(scores[:3], np.clip(expected, 1, 5), rtol=1e-6)


def test_biases_solve_their_ridge_equations(data: tuple[Rows, DataSpec, Biases]) -> None:
    rows, spec, _ = data
    biases = fit_biases(rows, spec)
    user = np.repeat(np.arange(50), rows.lengths())
    # The last half-step fitted the users given the items: check its closed form.
    residual = rows.rating - spec.mean_rating - biases.item[rows.column]
    expected = np.bincount(user, residual, 50) / (rows.lengths() + 5.0)
    np.testing.assert_allclose(biases.user, expected, atol=1e-5)
    # After ten rounds the items' equations hold too.
    residual = rows.rating - spec.mean_rating - biases.user[user]
    count = np.bincount(rows.column, minlength=20)
    expected = np.bincount(rows.column, residual, 20) / (count + 3.0)
    np.testing.assert_allclose(biases.item, expected, atol=1e-3)


def test_errors_agree_with_a_naive_loop(data: tuple[Rows, DataSpec, Biases]) -> None:
    rows, spec, biases = data
    recommender = make_scorer("matrix-factorization", "tuned", rows, spec, biases)
    errors = recommender.errors_on(rows)
    differences = []
    for u in range(50):
        for position in range(rows.indptr[u], rows.indptr[u + 1]):
            pair = np.array([u], "i4"), rows.column[position : position + 1]
            differences.append(float(recommender.score_pairs(*pair)[0][0] - rows.rating[position]))
    assert errors.n == len(differences)
    assert errors.rmse == pytest.approx(np.sqrt(np.mean(np.square(differences))))
    assert errors.mae == pytest.approx(np.mean(np.abs(differences)))


def test_options_are_typed_bounded_and_named() -> None:
    options = find_preset(find_model("dnn"), "tuned")
    changed = override(options, {"embedding_size": "3", "start_from_biases": "false"})
    assert dataclasses.asdict(changed)["embedding_size"] == 3
    assert dataclasses.asdict(changed)["start_from_biases"] is False
    for bad in (
        {"embedding_size": "many"}, {"embedding_size": "3.5"}, {"dropout": "2"},
        {"optimizer": "magic"}, {"learning_rate": "nan"}, {"learning_rate": "inf"},
        {"start_from_biases": "perhaps"}, {"epochs": ""},
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            override(options, bad)
    with pytest.raises(SettingsError) as error:
        override(options, {"learning_rat": "1"})
    assert "learning_rate" in error.value.hint
    with pytest.raises(SettingsError) as error:
        find_model("residul")
    assert "residual" in error.value.hint
    with pytest.raises(SettingsError, match="unknown preset"):
        find_preset(find_model("dnn"), "best")


@pytest.mark.parametrize("name", MODELS)
def test_every_option_is_described_by_its_source(name: str) -> None:
    presets = MODELS[name].presets
    described = {option.name: option for option in describe_options(presets)}
    cls = type(presets["tuned"])
    assert list(described) == [field.name for field in dataclasses.fields(cls)]
    for option in described.values():
        assert option.meaning.endswith("."), option
        assert option.type in ("int", "float", "bool", "str")
        for preset, value in option.presets.items():
            # What is shown can be given back.
            again = override(presets[preset], {option.name: str(value)})
            assert again == presets[preset]


def test_descriptions_agree_with_a_class_known_by_heart() -> None:
    described = {option.name: option for option in describe_options(MODELS["residual"].presets)}
    assert described["dropout"].bounds == "between 0 and 0.95"
    assert described["optimizer"].bounds == "one of sgd, adaptive"
    assert described["epochs"].type == "int"
    assert described["bias_l2"].meaning == "L2 penalty on the trained biases of a batch."
