"""Published sets of ratings that people have on disk: what their files are called and hold.

A row of this table says what recognition cannot see, such as that 0 is no rating; all else is
recognized as in any other table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from bigrec.errors import SettingsError
from bigrec.sources.table.plan import (
    BLANKS,
    ISO,
    ITEM,
    MILLISECONDS,
    RATING,
    SECONDS,
    TIME,
    USER,
    TableOptions,
)
from bigrec.store.item_names import ITEM as ITEM_NAME


@dataclass(frozen=True)
class NamedSet:
    """One published set, or one form in which sets are published."""

    name: str
    """What `--source` calls it."""
    title: str
    """What people call it."""
    patterns: tuple[str, ...]
    """Names of its files of ratings, as in `fnmatch`, in lower case and without a suffix of
    compression; the first that is there is taken."""
    options: TableOptions = field(default_factory=TableOptions)
    """What is known of its ratings; positions of columns are those of text."""
    item_name: str = ITEM_NAME
    """What an item of it is called."""
    items_patterns: tuple[str, ...] = ()
    """Names of its file of items, as `patterns`."""
    item_columns: Mapping[str, str] = field(default_factory=dict)
    """The columns of that file: key and title, by their names or positions from 1."""


def _text(separator: str, columns: str, **more: Any) -> TableOptions:
    """What is known of text without a header.

    Args:
        separator: between fields.
        columns: roles in the order of the columns; a dash is another column.
        more: further fields of the options.
    """
    positions = {
        role: f"{position}" for position, role in enumerate(columns.split(), start=1) if role != "-"
    }
    absent = {role: "none" for role in (RATING, TIME) if role not in positions}
    return TableOptions(columns={**positions, **absent}, separator=separator, header=False, **more)


_ALL: Final = (
    NamedSet(
        "amazon-2014",
        "Amazon reviews of 2014, ratings only",
        ("ratings_*.csv", "item_dedup.csv", "user_dedup.csv"),
        _text(",", f"{USER} {ITEM} {RATING} {TIME}", time_unit=SECONDS),
        "product",
    ),
    NamedSet(
        "amazon-2018",
        "Amazon reviews of 2018, ratings only (csv) or whole reviews (JSON lines)",
        ("*.csv", "*_5.json", "*.json"),
        _text(",", f"{ITEM} {USER} {RATING} {TIME}", time_unit=SECONDS),
        "product",
    ),
    NamedSet(
        "amazon-2023",
        "Amazon reviews of 2023",
        ("*.csv", "*.jsonl"),
        TableOptions(
            columns={USER: "user_id", ITEM: "parent_asin", RATING: "rating", TIME: "timestamp"},
            time_unit=MILLISECONDS,
        ),
        "product",
        ("meta_*.jsonl",),
        {"key": "parent_asin", "title": "title"},
    ),
    NamedSet(
        "book-crossing",
        "Book-Crossing",
        ("bx-book-ratings.csv", "book-ratings.csv", "ratings.csv", "*ratings*.csv"),
        TableOptions(no_rating=(0,)),
        "book",
        ("bx-books.csv", "bx_books.csv", "books.csv"),
        {"key": "ISBN", "title": "Book-Title"},
    ),
    NamedSet(
        "goodbooks",
        "goodbooks-10k",
        ("ratings.csv",),
        TableOptions(columns={USER: "user_id", ITEM: "book_id", RATING: "rating", TIME: "none"}),
        "book",
        ("books.csv",),
        {"key": "book_id", "title": "title"},
    ),
    NamedSet(
        "jester",
        "Jester, a line for each user",
        ("jester-data-*", "jester*data*", "*jester*"),
        TableOptions(header=False, no_rating=(99,), wide=True),
        "joke",
    ),
    NamedSet(
        "yelp",
        "Yelp reviews",
        ("yelp_academic_dataset_review.json", "*review*.json", "*review*"),
        TableOptions(
            columns={USER: "user_id", ITEM: "business_id", RATING: "stars", TIME: "date"},
            time_unit=ISO,
        ),
        "business",
        ("yelp_academic_dataset_business.json", "*business*.json"),
        {"key": "business_id", "title": "name"},
    ),
    NamedSet(
        "steam",
        "Steam, hours of play of 200,000 rows",
        ("steam-200k.csv", "*steam*"),
        _text(",", f"{USER} {ITEM} - {RATING} -", implicit=True, only={"3": "play"}),
        "game",
    ),
    NamedSet(
        "anime",
        "Anime ratings of MyAnimeList",
        ("rating.csv", "animelist.csv", "rating_complete.csv", "*rating*.csv"),
        TableOptions(no_rating=(-1, 0)),
        "anime",
        ("anime.csv",),
        {"key": "anime_id", "title": "name"},
    ),
    NamedSet(
        "food",
        "Food.com",
        ("raw_interactions.csv", "interactions_train.csv"),
        TableOptions(
            columns={USER: "user_id", ITEM: "recipe_id", RATING: "rating", TIME: "date"},
            no_rating=(0,),
        ),
        "recipe",
        ("raw_recipes.csv",),
        {"key": "id", "title": "name"},
    ),
    NamedSet(
        "lastfm",
        "Last.fm of HetRec 2011, plays",
        ("user_artists.dat", "*user_artists*"),
        TableOptions(
            columns={USER: "userID", ITEM: "artistID", RATING: "weight", TIME: "none"},
            implicit=True,
        ),
        "artist",
        ("artists.dat",),
        {"key": "id", "title": "name"},
    ),
    NamedSet(
        "filmtrust",
        "FilmTrust",
        ("ratings.txt", "*rating*"),
        _text(BLANKS, f"{USER} {ITEM} {RATING}"),
        "movie",
    ),
    NamedSet(
        "recbole",
        "a set in atomic files of RecBole",
        ("*.inter",),
        TableOptions(header=True),
        items_patterns=("*.item",),
    ),
    NamedSet(
        "libimseti",
        "LibimSeTi, ratings of profiles",
        ("ratings.dat", "*ratings*"),
        _text(",", f"{USER} {ITEM} {RATING}"),
        "profile",
    ),
)
NAMED_SETS: Final[Mapping[str, NamedSet]] = {named.name: named for named in _ALL}
"""All of them by their names."""


def find_named_set(name: str) -> NamedSet:
    """The set of this name.

    Raises:
        SettingsError: there is none.
    """
    if name not in NAMED_SETS:
        raise SettingsError.unknown_name("set", name, NAMED_SETS)
    return NAMED_SETS[name]


def merge_options(named: TableOptions, said: TableOptions) -> TableOptions:
    """What is known of a set, with what somebody says of the files in its place.

    Args:
        named: of the set.
        said: of the files; a field that is as by default says nothing.
    """
    default = TableOptions()
    changed = {
        option.name: getattr(said, option.name)
        for option in fields(said)
        if getattr(said, option.name) != getattr(default, option.name)
    }
    columns = {"columns": {**named.columns, **said.columns}}
    return replace(named, **{**changed, **columns})
