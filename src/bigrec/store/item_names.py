"""What a source calls its items, as a second name in SQL.

Below the sources the word is item: views are called items, columns item_id. Where the items are
films, queries written for films run as they are: each view that has item_id has movie_id too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ITEM: Final = "item"
"""The name of items where a source has no better one."""

_NAME: Final = re.compile("[a-z][a-z_]{0,30}")
_TAKEN: Final = frozenset({"user", "rating", "scale", "manifest", "split"})
_COUNTING_VIEWS: Final = frozenset({"manifest", "split"})
_WITHOUT_ITEMS: Final = frozenset({"users", "split_users", "scale"})


def is_item_name(name: object) -> bool:
    """Whether items can be called so: a small word, which stands in SQL as it is.

    Args:
        name: what one item is called.
    """
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and name not in _TAKEN


def add_item_names(queries: Mapping[str, str], item_name: str) -> dict[str, str]:
    """The SELECT of each view, with the source's name for items beside ours.

    Args:
        queries: the SELECT of each view by its name, in the order in which they are made.
        item_name: what one item is called: movie gives the views movies and split_movies, and the
            columns movie_id and n_movies.
    """
    if item_name == ITEM:
        return dict(queries)
    named: dict[str, str] = {}
    for view, query in queries.items():
        column = f"n_{ITEM}s" if view in _COUNTING_VIEWS else f"{ITEM}_id"
        alias = column.replace(ITEM, item_name)
        named[view] = (
            query
            if view in _WITHOUT_ITEMS
            else f"SELECT *, {column} AS {alias} FROM ({query}) AS named"  # noqa: S608
        )
        if ITEM in view:
            named[view.replace(ITEM, item_name)] = f"SELECT * FROM {view}"  # noqa: S608
    return named
