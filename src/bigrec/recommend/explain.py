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

Array = np.ndarray[Any, Any]

_REASONS: Final = 3


@dataclass(frozen=True)
class LikedItem:
    """An item that stands behind a recommendation."""

    item_id: int
    title: str | None
    year: int | None
    rating: float
    """By the user, in stars."""
    similarity: float
    """To the recommended item (see bigrec.models.similarity)."""


@dataclass(frozen=True)
class NearUser:
    """A user whose rating stands behind a recommendation."""

    user_id: int
    rating: float
    """Of the recommended item, by this user, in stars."""
    similarity: float
    """To the user who gets the recommendation."""


Reason = LikedItem | NearUser


def explain_by_items(
    similarity: ItemSimilarity, items: Items, rated: Rows, item_index: int
) -> tuple[LikedItem, ...]:
    """The items most like one, of those that a user rates at least as high as they do on average.

    Args:
        similarity: the run's.
        items: of the split.
        rated: the row of the one user.
        item_index: the recommended item.

    Returns:
        At most three, nearest first, all of positive similarity.
    """
    liked = np.flatnonzero(rated.rating >= rated.rating.mean())
    values = similarity.compare(item_index)[rated.column[liked]]
    nearest = np.argsort(-values, kind="stable")[:_REASONS]
    return tuple(
        LikedItem(
            int(items.ids[position]), items.titles[position], items.years[position],
            float(rating), float(value),
        )
        for position, rating, value in zip(
            rated.column[liked[nearest]].tolist(), rated.rating[liked[nearest]],
            values[nearest], strict=True,
        )
        if value > 0
    )  # fmt: skip


def explain_by_users(raters: Raters, user_ids: Array) -> tuple[NearUser, ...]:
    """The nearest users who have rated an item.

    Args:
        raters: of the recommended item.
        user_ids: (n_users,) int32, the id of each user_index.

    Returns:
        At most three, nearest first.
    """
    return tuple(
        NearUser(int(user_ids[user]), float(rating), float(similarity))
        for user, rating, similarity in zip(
            raters.user_index[:_REASONS].tolist(), raters.rating[:_REASONS],
            raters.similarity[:_REASONS], strict=True,
        )
    )  # fmt: skip
