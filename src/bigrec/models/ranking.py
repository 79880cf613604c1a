"""The order of recommendations: highest score first, ties by popularity, then by id.

The one place that decides it, for lists and for what is measured of them.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from bigrec.errors import SettingsError
from bigrec.features import UserRows
from bigrec.models.scoring import check_finite

Array = np.ndarray[Any, Any]


def list_length(top: object, n_movies: int) -> int:
    """How long lists can be that shall have `top` movies: no list has more than there are.

    Raises:
        SettingsError: it is no whole number of at least 1.
    """
    if not isinstance(top, numbers.Integral) or isinstance(top, bool) or top < 1:
        raise SettingsError(f"expected a list of at least 1 movie, found top {top!r}")
    return min(int(top), n_movies)


def top_movies(scores: Array, seen: UserRows, popularity: Array, k: int) -> Array:
    """Find the k best movies of each user that the user has not seen.

    A movie without a train rating is no candidate: a model knows nothing of it. Of equal scores the
    movie with more train ratings comes first, then the one with the lower index (and so id).

    Args:
        scores: (n_users, n_movies) float; left as it is.
        seen: rows of the same users in the same order, whose movies are left out.
        popularity: (n_movies,) int, train ratings of each movie.
        k: length of a list, at least 1 (see `list_length`).

    Returns:
        (n_users, k) int32 movie indices, best first; -1 after the last candidate of a user.

    Raises:
        RunError: a score is no finite number.
    """
    n_users, n_movies = scores.shape
    check_finite(scores)
    allowed = np.where(popularity > 0, scores, -np.inf)  # (n_users, n_movies)
    allowed[np.repeat(np.arange(n_users), seen.lengths()), seen.movie_index] = -np.inf
    place = max(n_movies - k, 0)
    kth_best = np.partition(allowed, place, axis=1)[:, place]
    # All that ties with the k-th best takes part in the sort: a partition breaks ties at will.
    user, movie = np.nonzero((allowed >= kth_best[:, None]) & (allowed > -np.inf))
    order = np.lexsort((movie, -popularity[movie], -allowed[user, movie], user))
    user, movie = user[order], movie[order]
    rank = np.arange(len(user)) - np.searchsorted(user, user)
    listed = rank < k
    top = np.full((n_users, k), -1, np.int32)
    top[user[listed], rank[listed]] = movie[listed]
    return top
