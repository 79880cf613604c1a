"""What models recommend: lists for three users, and the items nearest to one item."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.models.scoring import Scorer
from bigrec.query.session import Session
from bigrec.recommend.items import item_name, read_items
from bigrec.recommend.recommend import recommend_items
from bigrec.recommend.similar import similar_items
from bigrec.report.figures import Lists, ask
from bigrec.report.runs_section import model_title
from bigrec.runs import RunDirectory
from bigrec.store.catalog import Catalog
from bigrec.store.vocabulary import items_of, users_of

Array = np.ndarray[Any, Any]

_TOP: Final = 8
_QUANTILES: Final = {"occasional": 0.25, "typical": 0.5, "keen": 0.95}
_FEWEST_USER_RATINGS: Final = 5
_FEWEST_ITEM_RATINGS: Final = 20


def pick_users(user_count: Array) -> dict[str, int]:
    """The user_index of an occasional, a typical and a keen user, by number of train ratings.

    Args:
        user_count: train ratings of each user: (n_users,).
    """
    known = np.flatnonzero(user_count >= min(_FEWEST_USER_RATINGS, user_count.max()))
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
    """A user's best rated items beside the lists of all models.

    Args:
        recommenders: by model name.
        data: the split.
        catalog: the store.
        session: the store under SQL.
        word: what kind of user this is.
        user_index: whom to recommend to.
    """
    user = users_of(catalog).key_of(int(data.user_ids[user_index]))
    history = ask(session, "user_history", user_id=user)
    best = sorted(history, key=lambda row: (-row["rating"], -row["difference"], row["item_id"]))
    best = best[:_TOP]
    keys = items_of(catalog).keys_of(np.array([row["item_id"] for row in best]))
    lists = {
        "rated best by the user": [
            (item_name(row["title"], row["year"], key), f"{row['rating']:g}")
            for row, key in zip(best, keys, strict=True)
        ]
    }
    name = f"{user:,}" if isinstance(user, int) else user
    for model, recommender in recommenders.items():
        lists[model_title(model)] = [
            (item_name(item.title, item.year, item.item_id), f"{item.score:.2f}")
            for item in recommend_items(recommender, data, catalog, user, top=_TOP)
        ]
    article = "An" if word[0] in "aeiou" else "A"
    return Lists(
        title=f"{article} {word} user",
        lists=lists,
        first_is_own=True,
        caption=f"User {name} has rated {len(history):,} items. Scores are not clipped to "
        "the scale, so that their order can be seen. The same list in a terminal: "
        f"bigrec recommend RUN {shlex.quote(str(user))}",
    )


def list_for_item(runs: Sequence[RunDirectory], data: TrainingData, catalog: Catalog) -> Lists:
    """The items that each model sees nearest to the most rated one.

    Args:
        runs: one of each model, at least one.
        data: their split.
        catalog: the store.
    """
    biases = runs[0].biases()
    items = read_items(catalog, data)
    thing = catalog.manifest.item_name.replace("_", " ")
    things = f"{thing}s"
    most_rated = int(np.argmax(biases.item_count))
    lists: dict[str, Sequence[tuple[str, str]]] = {}
    for run in runs:
        nearest = similar_items(
            run.similarity(data), items, biases, most_rated,
            top=_TOP, min_ratings=_FEWEST_ITEM_RATINGS,
        )  # fmt: skip
        lists[model_title(run.config.model)] = [
            (item_name(item.title, item.year, item.item_id), f"{item.similarity:.2f}")
            for item in nearest
        ]
    return Lists(
        title=f"{things.capitalize()} like “{items.name(most_rated)}”",
        lists=lists,
        caption=f"The most rated {thing}, and the nearest to it by each model's own picture of "
        "items: factors, embeddings, weights, or the ratings themselves (1 is alike). Only "
        f"{things} with at "
        f"least {_FEWEST_ITEM_RATINGS} train ratings. The same list in a terminal: "
        f"bigrec similar RUN {shlex.quote(str(items.key(most_rated)))}",
    )
