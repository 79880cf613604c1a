"""Listed items as the first columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigrec.recommend.recommend import RecommendedItem
    from bigrec.recommend.similar import SimilarItem


def item_columns(
    items: Sequence[RecommendedItem] | Sequence[SimilarItem],
) -> tuple[list[str], list[list[object]]]:
    """The headings item_id, title and year, and the cells of each item.

    Where items have keys, one without a title has its key in place of it; where none has a title,
    there are no more columns than that of the keys.

    Args:
        items: of a list.
    """
    are_keys = any(isinstance(item.item_id, str) for item in items)
    if are_keys and not any(item.title for item in items):
        return ["item_id"], [[item.item_id] for item in items]
    return ["item_id", "title", "year"], [
        [
            str(item.item_id),
            item.item_id if are_keys and item.title is None else item.title,
            item.year and str(item.year),
        ]
        for item in items
    ]
