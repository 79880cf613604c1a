"""Why an item is recommended.

Where the score is made from other users' ratings, by the nearest of them; else by the items that
the user likes and the model finds most like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.models.scoring import Raters
from bigrec.models.similarity import ItemSimilarity
from bigrec.recommend.items import Items
from bigrec.rows import Rows
from bigrec.store.vocabulary import Key, Vocabulary

Array = np.ndarray[Any, Any]

_REASONS: Final = 3


@dataclass(frozen=True)
class LikedItem:
    """An item that stands behind a recommendation."""

    item_id: Key
    title: str | None
    year: int | None
    rating: float
    """By the user, in stars."""
    similarity: float
    """To the recommended item (see bigrec.models.similarity)."""


@dataclass(frozen=True)
class NearUser:
    """A user whose rating stands behind a recommendation."""

    user_id: Key
    rating: float
    """Of the recommended item, by this user, in stars."""
    similarity: float
    """To the user who gets the recommendation."""


Reason = LikedItem | NearUser


def explain_by_items(
    similarity: ItemSimilarity, items: Items, rated: Rows, liked: Array, item_index: int
) -> tuple[LikedItem, ...]:
    """The items most like one, of those that a user likes.

    Args:
        similarity: the run's.
        items: of the split.
        rated: the row of the one user.
        liked: (n,) int, positions in the row (see Scorer.stands_behind).
        item_index: the recommended item.

    Returns:
        At most three, nearest first, all of positive similarity.
    """
    values = similarity.compare(item_index)[rated.column[liked]]
    nearest = np.argsort(-values, kind="stable")[:_REASONS]
    return tuple(
        LikedItem(
            items.key(position), items.titles[position], items.years[position],
            float(rating), float(value),
        )
        for position, rating, value in zip(
            rated.column[liked[nearest]].tolist(), rated.rating[liked[nearest]],
            values[nearest], strict=True,
        )
        if value > 0
    )  # fmt: skip


def explain_by_users(raters: Raters, user_ids: Array, users: Vocabulary) -> tuple[NearUser, ...]:
    """The nearest users who have rated an item.

    Args:
        raters: of the recommended item.
        user_ids: (n_users,) int32, the id of each user_index.
        users: what the users of the store are called.

    Returns:
        At most three, nearest first.
    """
    keys = users.keys_of(user_ids[raters.user_index[:_REASONS]])
    return tuple(
        NearUser(key, float(rating), float(similarity))
        for key, rating, similarity in zip(
            keys, raters.rating[:_REASONS], raters.similarity[:_REASONS], strict=True
        )
    )
