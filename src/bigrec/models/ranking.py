"""The order of recommendations: highest score first, ties by popularity, then by id.

The one place that decides it, for lists and for what is measured of them.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from bigrec.errors import SettingsError
from bigrec.models.scoring import check_finite
from bigrec.rows import Rows

Array = np.ndarray[Any, Any]


def list_length(top: object, n_items: int) -> int:
    """How long lists can be that shall have `top` items: no list has more than there are.

    Raises:
        SettingsError: it is no whole number of at least 1.
    """
    if not isinstance(top, numbers.Integral) or isinstance(top, bool) or top < 1:
        raise SettingsError(f"expected a list of at least 1 item, found top {top!r}")
    return min(int(top), n_items)


def top_items(scores: Array, seen: Rows, popularity: Array, k: int) -> Array:
    """Find the k best items of each user that the user has not seen.

    An item without a train rating is no candidate: a model knows nothing of it. Of equal scores the
    item with more train ratings comes first, then the one with the lower index (and so id).

    Args:
        scores: (n_users, n_items) float; left as it is.
        seen: rows of the same users in the same order, whose items are left out.
        popularity: (n_items,) int, train ratings of each item.
        k: length of a list, at least 1 (see `list_length`).

    Returns:
        (n_users, k) int32 item indices, best first; -1 after the last candidate of a user.

    Raises:
        RunError: a score is no finite number.
    """
    n_users, n_items = scores.shape
    check_finite(scores)
    allowed = np.where(popularity > 0, scores, -np.inf)  # (n_users, n_items)
    allowed[np.repeat(np.arange(n_users), seen.lengths()), seen.column] = -np.inf
    position = max(n_items - k, 0)
    kth_best = np.partition(allowed, position, axis=1)[:, position]
    # All that ties with the k-th best takes part in the sort: a partition breaks ties at will.
    user, item = np.nonzero((allowed >= kth_best[:, None]) & (allowed > -np.inf))
    order = np.lexsort((item, -popularity[item], -allowed[user, item], user))
    user, item = user[order], item[order]
    rank = np.arange(len(user)) - np.searchsorted(user, user)
    listed = rank < k
    top = np.full((n_users, k), -1, np.int32)
    top[user[listed], rank[listed]] = item[listed]
    return top
