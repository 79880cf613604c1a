"""Answers to one question about a run, and each as a plain JSON object for whoever asks."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from bigrec.recommend.recommend import RecommendedItem
from bigrec.recommend.similar import SimilarItem
from bigrec.store.vocabulary import Key

Item = TypeVar("Item")


class Listed(Sequence[Item]):
    """An answer that is a list of items, and says what it answers."""

    items: tuple[Item, ...]

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    @abc.abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The answer as a JSON object."""


@dataclass(frozen=True)
class UserList(Listed[RecommendedItem]):
    """The list of a user of the data."""

    user_id: Key
    """As in the source."""
    items: tuple[RecommendedItem, ...]
    """Best first."""
    explained: bool
    """Whether reasons were asked for."""

    def to_json(self) -> dict[str, Any]:
        """user_id and items; each with because where reasons were asked for."""
        return {"user_id": self.user_id, "items": _items(self.items, self.explained)}


@dataclass(frozen=True)
class PersonList(Listed[RecommendedItem]):
    """The list of a person who is not in the data."""

    ratings: str | None
    """The file with the person's ratings; None where they came from none."""
    n_ratings: int
    """Ratings of items of the split."""
    left_out: tuple[str, ...]
    """Ids or titles that are no item of the split."""
    items: tuple[RecommendedItem, ...]
    """Best first."""
    explained: bool
    """Whether reasons were asked for."""

    def to_json(self) -> dict[str, Any]:
        """ratings, n_ratings, left_out and items; each with because as in `UserList`."""
        return {
            "ratings": self.ratings, "n_ratings": self.n_ratings,
            "left_out": list(self.left_out), "items": _items(self.items, self.explained),
        }  # fmt: skip


@dataclass(frozen=True)
class SimilarList(Listed[SimilarItem]):
    """The items nearest to one item."""

    item_id: Key
    """As in the source."""
    title: str | None
    year: int | None
    items: tuple[SimilarItem, ...]
    """Nearest first."""
    name: str
    """The item for people: its title and year, or its key."""

    def to_json(self) -> dict[str, Any]:
        """item_id, title, year and items."""
        return {
            "item_id": self.item_id, "title": self.title, "year": self.year,
            "items": [dataclasses.asdict(item) for item in self.items],
        }  # fmt: skip


def _items(items: tuple[RecommendedItem, ...], explained: bool) -> list[dict[str, Any]]:
    rows = [dataclasses.asdict(item) for item in items]
    return rows if explained else [{k: v for k, v in row.items() if k != "because"} for row in rows]
