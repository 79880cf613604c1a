"""The table of published sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigrec.errors import SettingsError
from bigrec.sources.registry import SOURCES
from bigrec.sources.table.named_sets import NAMED_SETS, find_named_set, merge_options
from bigrec.sources.table.plan import ITEM, RATING, ROLES, TIME, TIME_UNITS, USER, TableOptions
from bigrec.sources.table.recognise import recognise
from bigrec.store.item_names import is_item_name

FILES: dict[str, tuple[str, str, dict[str, int]]] = {
    "amazon-2014": (
        "ratings_Toys.csv", "A3XYZ00000001,013,5.0,1365811200\n",
        {USER: 0, ITEM: 1, RATING: 2, TIME: 3},
    ),
    "amazon-2018": (
        "Toys.csv", "odd,A3XYZ00000001,5.0,1005177600\n",
        {USER: 1, ITEM: 0, RATING: 2, TIME: 3},
    ),
    "amazon-2023": (
        "Toys.csv", "user_id,parent_asin,rating,timestamp\nAF,B0,5.0,1588687728923\n",
        {USER: 0, ITEM: 1, RATING: 2, TIME: 3},
    ),
    "book-crossing": (
        "BX-Book-Ratings.csv", '"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n',
        {USER: 0, ITEM: 1, RATING: 2},
    ),
    "goodbooks": (
        "ratings.csv", "user_id,book_id,rating\n1,258,5\n", {USER: 0, ITEM: 1, RATING: 2}
    ),
    "jester": ("jester-data-1.csv", "2,-7.82,99,8.79\n1,99,99,1.00\n", {}),
    "steam": (
        "steam-200k.csv", '15,"A Game, The",purchase,1.0,0\n15,"A Game, The",play,27.5,0\n',
        {USER: 0, ITEM: 1, RATING: 3},
    ),
    "anime": ("rating.csv", "user_id,anime_id,rating\n0,430,-1\n", {USER: 0, ITEM: 1, RATING: 2}),
    "food": (
        "RAW_interactions.csv",
        'user_id,recipe_id,date,rating,review\n38094,40893,2003-02-17,4,"Good, so\ngood"\n',
        {USER: 0, ITEM: 1, TIME: 2, RATING: 3},
    ),
    "lastfm": (
        "user_artists.dat", "userID\tartistID\tweight\r\n2\t51\t13883\r\n",
        {USER: 0, ITEM: 1, RATING: 2},
    ),
    "filmtrust": ("ratings.txt", "1 9 2.5\n", {USER: 0, ITEM: 1, RATING: 2}),
    "recbole": (
        "set.inter", "user_id:token\titem_id:token\trating:float\n196\t242\t3\n",
        {USER: 0, ITEM: 1, RATING: 2},
    ),
    "libimseti": ("ratings.dat", "1,133,8\n", {USER: 0, ITEM: 1, RATING: 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_set_is_found_by_its_file_among_others(name: str, tmp_path: Path) -> None:
    file, text, columns = FILES[name]
    (tmp_path / file).write_text(text, newline="")
    (tmp_path / "other.tsv").write_text("user\titem\trating\n1\t2\t3\n")
    plan = recognise(tmp_path, TableOptions(), NAMED_SETS[name])
    assert [part.path.name for part in plan.files] == [file]
    assert dict(plan.columns) == columns
    assert plan.no_rating == NAMED_SETS[name].options.no_rating


def test_every_set_is_tried_but_those_in_json() -> None:
    assert set(NAMED_SETS) - set(FILES) == {"yelp"}


@pytest.mark.parametrize("name", NAMED_SETS)
def test_a_set_says_only_what_can_be(name: str) -> None:
    named = find_named_set(name)
    assert named.name == name
    assert name not in SOURCES
    assert is_item_name(named.item_name)
    assert all(pattern == pattern.lower() for pattern in named.patterns + named.items_patterns)
    assert set(named.options.columns) <= set(ROLES)
    assert named.options.time_unit in (None, *TIME_UNITS)
    assert set(named.item_columns) in (set(), {"key", "title"})
    assert bool(named.item_columns) <= bool(named.items_patterns)


def test_an_unknown_set_is_told_those_that_are_known() -> None:
    with pytest.raises(SettingsError, match="unknown set 'goodbook'") as caught:
        find_named_set("goodbook")
    assert "did you mean 'goodbooks'?" in caught.value.hint


def test_what_is_said_is_put_over_what_is_known() -> None:
    known = TableOptions(columns={USER: "u", ITEM: "i"}, separator=";", no_rating=(0,))
    said = TableOptions(columns={ITEM: "j"}, header=False, no_rating_rows="implicit")
    merged = merge_options(known, said)
    assert merged == TableOptions(
        columns={USER: "u", ITEM: "j"},
        separator=";",
        header=False,
        no_rating=(0,),
        no_rating_rows="implicit",
    )
