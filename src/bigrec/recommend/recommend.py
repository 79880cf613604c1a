"""The best unseen movies of a user, by a run's scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError
from bigrec.models.scoring import Scorer
from bigrec.schema import MOVIE_ID, USER_ID
from bigrec.store.catalog import Catalog


@dataclass(frozen=True)
class RecommendedMovie:
    """One movie of a list."""

    movie_id: int
    title: str | None
    year: int | None
    score: float
    """The model's score, in stars, not clipped, so that the order can be seen."""


def recommend_movies(
    recommender: Scorer, data: TrainingData, catalog: Catalog, user_id: int, *, top: int = 10
) -> list[RecommendedMovie]:
    """The movies of the split with the highest scores that a user has not rated anywhere.

    Equal scores are ordered by number of train ratings, then by id.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store, for what the user has rated (both sides) and for titles.
        user_id: as in the source.
        top: length of the list.

    Raises:
        RunError: the user has no train row, so the model knows nothing of them.
    """
    place = int(data.find_users(np.array([user_id]))[0])
    if place < 0 or recommender.biases.user_count[place] == 0:
        raise RunError(
            f"user {user_id} has no rating on the train side of split {data.split!r}",
            hint=f"users of the split: {_examples(data, recommender)}, …",
        )
    scores = recommender.score_users(np.array([place], np.int32))[0].astype(np.float64)
    rated = catalog.ratings_by_user().filter(pl.col(USER_ID) == user_id).select(MOVIE_ID).collect()
    popularity = recommender.biases.movie_count
    allowed = (popularity > 0) & ~np.isin(data.movie_ids, rated[MOVIE_ID].to_numpy())
    candidates = np.flatnonzero(allowed)
    order = np.lexsort((candidates, -popularity[candidates], -scores[candidates]))[:top]
    best = candidates[order]
    titles = _titles(catalog, data.movie_ids[best].tolist())
    return [
        RecommendedMovie(movie_id, *titles[movie_id], float(score))
        for movie_id, score in zip(data.movie_ids[best].tolist(), scores[best], strict=True)
    ]


def _examples(data: TrainingData, recommender: Scorer) -> str:
    some = data.user_ids[np.flatnonzero(recommender.biases.user_count)[:3]]
    return ", ".join(str(user) for user in some)


def _titles(catalog: Catalog, movie_ids: list[int]) -> dict[int, tuple[str | None, int | None]]:
    movies = catalog.movies().filter(pl.col(MOVIE_ID).is_in(movie_ids)).collect()
    return {row[MOVIE_ID]: (row["title"], row["year"]) for row in movies.iter_rows(named=True)}
