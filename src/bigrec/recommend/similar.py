"""The items nearest to one item, as a run sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bigrec.errors import DataError
from bigrec.models.baseline.bias import Biases
from bigrec.models.ranking import list_length, top_items
from bigrec.models.similarity import ItemSimilarity
from bigrec.recommend.items import Items
from bigrec.rows import Rows
from bigrec.store.vocabulary import Key


@dataclass(frozen=True)
class SimilarItem:
    """One item of a list of similar ones."""

    item_id: Key
    """As in the source."""
    title: str | None
    year: int | None
    similarity: float
    """Higher is nearer; from -1 to 1 where it is a cosine (see bigrec.models.similarity)."""
    n_ratings: int
    """Train ratings."""


def similar_items(
    similarity: ItemSimilarity,
    items: Items,
    biases: Biases,
    item_index: int,
    *,
    top: int = 10,
    min_ratings: int = 1,
) -> list[SimilarItem]:
    """The items that are nearest to one, equal ones by number of train ratings, then by id.

    Args:
        similarity: the run's.
        items: of the split.
        biases: of the run, for the number of train ratings.
        item_index: the item to compare with.
        top: length of the list; cut to the number of items.
        min_ratings: train ratings that an item needs to be listed. What a model knows of an item
            with few is little better than chance.

    Raises:
        SettingsError: `top` is no length.
        RunError: the run gives similarities that are no numbers.
        DataError: the item has no train rating, so the model knows nothing of it.
    """
    top = list_length(top, len(items.ids))
    count = biases.item_count
    if count[item_index] == 0:
        raise DataError(f"{items.name(item_index)} has no rating in the train subset of the split")
    values = similarity.compare(item_index)
    itself = Rows(np.array([0, 1]), np.array([item_index]), np.zeros(1, np.float32))
    popularity = np.where(count >= min_ratings, count, 0)
    positions = top_items(values[None], itself, popularity, top)[0]
    return [
        SimilarItem(
            items.key(position), items.titles[position], items.years[position],
            float(values[position]), int(count[position]),
        )
        for position in positions[positions >= 0].tolist()
    ]  # fmt: skip
