"""What models recommend: lists for three users, and the films nearest to one film."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.models.scoring import Scorer
from bigrec.query.session import Session
from bigrec.recommend.recommend import recommend_movies
from bigrec.report.figures import Lists, ask
from bigrec.report.runs_section import model_title
from bigrec.store.catalog import Catalog

Array = np.ndarray[Any, Any]

_TOP: Final = 8
_QUANTILES: Final = {"occasional": 0.25, "typical": 0.5, "keen": 0.95}
_FEWEST_RATINGS: Final = 5
_PROBE_USERS: Final = 64
_PROBE_MOVIES: Final = 300


def pick_users(user_count: Array) -> dict[str, int]:
    """The user_index of an occasional, a typical and a keen user, by number of train ratings.

    Args:
        user_count: train ratings of each user: (n_users,).
    """
    known = np.flatnonzero(user_count >= min(_FEWEST_RATINGS, user_count.max()))
    ordered = known[np.argsort(user_count[known], kind="stable")]
    return {
        word: int(ordered[int(quantile * (len(ordered) - 1))])
        for word, quantile in _QUANTILES.items()
    }


def list_for_user(
    recommenders: Mapping[str, Scorer],
    data: TrainingData,
    catalog: Catalog,
    session: Session,
    word: str,
    user_index: int,
) -> Lists:
    """A user's best rated films beside the lists of all models.

    Args:
        recommenders: by model name.
        data: the split.
        catalog: the store.
        session: the store under SQL.
        word: what kind of user this is.
        user_index: whom to recommend to.
    """
    user_id = int(data.user_ids[user_index])
    history = ask(session, "user_history", user_id=user_id)
    best = sorted(history, key=lambda row: (-row["rating"], -row["difference"], row["movie_id"]))
    lists = {
        "rated best by the user": [
            (_film(row["title"], row["year"], row["movie_id"]), f"{row['rating']:g}")
            for row in best[:_TOP]
        ]
    }
    for model, recommender in recommenders.items():
        lists[model_title(model)] = [
            (_film(movie.title, movie.year, movie.movie_id), f"{movie.score:.2f}")
            for movie in recommend_movies(recommender, data, catalog, user_id, top=_TOP)
        ]
    article = "An" if word[0] in "aeiou" else "A"
    return Lists(
        title=f"{article} {word} user",
        lists=lists,
        first_is_own=True,
        caption=f"User {user_id:,} has rated {len(history):,} movies. Scores are not clipped to "
        "the scale, so that their order can be seen. The same list in a terminal: "
        f"bigrec recommend RUN {user_id}",
    )


def list_for_movie(
    recommenders: Mapping[str, Scorer], data: TrainingData, session: Session
) -> Lists:
    """The films that each model scores most like the most rated one.

    Two films are near when their scores, less what the user and the film get on average, rise and
    fall together over the same users: the cosine of the two rows of deviations. It needs nothing
    but scores, so it means the same for every model.

    Args:
        recommenders: by model name.
        data: the split.
        session: the store under SQL.
    """
    biases = next(iter(recommenders.values())).biases
    movies = np.argsort(-biases.movie_count, kind="stable")[:_PROBE_MOVIES].astype(np.int32)
    users = np.sort(np.argsort(-biases.user_count, kind="stable")[:_PROBE_USERS]).astype(np.int32)
    names = _movie_names(session, data.movie_ids[movies].tolist())
    film = names[int(data.movie_ids[movies[0]])]
    lists: dict[str, Sequence[tuple[str, str]]] = {}
    for model, recommender in recommenders.items():
        scores, _ = recommender.score_pairs(
            np.repeat(users, len(movies)), np.tile(movies, len(users))
        )
        likeness = _likeness(scores.reshape(len(users), len(movies)).astype(np.float64))
        nearest = np.argsort(-likeness[1:], kind="stable")[:_TOP] + 1
        lists[model_title(model)] = [
            (names[int(data.movie_ids[movies[place]])], f"{likeness[place]:.2f}")
            for place in nearest
        ]
    return Lists(
        title=f"Films like “{film}”",
        lists=lists,
        caption=f"The most rated film, and those of the {len(movies):,} most rated whose scores "
        f"rise and fall with its own over the {len(users):,} most active users (cosine of the "
        "deviations; 1 is alike).",
    )


def _likeness(scores: Array) -> Array:
    """Cosine of the first column with every column, after both means are taken out: (n_movies,)."""
    deviations = scores - scores.mean(axis=1, keepdims=True)
    deviations -= deviations.mean(axis=0, keepdims=True)
    norms = np.linalg.norm(deviations, axis=0)
    return np.asarray(deviations[:, 0] @ deviations / np.maximum(norms[0] * norms, 1e-12))


def _movie_names(session: Session, movie_ids: Sequence[int]) -> dict[int, str]:
    rows = session.run(
        "SELECT movie_id, title, year FROM movies WHERE list_contains($ids, movie_id)",
        {"ids": list(movie_ids)},
    ).fetchall()
    return {movie_id: _film(title, year, movie_id) for movie_id, title, year in rows}


def _film(title: str | None, year: int | None, movie_id: int) -> str:
    name = title or f"movie {movie_id}"
    return f"{name} ({year})" if year else name
