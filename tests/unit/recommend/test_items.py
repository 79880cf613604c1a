"""Finding items by what people type, and reading what a person has rated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bigrec.errors import DataError
from bigrec.recommend.items import Items
from bigrec.recommend.person import read_person
from bigrec.rows import DataSpec

ITEMS = Items(
    np.array([2, 5, 9, 30, 31, 300], np.int32),
    ("Alien", "Aliens", "Solaris", "Solaris", None, "2"),
    (1979, 1986, 1972, 2002, None, 2014),
)
SPEC = DataSpec(4, 6, 3.0, 0.5, 5.0)


@pytest.mark.parametrize(
    ("text", "item_id"),
    [
        ("5", 5),
        ("ALIEN", 2),  # a whole title, though another has it as a part
        ("aliens", 5),
        (" Alien (1979) ", 2),
        ("solaris (2002)", 30),
        ("item 31", 31),
        ("2", 2),  # an id, though also a title
        ("2 (2014)", 300),
        ("tem 3", 31),  # a part
    ],
)
def test_an_item_is_found(text: str, item_id: int) -> None:
    position = ITEMS.find(text)
    assert position is not None
    assert ITEMS.ids[position] == item_id


def test_what_fits_several_lists_them() -> None:
    with pytest.raises(DataError) as error:
        ITEMS.find("SOLARIS")
    assert "9 Solaris (1972); 30 Solaris (2002)" in error.value.message
    assert "whole title with the year" in error.value.hint


def test_what_fits_none_is_said_with_the_nearest() -> None:
    assert ITEMS.find("Alein") is None
    assert ITEMS.find("") is None
    assert ITEMS.find("1979") is None
    with pytest.raises(DataError, match="no item of the split") as error:
        ITEMS.require("Alein")
    assert "2 Alien (1979)" in error.value.hint


def test_many_candidates_are_counted() -> None:
    many = Items(np.arange(1, 31, dtype=np.int32), ("It",) * 30, (None,) * 30)
    with pytest.raises(DataError, match=r"30 items are called 'it'.*; and 18 more"):
        many.find("it")


def test_a_persons_ratings_are_sorted_and_what_is_unknown_is_told(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text('title,rating\nsolaris (1972),4.5\n"Brazil",5\nalien,1\n')
    person = read_person(path, ITEMS, SPEC)
    assert person.item_index.tolist() == [0, 2]
    assert person.rating.tolist() == [1.0, 4.5]
    assert person.left_out == ("Brazil",)
    assert person.rows.n_rows == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "title,rating\nalien,6\n",
            "line 2: found 'alien' rated 6.0, expected a title",
        ),
        ("title,rating\nalien,\n", "line 2: found 'alien' rated None"),
        ("title,rating\nalien,4\nsolaris,3\n", "line 3: 2 items are called 'solaris'"),
        ("item_id,rating\n2,4\n2,3\n", "line 3: Alien \\(1979\\) is rated twice"),
        ("item_id,rating\nalien,4\n", "line 2: found 'alien', expected an item_id"),
        ("item_id,rating\n77,4\n", "none of its 1 items is in the split"),
        ("film,rating\nalien,4\n", "expected the columns item_id or title"),
        ("title,rating\nalien,good\n", "rating as a number"),
        ("", "cannot be read as ratings"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_person(path, ITEMS, SPEC)


KEYED = Items(
    np.array([3, 7, 9, 12], np.int32), ("Alien", None, None, "abc"), (1979, None, None, None),
    pl.Series(["B007", "007", "ABC", "Ä"]),
)  # fmt: skip


def test_a_key_is_found_letter_by_letter_and_goes_before_titles() -> None:
    found = {text: KEYED.find(text) for text in ("B007", "007", "ABC", "abc", "Ä", "alien (1979)")}
    assert list(found.values()) == [0, 1, 2, 3, 3, 0]
    assert [KEYED.find(text) for text in ("7", "b007", "0007", " 007", "ä", "B00", "")] == [
        None
    ] * 7
    with pytest.raises(DataError, match="no item of the split has the id or the title 'b007'"):
        KEYED.require("b007")


def test_an_item_without_a_title_is_called_by_its_key() -> None:
    assert [KEYED.name(position) for position in range(4)] == ["Alien (1979)", "007", "ABC", "abc"]
    assert [KEYED.key(position) for position in range(4)] == ["B007", "007", "ABC", "Ä"]
    with pytest.raises(DataError, match=r"did you mean|has the id") as caught:
        KEYED.require("alein")
    assert "B007 Alien (1979)" in caught.value.hint
