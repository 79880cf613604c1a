"""The best unseen items of a user of the split, or of a person who is not in the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError
from bigrec.models.ranking import list_length, top_items
from bigrec.models.scoring import Scorer
from bigrec.models.similarity import ItemSimilarity
from bigrec.recommend.explain import Reason, explain_by_items, explain_by_users
from bigrec.recommend.items import Items, read_items
from bigrec.recommend.person import PersonRatings
from bigrec.recommend.seen import seen_items
from bigrec.store.catalog import Catalog
from bigrec.store.vocabulary import Key, Vocabulary, users_of

Array = np.ndarray[Any, Any]

_MOST_IDS: Final = 1 << 63


@dataclass(frozen=True)
class RecommendedItem:
    """One item of a list."""

    item_id: Key
    """As in the source."""
    title: str | None
    """None where the source has none."""
    year: int | None
    """Of its release; None where the source has none."""
    score: float
    """The model's score, not clipped, so that the order can be seen: in stars, unless it ranks."""
    because: tuple[Reason, ...] = ()
    """Where they are asked for, at most three (see explain)."""


def recommend_items(
    recommender: Scorer,
    data: TrainingData,
    catalog: Catalog,
    user_id: Key,
    *,
    top: int = 10,
    similarity: ItemSimilarity | None = None,
    items: Items | None = None,
    popularity: Array | None = None,
) -> list[RecommendedItem]:
    """The items of the split with the highest scores that a user has not rated anywhere.

    Equal scores are ordered by number of train ratings, then by id.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store, for what the user has rated (in all subsets and on none).
        user_id: as in the source.
        top: length of the list; cut to the number of items.
        similarity: the run's, to say why; None does not.
        items: of the split; read from the store if None.
        popularity: (n_items,) int, train ratings of each item, 0 for one that is not to be listed
            (see `choose_items`); those of the split if None.

    Raises:
        SettingsError: `top` is no length.
        RunError: the user has no train row, so the model knows nothing of them; or it gives scores
            that are no numbers.
    """
    top = list_length(top, data.spec.n_items)
    users = users_of(catalog)
    user_index = find_user(recommender, data, users, user_id)
    user = np.array([user_index])
    scores = recommender.score_users(user)
    seen = seen_items(catalog, data, user)
    items = items or read_items(catalog, data)
    if popularity is None:
        popularity = recommender.biases.item_count
    found = top_items(scores, seen, popularity, top)[0]
    if similarity is None:
        return _list(scores[0], found, items)
    rated = data.train.take(user)
    liked = np.flatnonzero(recommender.stands_behind(rated.rating))

    def explain(item: int) -> tuple[Reason, ...]:
        raters = recommender.raters_near(user_index, item)
        if raters is not None:
            return explain_by_users(raters, data.user_ids, users)
        return explain_by_items(similarity, items, rated, liked, item)

    return _list(scores[0], found, items, explain)


def recommend_to_person(
    recommender: Scorer,
    items: Items,
    person: PersonRatings,
    *,
    top: int = 10,
    similarity: ItemSimilarity | None = None,
    popularity: Array | None = None,
) -> list[RecommendedItem]:
    """The items with the highest scores for a person who is not in the data.

    Args:
        recommender: the trained model.
        items: of the split.
        person: what the person has rated.
        top: length of the list; cut to the number of items.
        similarity: the run's, to say why; None does not.
        popularity: as in `recommend_items`.

    Raises:
        SettingsError: `top` is no length.
        RunError: the model cannot score a person whom it was not trained on, or it gives scores
            that are no numbers.
    """
    top = list_length(top, len(items.ids))
    scores = recommender.fold_in(person.item_index, person.rating)
    if popularity is None:
        popularity = recommender.biases.item_count
    found = top_items(scores[None], person.rows, popularity, top)[0]
    if similarity is None:
        return _list(scores, found, items)
    liked = np.flatnonzero(recommender.stands_behind(person.rating))
    return _list(
        scores, found, items,
        lambda item: explain_by_items(similarity, items, person.rows, liked, item),
    )  # fmt: skip


def find_user(recommender: Scorer, data: TrainingData, users: Vocabulary, key: Key) -> int:
    """The user_index of a user with train rows.

    Args:
        recommender: knows who has some.
        data: the split.
        users: what the users of the store are called.
        key: of the user.

    Raises:
        RunError: the user has none.
    """
    user_id = users.id_of(key)
    # An id beyond 64 bits is nobody's either.
    position = int(data.find_users(np.array([user_id]))[0]) if abs(user_id) < _MOST_IDS else -1
    if position < 0 or recommender.biases.user_count[position] == 0:
        some = users.keys_of(data.user_ids[np.flatnonzero(recommender.biases.user_count)[:3]])
        raise RunError(
            f"user {key} has no rating in the train subset of split {data.split!r}",
            hint=f"users of the split: {', '.join(map(str, some))}, …",
        )
    return position


def _list(
    scores: Array,
    found: Array,
    items: Items,
    explain: Callable[[int], tuple[Reason, ...]] = lambda _: (),
) -> list[RecommendedItem]:
    return [
        RecommendedItem(
            items.key(position), items.titles[position], items.years[position],
            float(scores[position]), explain(position),
        )
        for position in found[found >= 0].tolist()
    ]  # fmt: skip
