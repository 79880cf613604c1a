"""The order of recommendations: highest score first, ties by popularity, then by id.

The one place that decides it, for lists and for what is measured of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bigrec.features import UserRows

Array = np.ndarray[Any, Any]


def top_movies(scores: Array, seen: UserRows, popularity: Array, k: int) -> Array:
    """Find the k best movies of each user that the user has not seen.

    A movie without a train rating is no candidate: a model knows nothing of it. Of equal scores the
    movie with more train ratings comes first, then the one with the lower index (and so id).

    Args:
        scores: (n_users, n_movies) float; left as it is.
        seen: rows of the same users in the same order, whose movies are left out.
        popularity: (n_movies,) int, train ratings of each movie.
        k: length of a list, at least 1.

    Returns:
        (n_users, k) int32 movie indices, best first; -1 after the last candidate of a user.
    """
    n_users, n_movies = scores.shape
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
