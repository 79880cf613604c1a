"""The one door to trained runs: a store, its split and a run, opened for whoever asks.

What is costly to open is kept: the model, what compares items, titles, and the subsets of the
split, which are memory-mapped. Answers have `to_json`, or are summaries, whose fields are their
JSON form. Nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.measures import RANKING_OBJECTIVE
from bigrec.models.threads import limit_computing
from bigrec.resources import SILENT, Budget, Progress
from bigrec.runs import RunDirectory, open_run
from bigrec.splits.shards import ready_days, ready_shards
from bigrec.store.catalog import Catalog, open_catalog
from bigrec.thread_limits import limit_blas

# What answers one question only is imported where it is asked: some of it loads a compiler.
if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from bigrec.evaluate.evaluation import Evaluation
    from bigrec.models.baseline.bias import Biases
    from bigrec.models.scoring import Errors, Scorer
    from bigrec.models.similarity import ItemSimilarity
    from bigrec.recommend.answers import PersonList, SimilarList, UserList
    from bigrec.recommend.choice import Choice
    from bigrec.recommend.export import ExportSummary
    from bigrec.recommend.items import Items
    from bigrec.recommend.predict import PredictSummary
    from bigrec.recommend.top_lists import TopListsSummary
    from bigrec.store.vocabulary import Key

ShowProgress = Callable[[], AbstractContextManager[Progress]]
"""Opens a display of progress, once there is something to show."""

NO_PROGRESS: Final[ShowProgress] = lambda: nullcontext(SILENT)  # noqa: E731 - it has a type


def nothing() -> None:
    """Do nothing."""


def open_data(
    catalog: Catalog,
    split: str,
    *,
    with_days: bool = False,
    budget: Budget | None = None,
    show_progress: ShowProgress = NO_PROGRESS,
) -> TrainingData:
    """Open a split for training or testing; what is missing of its shards is made.

    Args:
        catalog: the store.
        split: its name.
        with_days: whether the days of the ratings are needed too.
        budget: threads and memory, to make what is missing.
        show_progress: called if something is made.

    Raises:
        SplitError: there is no such split.
        StoreError: its shards are damaged.
    """
    shards = ready_shards(catalog, split)
    if shards is None or (with_days and not ready_days(shards)):
        # What makes shards loads a compiler, which takes longer than an answer from factors.
        from bigrec.splits.materialize import materialize_split
        from bigrec.splits.splits import open_split

        saved = open_split(catalog, split)
        with show_progress() as progress:
            shards = materialize_split(saved, with_days=with_days, budget=budget, progress=progress)
    return open_training_data(shards)


@dataclass(frozen=True)
class OpenedRun:
    """A run with its split and store, and what is costly of them, loaded on first use."""

    directory: RunDirectory
    data: TrainingData
    """The split, with days if the run needs them."""
    catalog: Catalog
    budget: Budget
    """Threads and memory of whatever is asked of the run."""
    before_keras: Callable[[], None] = nothing
    """Called before Keras is loaded, in case the model needs it."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @cached_property
    def scorer(self) -> Scorer:
        """The trained model.

        Raises:
            RunError: it cannot be read, or a component of a blend is missing or another.
        """
        self._prepare(self.directory.needs_keras)
        scorer = self.directory.recommender(self.data)
        scorer.use_threads(self.budget.threads)
        return scorer

    def _prepare(self, keras: bool) -> None:
        """Tell libraries of the budget, and load Keras where it is needed."""
        if keras:
            self.before_keras()
        limit_computing(self.budget.threads, tensorflow=keras)

    @cached_property
    def similarity(self) -> ItemSimilarity:
        """What compares items as the model does."""
        limit_blas(self.budget.threads)
        return self.directory.similarity(self.data)

    @cached_property
    def biases(self) -> Biases:
        """The bias model of the split's train subset."""
        return self.directory.biases()

    @cached_property
    def items(self) -> Items:
        """The items of the split with their titles."""
        from bigrec.recommend.items import read_items

        return read_items(self.catalog, self.data)

    def _popularity(self, choice: Choice | None) -> np.ndarray[Any, Any] | None:
        """Train ratings of each item that is chosen, 0 for others; None without a choice."""
        if choice is None:
            return None
        from bigrec.recommend.choice import choose_items

        return choose_items(
            choice, self.biases.item_count, self.data, self.catalog, budget=self.budget
        )

    def recommend(
        self, user_id: Key, *, top: int = 10, explain: bool = False, choice: Choice | None = None
    ) -> UserList:
        """The unseen items with the highest scores for a user of the data.

        Args:
            user_id: as in the source, a text where the store keeps keys.
            top: length of the list; cut to the number of items.
            explain: whether to say why (see bigrec.recommend.explain).
            choice: which items the list may hold; None for any.

        Raises:
            BigrecError: the choice cannot be made, or leaves no item (see `choose_items`).
            SettingsError: `top` is no length.
            RunError: the user has no train rating, or the model gives scores that are no numbers.
        """
        from bigrec.recommend.answers import UserList
        from bigrec.recommend.recommend import recommend_items

        popularity = self._popularity(choice)
        found = recommend_items(
            self.scorer, self.data, self.catalog, user_id,
            top=top, similarity=self.similarity if explain else None, items=self.items,
            popularity=popularity,
        )  # fmt: skip
        key = str(user_id) if self.catalog.manifest.user_keys else user_id
        return UserList(key, tuple(found), explain)

    def recommend_to_person(
        self,
        ratings: Path | Mapping[Key, float],
        *,
        top: int = 10,
        explain: bool = False,
        choice: Choice | None = None,
    ) -> PersonList:
        """The items with the highest scores for a person who is not in the data.

        Args:
            ratings: a csv file with item_id or title, and rating; or stars by id or title.
            top: length of the list; cut to the number of items.
            explain: whether to say why.
            choice: which items the list may hold; None for any.

        Raises:
            BigrecError: the choice cannot be made, or leaves no item (see `choose_items`).
            SettingsError: `top` is no length.
            DataError: the ratings cannot be used (see bigrec.recommend.person).
            RunError: the model cannot score a person whom it was not trained on.
        """
        from bigrec.recommend.answers import PersonList
        from bigrec.recommend.person import person_of, read_person
        from bigrec.recommend.recommend import recommend_to_person

        if isinstance(ratings, Path):
            person = read_person(
                ratings, self.items, self.data.spec, item_name=self.catalog.manifest.item_name
            )
        else:
            person = person_of(ratings, self.items, self.data.spec)
        popularity = self._popularity(choice)
        found = recommend_to_person(
            self.scorer, self.items, person,
            top=top, similarity=self.similarity if explain else None, popularity=popularity,
        )  # fmt: skip
        source = str(ratings) if isinstance(ratings, Path) else None
        n_ratings = len(person.rating)
        return PersonList(source, n_ratings, person.left_out, tuple(found), explain)

    def recommend_to_all(
        self,
        output: Path,
        *,
        top: int = 10,
        choice: Choice | None = None,
        progress: Progress = SILENT,
    ) -> TopListsSummary:
        """Write the list of every user of the split to a .parquet file; see `write_top_lists`.

        Args:
            output: the file.
            top: length of a list; cut to the number of items.
            choice: which items the lists may hold; None for any.
            progress: told of finished users.

        Raises:
            BigrecError: the choice cannot be made, or leaves no item (see `choose_items`).
        """
        from bigrec.recommend.top_lists import write_top_lists

        popularity = self._popularity(choice)
        return write_top_lists(
            self.scorer, self.data, self.catalog, output,
            top=top, items=self.items, popularity=popularity, budget=self.budget,
            progress=progress,
        )  # fmt: skip

    def similar(self, item: Key, *, top: int = 10, min_ratings: int = 20) -> SimilarList:
        """The items nearest to one item.

        Args:
            item: its key, its title or a part of it (see `Items.find`).
            top: length of the list; cut to the number of items.
            min_ratings: train ratings that a listed item needs.

        Raises:
            SettingsError: `top` is no length.
            DataError: no item fits or several do, or the item has no train rating.
        """
        from bigrec.recommend.answers import SimilarList
        from bigrec.recommend.similar import similar_items

        items = self.items
        position = items.require(str(item))
        nearest = similar_items(
            self.similarity, items, self.biases, position, top=top, min_ratings=min_ratings
        )
        return SimilarList(
            items.key(position), items.titles[position], items.years[position], tuple(nearest),
            items.name(position),
        )  # fmt: skip

    def score(self, pairs: Path | pl.DataFrame) -> pl.DataFrame:
        """Score pairs: user_id, item_id, score and is_fallback, in their order.

        Args:
            pairs: user_id, item_id and perhaps date: a csv or Parquet file, or a frame.

        Raises:
            DataError: they lack a column or a value, or hold something that is no id or date.
            RunError: the model gives scores that are no numbers.
        """
        from bigrec.recommend.predict import score_frame

        return score_frame(self.scorer, self.data, self.catalog, self._read(pairs))

    def _read(self, pairs: Path | pl.DataFrame) -> pl.DataFrame:
        from bigrec.recommend.pairs import open_pairs

        return open_pairs(pairs, self.catalog, with_dates=self.directory.needs_days)

    def predict(self, pairs: Path | pl.DataFrame, output: Path) -> PredictSummary:
        """Write a score for every pair; see `predict_pairs`.

        Args:
            pairs: as in `score`.
            output: ends in .csv, .parquet or .txt.
        """
        from bigrec.recommend.predict import predict_pairs

        return predict_pairs(self.scorer, self.data, self.catalog, self._read(pairs), output)

    def predict_probe(self, output: Path | None = None) -> PredictSummary:
        """Score the official probe, and measure the RMSE; see bigrec.recommend.predict."""
        from bigrec.recommend.predict import predict_probe

        return predict_probe(self.scorer, self.data, self.catalog, output)

    def predict_qualifying(self, output: Path) -> PredictSummary:
        """Write a score for every pair of the qualifying set."""
        from bigrec.recommend.predict import with_keys

        pairs = with_keys(self.catalog, self.catalog.qualifying().collect())
        return self.predict(pairs, output)

    @cached_property
    def test_errors(self) -> Errors | None:
        """Errors of the scores in the test subset; None for a model that ranks."""
        if self.directory.config.objective == RANKING_OBJECTIVE:
            return None
        return self.scorer.errors_on(self.data.test)

    def evaluate(
        self,
        *,
        top: int = 10,
        relevant: float | None = None,
        n_users: int | None = None,
        seed: int = 0,
        progress: Progress = SILENT,
    ) -> Evaluation:
        """Measure the run in the test subset: errors of its scores, and lists of unseen items.

        Arguments are those of `measure_lists`.

        Raises:
            SettingsError: one of them cannot be.
            RunError: no user has a relevant item, or the model gives scores that are no numbers.
        """
        from bigrec.evaluate.evaluation import Evaluation
        from bigrec.evaluate.ranking import check_options, measure_lists

        check_options(relevant, n_users, seed)
        lists = measure_lists(
            self.name, self.scorer, self.data,
            top=top, relevant=relevant, n_users=n_users, seed=seed, budget=self.budget,
            progress=progress,
        )  # fmt: skip
        return Evaluation(self.name, self.test_errors, lists)

    def export(
        self, output: Path, *, kind: str = "saved-model", overwrite: bool = False
    ) -> ExportSummary:
        """Write the model to a folder, for use elsewhere; see `export_run`."""
        self.before_keras()
        # TensorFlow would write its number of threads into the file, for wherever it is used.
        limit_computing(self.budget.threads, tensorflow=False)
        from bigrec.recommend.export import export_run

        return export_run(
            self.directory, self.data, self.catalog, output, kind=kind, overwrite=overwrite
        )


def open_trained(
    store: Path,
    runs: Path,
    name: str,
    *,
    budget: Budget | None = None,
    show_progress: ShowProgress = NO_PROGRESS,
    before_keras: Callable[[], None] = nothing,
) -> OpenedRun:
    """Open a run with its split and store.

    Args:
        store: the store's folder.
        runs: the folder of runs.
        name: of the run.
        budget: threads and memory of whatever is asked of the run.
        show_progress: called if the split has to be materialized.
        before_keras: called before Keras is loaded, in case the model needs it.

    Raises:
        StoreError: there is no store, or it cannot be read.
        RunError: there is no such run, or its split has changed.
    """
    directory = open_run(runs, name)
    catalog = open_catalog(store)
    budget = budget or Budget()
    data = open_data(
        catalog, directory.config.split.name,
        with_days=directory.needs_days, budget=budget, show_progress=show_progress,
    )  # fmt: skip
    directory.check_split(data)
    return OpenedRun(directory, data, catalog, budget, before_keras)
