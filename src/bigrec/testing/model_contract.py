"""What every model must do, as tests: subclass ModelContract, and pytest runs them.

class TestMine(ModelContract):
    model = MODEL
    expected_rmse = (0.93, 0.95)

A model that ranks has RankingModelContract, with `expected_ndcg`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.errors import RunError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.measures import RANKING_OBJECTIVE, RATING_OBJECTIVE
from bigrec.models.contract import Model
from bigrec.models.list_measures import measure_quality
from bigrec.models.options import ModelOptions, describe_options, override
from bigrec.models.registry import find_model, find_preset, model_names, register_model
from bigrec.models.scoring import Scorer
from bigrec.resources import Budget
from bigrec.runs import RunDirectory, open_run
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.store.catalog import open_catalog
from bigrec.synthetic import write_synthetic
from bigrec.train.train import train_model

Array = np.ndarray[Any, Any]

N_RATINGS = 30_000
_N_USERS = 40
_CLOSE = 1e-4
"""Stars by which two ways to the same score may differ: they add in another order."""


def open_small_split(folder: Path) -> TrainingData:
    """The split that the suite trains on: 30,000 synthetic ratings, the same on every machine.

    Args:
        folder: where it is made, if it is not there.
    """
    if not (folder / "store").exists():
        write_synthetic(folder / "raw", n_ratings=N_RATINGS, seed=11)
        ingest_ratings(folder / "raw", folder / "store")
    spec = SplitSpec(min_item_ratings=5, min_user_ratings=5, validation_fraction=0.1)
    split = create_split(open_catalog(folder / "store"), "small", spec)
    return open_training_data(materialize_split(split))


class AnyModelContract:
    """Tests of one model on a small split, whatever it learns to do."""

    model: ClassVar[Model]
    """What is tested."""
    preset: ClassVar[str] = "tuned"
    """The options that it is tested with."""
    options: ClassVar[Mapping[str, object]] = {}
    """What of them is otherwise here, by name."""
    objective: ClassVar[str]
    """What it must learn to do."""

    @pytest.fixture(scope="class")
    @classmethod
    def data(cls, tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
        """The split."""
        return open_small_split(tmp_path_factory.getbasetemp() / "bigrec-model-contract")

    @pytest.fixture(scope="class")
    @classmethod
    def chosen(cls) -> ModelOptions:
        """The hyper-parameters; by then the model is registered."""
        if cls.model.name not in model_names() or find_model(cls.model.name) is not cls.model:
            register_model(cls.model)
        changes = {name: str(value) for name, value in cls.options.items()}
        return override(find_preset(cls.model, cls.preset), changes)

    @pytest.fixture(scope="class")
    @classmethod
    def run(
        cls, data: TrainingData, chosen: ModelOptions, tmp_path_factory: pytest.TempPathFactory
    ) -> RunDirectory:
        """A run of the model, opened after it was saved."""
        return cls._train(data, chosen, tmp_path_factory.mktemp("runs"))

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls, data: TrainingData, run: RunDirectory) -> Scorer:
        """What was saved, loaded."""
        return run.recommender(data)

    def test_it_says_what_it_is(self, chosen: ModelOptions) -> None:
        """Its name, its presets, its options and what each of them means."""
        model = self.model
        assert model.title
        assert model.presets
        assert model.objectives == (self.objective,)
        assert {type(options) for options in model.presets.values()} == {model.options_class}
        assert isinstance(chosen, model.options_class)
        described = describe_options(model.presets)
        assert [option.name for option in described] == [
            field.name for field in dataclasses.fields(model.options_class)
        ]
        for option in described:
            assert option.meaning, f"{option.name} has no docstring under it"

    def test_the_same_seed_gives_the_same_scores(
        self, data: TrainingData, chosen: ModelOptions, scorer: Scorer, tmp_path: Path
    ) -> None:
        """Training is a function of the data, the options and the seed."""
        other = self._train(data, chosen, tmp_path).recommender(data)
        np.testing.assert_array_equal(_some_scores(other, data), _some_scores(scorer, data))

    def test_scores_of_pairs_do_not_depend_on_their_neighbors(
        self, data: TrainingData, scorer: Scorer
    ) -> None:
        """In any order, and alone."""
        user, item = _warm_pairs(scorer, data)
        order = np.random.default_rng(0).permutation(len(user))[:500]
        expected = scorer.score_warm_pairs(user, item)
        assert expected.shape == user.shape
        shuffled = scorer.score_warm_pairs(user[order], item[order])
        np.testing.assert_allclose(shuffled, expected[order], atol=_CLOSE)
        alone = scorer.score_warm_pairs(user[7:8], item[7:8])
        np.testing.assert_allclose(alone, expected[7:8], atol=_CLOSE)

    def test_scores_of_whole_users_are_those_of_pairs(
        self, data: TrainingData, scorer: Scorer
    ) -> None:
        """So that lists are ranked by what the errors are measured of."""
        users = np.array([0, min(5, data.spec.n_users - 1)], np.int32)
        whole = scorer.score_users(users)
        assert whole.shape == (2, data.spec.n_items)
        assert np.isfinite(whole).all()
        items = np.flatnonzero(scorer.biases.item_count > 0).astype(np.int32)
        for position, user in enumerate(users.tolist()):
            pairs = scorer.score_warm_pairs(np.full(len(items), user, np.int32), items)
            np.testing.assert_allclose(whole[position, items], pairs, atol=_CLOSE)

    def test_a_new_person_is_scored_or_refused(self, data: TrainingData, scorer: Scorer) -> None:
        """With as many finite scores as there are items, or by an error that says why."""
        item, rating = np.array([1, 3], np.int32), np.array([4, 2], np.float32)
        try:
            scores = scorer.fold_in(item, rating)
        except RunError:
            pass
        else:
            assert scores.shape == (data.spec.n_items,)
            assert np.isfinite(scores).all()

    def test_items_can_be_compared(self, data: TrainingData, run: RunDirectory) -> None:
        """By a finite similarity of an item to every item."""
        compared = run.similarity(data).compare(2)
        assert compared.shape == (data.spec.n_items,)
        assert np.isfinite(compared).all()

    def test_its_graph_scores_as_it_does(self, data: TrainingData, scorer: Scorer) -> None:
        """If it has one: what is exported is what was measured."""
        graph = scorer.graph()
        if graph is None:
            pytest.skip("it gives no TensorFlow graph")
        user, item = (indices[:300] for indices in _warm_pairs(scorer, data))
        np.testing.assert_allclose(
            graph(user, item).numpy(), scorer.score_warm_pairs(user, item), atol=_CLOSE
        )

    @classmethod
    def _train(cls, data: TrainingData, chosen: ModelOptions, runs: Path) -> RunDirectory:
        train_model(data, cls.model.name, chosen, preset=cls.preset, runs=runs, run="r", seed=3)
        return open_run(runs, "r")


class ModelContract(AnyModelContract):
    """Tests of one model that learns to tell ratings."""

    objective = RATING_OBJECTIVE
    expected_rmse: ClassVar[tuple[float, float]]
    """Lowest and highest RMSE in the test subset that is right, in stars: a model that has become
    worse fails, and so does one that is better than it can be. The noise in the data is 0.74, and
    the bias model reaches 0.905."""

    def test_its_error_is_the_expected_one(self, run: RunDirectory) -> None:
        """Neither worse than it was, nor too good to be true."""
        lowest, highest = self.expected_rmse
        assert lowest <= run.metrics.test["rmse"] <= highest

    def test_scores_are_finite_and_on_the_scale(self, data: TrainingData, scorer: Scorer) -> None:
        """For every user and item, known or not."""
        users = np.arange(-1, min(data.spec.n_users, _N_USERS), dtype=np.int32)
        items = np.arange(-1, data.spec.n_items, dtype=np.int32)
        scores, is_fallback = scorer.score_pairs(
            np.repeat(users, len(items)), np.tile(items, len(users))
        )
        assert np.isfinite(scores).all()
        assert scores.min() >= data.spec.min_rating
        assert scores.max() <= data.spec.max_rating
        assert is_fallback[: len(items)].all()  # nobody knows the first user

    def test_a_saved_model_scores_as_it_was_measured(
        self, data: TrainingData, run: RunDirectory, scorer: Scorer
    ) -> None:
        """All errors of the loaded scorer are those of the scorer that was saved."""
        again = scorer.errors_on(data.test).test_record()
        for name, value in again.items():
            assert getattr(run.metrics, name) == _nearly(value), name


class RankingModelContract(AnyModelContract):
    """Tests of one model that learns to rank."""

    objective = RANKING_OBJECTIVE
    expected_ndcg: ClassVar[tuple[float, float]]
    """Lowest and highest NDCG@10 in the test subset that is right."""

    def test_its_lists_are_as_good_as_expected(self, run: RunDirectory) -> None:
        """Neither worse than they were, nor too good to be true."""
        lowest, highest = self.expected_ndcg
        assert run.metrics.primary == "ndcg@10"
        assert lowest <= run.metrics.value <= highest

    def test_lists_of_a_saved_model_are_as_they_were_measured(
        self, data: TrainingData, run: RunDirectory, scorer: Scorer
    ) -> None:
        """In the test subset, with all that was rated before left out."""
        assert data.validation is not None
        again = measure_quality(
            scorer, data.test, [data.train, data.validation], name="test", budget=Budget()
        )
        for name, value in again.test_record().items():
            assert getattr(run.metrics, name) == _nearly(value), name

    def test_what_it_learned_from_is_kept(self, data: TrainingData, run: RunDirectory) -> None:
        """As a number, also where nobody named one."""
        assert run.config.options["positive"] == data.spec.relevant

    def test_it_tells_no_ratings(self, data: TrainingData, scorer: Scorer) -> None:
        """And says so."""
        with pytest.raises(RunError, match="this run ranks"):
            scorer.score_pairs(np.zeros(1, np.int32), np.zeros(1, np.int32))
        with pytest.raises(RunError, match="this run ranks"):
            scorer.errors_on(data.test)


def _warm_pairs(scorer: Scorer, data: TrainingData) -> tuple[Array, Array]:
    """Pairs of the test subset whose user and item have train rows: (n,) int32 each."""
    user, item, _, _ = next(iter(data.test.pair_chunks(1 << 20)))
    warm = ~scorer.biases.is_cold(user, item)
    return user[warm].astype(np.int32), item[warm].astype(np.int32)


def _some_scores(scorer: Scorer, data: TrainingData) -> Array:
    """Scores of the warm pairs of the test subset."""
    return scorer.score_warm_pairs(*_warm_pairs(scorer, data))


def _nearly(value: Any) -> Any:
    """The same numbers, but for how they were added."""
    if isinstance(value, tuple):
        return tuple(_nearly(one) for one in value)
    if isinstance(value, dict):
        return {name: _nearly(one) for name, one in value.items()}
    return pytest.approx(value, abs=_CLOSE) if isinstance(value, float) else value
