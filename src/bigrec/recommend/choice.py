"""Which items lists may hold: by a condition in SQL, and by lists of items."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import DataError, QueryError, SettingsError
from bigrec.query.engine_errors import translate_error
from bigrec.query.guard import require_condition
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.schema import ITEM_ID
from bigrec.splits.key_lists import read_item_list, require_ids
from bigrec.store.catalog import Catalog
from bigrec.store.vocabulary import Key, items_of

Array = np.ndarray[Any, Any]

_LOOK_HINT: Final = 'see what the items have with: bigrec sql "FROM items"'


@dataclass(frozen=True)
class Choice:
    """Which items lists may hold: those that fit all that is said; any item if nothing is."""

    where: str | None = None
    """A condition in SQL on the columns of `items`; an item for which it is NULL does not fit."""
    only: Path | Collection[Key] | None = None
    """Keys of the items that fit, or a file with one a line."""
    exclude: Path | Collection[Key] | None = None
    """Keys of items that do not, or a file with one a line."""
    timeout: float | None = None
    """Seconds that the condition may take; None for any time."""


def choose_items(
    choice: Choice, popularity: Array, data: TrainingData, catalog: Catalog, *, budget: Budget
) -> Array:
    """The popularity of what lists may hold, as `top_items` takes it.

    Args:
        choice: what is said of the items.
        popularity: (n_items,) int, train ratings of each item of the split.
        data: the split.
        catalog: the store.
        budget: memory, threads and spill folder of the condition.

    Returns:
        (n_items,) int, 0 for an item that is not chosen.

    Raises:
        SettingsError: what should be a key is none, or the timeout is no time.
        QueryError: the condition is none, has a column that items do not have, or takes too long.
        DataError: a list cannot be read or names an item that the store does not have, or no item
            with a train rating is left.
        ResourceError: the condition does not fit the budget.
    """
    chosen = popularity > 0
    n_known = np.count_nonzero(chosen)
    left: list[str] = []
    for option, fits in _answers(choice, data, catalog, budget):
        chosen &= fits
        left.append(f"{option} leaves {np.count_nonzero(chosen):,}")
        if not chosen.any():
            raise DataError(
                f"no item is left to recommend: of {n_known:,} items with a train rating "
                f"{', '.join(left)}",
                hint=_LOOK_HINT,
            )
    return np.where(chosen, popularity, 0)


def _answers(
    choice: Choice, data: TrainingData, catalog: Catalog, budget: Budget
) -> Iterator[tuple[str, Array]]:
    """Each option that is given, by its name, and (n_items,) bool of whether an item fits it."""

    def among(ids: Array) -> Array:
        position = data.find_items(ids)
        fits = np.zeros(data.spec.n_items, bool)
        fits[position[position >= 0]] = True
        return fits

    if choice.where is not None:
        yield "--where", among(_ids_where(choice.where, catalog, budget, choice.timeout))
    if choice.only is not None:
        yield "--only", among(_listed_ids(choice.only, catalog))
    if choice.exclude is not None:
        yield "--not", ~among(_listed_ids(choice.exclude, catalog))


def _ids_where(where: str, catalog: Catalog, budget: Budget, timeout: float | None) -> Array:
    """The ids of the store's items that fulfil a condition."""
    require_condition(where)
    with open_session(catalog.layout.root, budget=budget, timeout=timeout) as session:
        # The line ends keep a comment from taking the bracket, and the condition in its own line.
        query = f"SELECT {ITEM_ID} FROM items WHERE (\n{where}\n)"  # noqa: S608 - one expression
        try:
            ids: Array = session.run(query).pl()[ITEM_ID].to_numpy()
        except QueryError as error:
            cause = error.__cause__
            if not isinstance(cause, duckdb.BinderException):
                raise
            # What is no column is compared with those of the items, and not of all views.
            columns = {"items": session.run("FROM items").columns}
            raise translate_error(cause, columns) from cause
    return ids


def _listed_ids(listed: Path | Collection[Key], catalog: Catalog) -> Array:
    """The ids of the items that a file or its like names."""
    if isinstance(listed, Path):
        return np.array(read_item_list(listed, catalog))
    vocabulary = items_of(catalog)
    keys = []
    for each in listed:
        is_key = isinstance(each, Integral | str) and not isinstance(each, bool)
        key = vocabulary.parse(str(each)) if is_key else None
        if key is None:
            raise SettingsError(f"expected the {ITEM_ID} of an item, found {each!r}")
        keys.append(key)
    return np.array(require_ids(vocabulary, list(dict.fromkeys(keys))), np.int64)
