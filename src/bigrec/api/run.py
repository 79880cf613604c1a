"""A trained run, from Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from bigrec.api.arguments import as_path, check_types
from bigrec.errors import SettingsError
from bigrec.opened import OpenedRun
from bigrec.resources import SILENT, Progress
from bigrec.runs import RunDirectory

if TYPE_CHECKING:
    from bigrec.api.split import Split
    from bigrec.evaluate.evaluation import Evaluation
    from bigrec.models.scoring import Scorer
    from bigrec.recommend.answers import PersonList, SimilarList, UserList
    from bigrec.recommend.choice import Choice
    from bigrec.recommend.export import ExportSummary
    from bigrec.recommend.predict import PredictSummary
    from bigrec.recommend.top_lists import TopListsSummary
    from bigrec.store.vocabulary import Key


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run.

    The model, titles and what compares items are loaded on first use and kept. Answers have the
    fields that the commands print with --json: `to_json()` of lists, the fields of summaries.
    """

    directory: RunDirectory
    """Its files: config, metrics, history."""
    split: Split
    """What it was trained on."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @property
    def test(self) -> Mapping[str, float]:
        """Measures in the test subset, by the names of bigrec.measures.

        Of a rating model rmse and mae, in stars, of scores clipped to the scale; rmse_unclipped and
        mae_unclipped of scores as they come.
        """
        return self.directory.metrics.test

    @cached_property
    def opened(self) -> OpenedRun:
        """The run with its split and store, and what is costly of them."""
        data = self.split.materialize(with_days=self.directory.needs_days)
        return OpenedRun(self.directory, data, self.split.store.catalog, self.split.store.budget)

    @property
    def recommender(self) -> Scorer:
        """The loaded model.

        Raises:
            RunError: it cannot be read, or a component of a blend is missing or another.
        """
        return self.opened.scorer

    def recommend(
        self,
        user_id: Key,
        *,
        top: int = 10,
        explain: bool = False,
        where: str | None = None,
        only: str | Path | Collection[Key] | None = None,
        exclude: str | Path | Collection[Key] | None = None,
    ) -> UserList:
        """The unseen items with the highest scores for a user.

        Args:
            user_id: as in the source; a text where the store keeps keys.
            top: length of the list; cut to the number of items.
            explain: whether each item says why, in `because`: the liked items most like it, or the
                near users who rated it.
            where: a condition in SQL on the columns of the store's `items`, which every listed item
                fulfils; one for which it is NULL does not.
            only: item_ids, as in the source, or a file with one a line: no other item is listed.
            exclude: likewise, items that are not listed.

        Returns:
            RecommendedItems, best first: a sequence.

        Raises:
            SettingsError: an argument is of another type, or `top` is no length.
            QueryError: the condition is none, or has a column that items do not have.
            DataError: a list names an item that the store does not have, or no item is left.
            RunError: the user has no train rating, or the model gives scores that are no numbers.

        Examples:
            >>> [item.title for item in run.recommend(6, top=3)]
            ['The Silver Road', 'A Winter Tale', 'The Broken Bridge']
            >>> run.recommend(6, where="year < 1960", exclude=[17, 361])
        """
        kinds = Integral | str if self.split.store.manifest.user_keys else Integral
        check_types(user_id=(user_id, kinds), explain=(explain, bool))
        choice = _choice(where, only, exclude)
        return self.opened.recommend(user_id, top=top, explain=explain, choice=choice)

    def recommend_to_person(
        self,
        ratings: str | Path | Mapping[Key, float],
        *,
        top: int = 10,
        explain: bool = False,
        where: str | None = None,
        only: str | Path | Collection[Key] | None = None,
        exclude: str | Path | Collection[Key] | None = None,
    ) -> PersonList:
        """The items with the highest scores for a person who is not in the data.

        Args:
            ratings: stars by item_id, as in the source, or by title (whole, or a part that fits one
                item only); or a csv file with the columns item_id or title, and rating.
            top: length of the list; cut to the number of items.
            explain: whether each item says why, in `because`.
            where: as in `recommend`.
            only: likewise.
            exclude: likewise.

        Returns:
            RecommendedItems, best first: a sequence. Its `left_out` are ids and titles that are no
            item of the split.

        Raises:
            SettingsError: an argument is of another type, or `top` is no length.
            QueryError: as in `recommend`.
            DataError: as in `recommend`; or a rating is off the scale, a title fits several items,
                or no item is of the split.
            RunError: the model cannot score a person whom it was not trained on.

        Examples:
            >>> run.recommend_to_person({"The Silver Road": 5, 17: 2.0}, top=3).items
        """
        check_types(ratings=(ratings, str | Path | Mapping), explain=(explain, bool))
        given = Path(ratings) if isinstance(ratings, str) else ratings
        choice = _choice(where, only, exclude)
        return self.opened.recommend_to_person(given, top=top, explain=explain, choice=choice)

    def recommend_to_all(
        self,
        output: str | Path,
        *,
        top: int = 10,
        where: str | None = None,
        only: str | Path | Collection[Key] | None = None,
        exclude: str | Path | Collection[Key] | None = None,
        progress: Progress = SILENT,
    ) -> TopListsSummary:
        """Write the list of every user of the split to a Parquet file.

        Columns are user_id, rank (from 1), item_id, title and score; ids are those of the source.

        Args:
            output: ends in .parquet; replaced when the new file is whole.
            top: length of a list; cut to the number of items.
            where: as in `recommend`.
            only: likewise.
            exclude: likewise.
            progress: told of finished users.

        Raises:
            SettingsError: the output names no file, an argument is of another type, or `top` is no
                length.
            QueryError: as in `recommend`.
            DataError: as in `recommend`; or the output has another ending.
            RunError: the model gives scores that are no numbers.

        Examples:
            >>> run.recommend_to_all("top.parquet", top=20).n_users
        """
        path, choice = as_path("output", output), _choice(where, only, exclude)
        return self.opened.recommend_to_all(path, top=top, choice=choice, progress=progress)

    def similar(self, item: Key, *, top: int = 10, min_ratings: int = 20) -> SimilarList:
        """The items nearest to one item, by the model's own picture of items.

        Args:
            item: its id in the source, its title, or a part of the title that fits one item only.
            top: length of the list; cut to the number of items.
            min_ratings: train ratings that a listed item needs.

        Returns:
            SimilarItems, nearest first: a sequence.

        Raises:
            SettingsError: an argument is of another type, or `top` is no length.
            DataError: no item fits or several do, or the item has no train rating.

        Examples:
            >>> run.similar("The Silver Road", top=5).to_json()
        """
        check_types(item=(item, Integral | str), min_ratings=(min_ratings, Integral))
        return self.opened.similar(item, top=top, min_ratings=min_ratings)

    def score(self, pairs: str | Path | pl.DataFrame) -> pl.DataFrame:
        """Score pairs.

        Args:
            pairs: user_id, item_id, as in the source, and perhaps date: a frame, or a csv
                or Parquet file.

        Returns:
            user_id, item_id, score (stars, clipped to the scale) and is_fallback, in the order of
            the pairs.

        Raises:
            SettingsError: the argument is of another type.
            DataError: the pairs lack a column, or hold something that is no id or date.
            RunError: the model gives scores that are no numbers.

        Examples:
            >>> run.score(pl.DataFrame({"user_id": [6], "item_id": [30]}))["score"]
        """
        return self.opened.score(_pairs(pairs))

    def predict(self, pairs: str | Path | pl.DataFrame, output: str | Path) -> PredictSummary:
        """Write the score of every pair to a file.

        Args:
            pairs: as in `score`.
            output: ends in .csv or .parquet, or in .txt for the form of the Netflix Prize.

        Raises:
            SettingsError: an argument is of another type, or the output names no file.
            DataError: as in `score`; or the output has another ending.
            RunError: the model gives scores that are no numbers.

        Examples:
            >>> run.predict("pairs.csv", "scores.parquet").n_fallback
        """
        return self.opened.predict(_pairs(pairs), as_path("output", output))

    def predict_probe(self, output: str | Path | None = None) -> PredictSummary:
        """Score the official probe, and measure the RMSE against its ratings.

        Args:
            output: as in `predict`; None writes no file.

        Raises:
            SettingsError: the output names no file.
            DataError: it has another ending.
            RunError: the model gives scores that are no numbers.

        Examples:
            >>> run.predict_probe().rmse
        """
        return self.opened.predict_probe(None if output is None else as_path("output", output))

    def predict_qualifying(self, output: str | Path) -> PredictSummary:
        """Write the score of every pair of the qualifying set to a file.

        Args:
            output: as in `predict`.

        Raises:
            SettingsError: the output names no file.
            DataError: it has another ending.
            RunError: the model gives scores that are no numbers.

        Examples:
            >>> run.predict_qualifying("qualifying.txt").n_pairs
        """
        return self.opened.predict_qualifying(as_path("output", output))

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

        Args:
            top: length of a list.
            relevant: the rating from which on a test rating is relevant; None: 4 stars, or as far
                up on another scale.
            n_users: rank for so many users, drawn at random; None for all of the test subset.
            seed: of that draw and of the random baseline.
            progress: told of finished users.

        Raises:
            SettingsError: an argument cannot be.
            RunError: no user has a relevant item, or the model gives scores that are no numbers.

        Examples:
            >>> found = run.evaluate(top=20)
            >>> found.errors.rmse, found.lists.rows[0].ndcg
        """
        return self.opened.evaluate(
            top=top, relevant=relevant, n_users=n_users, seed=seed, progress=progress
        )

    def export(
        self,
        output: str | Path,
        *,
        format: str = "saved-model",  # noqa: A002 - as the command has it
        overwrite: bool = False,
    ) -> ExportSummary:
        """Write the model to a folder, for use elsewhere.

        Args:
            output: the folder to make.
            format: saved-model, from raw ids to scores without bigrec; or keras, the bare model.
            overwrite: whether a folder that exists is replaced.

        Raises:
            SettingsError: no such format, or the folder exists.
            RunError: the model has no form of this format, or weights that are no numbers.

        Examples:
            >>> run.export("served").n_bytes
        """
        check_types(format=(format, str), overwrite=(overwrite, bool))
        return self.opened.export(as_path("output", output), kind=format, overwrite=overwrite)


def _choice(
    where: str | None,
    only: str | Path | Collection[Key] | None,
    exclude: str | Path | Collection[Key] | None,
) -> Choice | None:
    """What lists may hold; None if nothing is said of it."""
    if where is None and only is None and exclude is None:
        return None
    check_types(
        where=(where, str | None),
        only=(only, str | Path | Collection | None),
        exclude=(exclude, str | Path | Collection | None),
    )
    from bigrec.recommend.choice import Choice

    return Choice(
        where,
        Path(only) if isinstance(only, str) else only,
        Path(exclude) if isinstance(exclude, str) else exclude,
    )


def _pairs(pairs: object) -> Path | pl.DataFrame:
    if isinstance(pairs, pl.DataFrame):
        return pairs
    if not isinstance(pairs, str | Path):
        raise SettingsError(f"expected pairs as a path or a Polars DataFrame, found {pairs!r}")
    return Path(pairs)
