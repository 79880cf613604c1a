"""What people give as csv: read as it is meant, or refused with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bigrec.errors import DataError, RawFormatError
from bigrec.recommend.items import Items
from bigrec.recommend.pairs import read_pairs
from bigrec.recommend.person import read_person
from bigrec.rows import DataSpec
from bigrec.splits.spec import read_id_list

ITEMS = Items(np.array([3, 7, 9], np.int32), ("Alien", "Brazil", "Casablanca"), (1979, 1985, 1942))
SPEC = DataSpec(1, 3, 3.0, 1.0, 5.0)

SOUND_PAIRS = {
    "plain": b"user_id,item_id\n8,2\n9,3\n",
    "without a last line end": b"user_id,item_id\n8,2\n9,3",
    "a byte order mark": b"\xef\xbb\xbfuser_id,item_id\n8,2\n9,3\n",
    "line ends of Windows": b"user_id,item_id\r\n8,2\r\n9,3\r\n",
    "line ends of old Macs": b"user_id,item_id\r8,2\r9,3\r",
    "empty lines at the end": b"user_id,item_id\n8,2\n9,3\n\n\n",
    "quotes": b'"user_id","item_id"\n"8","2"\n9,"3"\n',
    "spaces": b"user_id, item_id\n 8 , 2\n9,3\n",
    "other columns": b"item_id,note,user_id\n2,a,8\n3,,9\n",
    "signs": b"user_id,item_id\n+8,2\n9,+3\n",
}


@pytest.mark.parametrize("form", SOUND_PAIRS)
def test_pairs_are_read_in_every_usual_form(form: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(SOUND_PAIRS[form])
    assert read_pairs(path).to_dict(as_series=False) == {"user_id": [8, 9], "item_id": [2, 3]}


def test_pairs_stand_in_their_order_however_often(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("user_id,item_id\n9,3\n8,2\n9,3\n")
    assert read_pairs(path).rows() == [(9, 3), (8, 2), (9, 3)]


def test_dates_are_days_and_no_date_is_an_unknown_day(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("user_id,item_id,date\n8,2,2005-12-31\n9,3,\n9,3,1969-07-20\n")
    dated = read_pairs(path, with_dates=True)
    assert dated.schema["date"] == pl.Date
    assert dated["date"].cast(pl.String).to_list() == ["2005-12-31", None, "1969-07-20"]
    assert read_pairs(path).columns == ["user_id", "item_id"]


BAD_PAIRS: dict[str, tuple[bytes, str]] = {
    "no user": (b"user_id,item_id\n8,2\n,3\n", "line 3: found '', expected a whole number"),
    "no item": (b"user_id,item_id\n8,2\n8,\n", "line 3: found '', expected a whole number"),
    "a space as an id": (b"user_id,item_id\n8, \n", "line 2: found ' ', expected a whole number"),
    "a short row": (b"user_id,item_id\n8,2\n8\n", "line 3: found '8', expected one value"),
    "a long row": (b"user_id,item_id\n8,2,1\n", "line 2: found '8,2,1', expected one value"),
    "an empty line between": (b"user_id,item_id\n8,2\n\n9,3\n", "line 3: found '', expected one"),
    "a float": (b"user_id,item_id\n8.0,2\n", "line 2: found '8.0', expected a whole number"),
    "a word": (b"user_id,item_id\n8,two\n", "line 2: found 'two', expected a whole number"),
    "no number": (b"user_id,item_id\nnan,2\n", "line 2: found 'nan', expected a whole number"),
    "an underscore": (b"user_id,item_id\n1_0,2\n", "line 2: found '1_0', expected a whole"),
    "other digits": ("user_id,item_id\n٣,2\n".encode(), "line 2: found '٣', expected a whole"),
    "a huge number": (b"user_id,item_id\n1" + 30 * b"0" + b",2\n", "line 2: found '1000"),
    "a very long one": (b"user_id,item_id\n" + 5000 * b"9" + b",2\n", "line 2: found '9999"),
    "no header": (
        b"8,2\n9,3\n",
        "line 1: found the header '8,2', expected the columns user_id and item_id",
    ),
    "one column": (
        b"user_id\n8\n",
        "line 1: found the header 'user_id', expected the columns user_id and",
    ),
    "semicolons": (
        b"user_id;item_id\n8;2\n",
        "line 1: found the header 'user_id;item_id', expected the",
    ),
    "a column twice": (
        b"user_id,item_id,user_id\n8,2,9\n",
        "line 1: found the header 'user_id,item_id,",
    ),
    "nothing": (
        b"",
        "cannot be read as pairs: found no text in line 1, expected the columns user_id",
    ),
    "empty lines": (b"\n\n", "found no text in line 1"),
    "a header": (b"user_id,item_id\n", "has no pair"),
    "an open quote": (
        b'user_id,item_id\n8,2\n"8,2\n9,3\n',
        "line 3: found '\"8,2', expected quotes",
    ),
    "a quote within": (b'user_id,item_id\n"8"x,2\n', "line 2: found '\"8\"x,2', expected quotes"),
    "an endless quote": (b'user_id,item_id\n"' + 50_000 * b"8,2\n", "line 2: found"),
    "latin-1": (
        b"user_id,item_id\r\n8,2\r\nM\xfcller,2\r\n",
        "line 3: found 'Mü', expected text in",
    ),
    "utf-16": ("user_id,item_id\n8,2\n".encode("utf-16"), "is UTF-16 text"),
    "Parquet": (b"PAR1....PAR1", "is a Parquet file"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "is a gzip file"),
    "zip": (b"PK\x03\x04rest", "is a zip archive"),
    "a zero byte": (b"user_id,item_id\n8\x00,2\n", "line 2: found '8\\x00', expected a whole"),
    "a date that is none": (
        b"user_id,item_id,date\n8,2,2005-02-30\n",
        "line 2: found '2005-02-30'",
    ),
    "a date of another form": (b"user_id,item_id,date\n8,2,20051231\n", "expected YYYY-MM-DD"),
}


@pytest.mark.parametrize("fault", BAD_PAIRS)
def test_what_is_no_pair_is_refused_with_its_line(fault: str, tmp_path: Path) -> None:
    content, words = BAD_PAIRS[fault]
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    refuses(lambda: read_pairs(path, with_dates=True), str(path), words)


BAD_RATINGS: dict[str, tuple[bytes, str]] = {
    "no item": (b"item_id,rating\n7,4\n,4\n", "line 3: found '' rated 4.0, expected an item_id"),
    "no title": (b"title,rating\nBrazil,4\n ,4\n", "line 3: found ' ' rated 4.0, expected a title"),
    "no rating": (
        b"title,rating\nBrazil,\n",
        "line 2: found 'Brazil' rated None, expected a title",
    ),
    "a short row": (b"title,rating\nBrazil\n", "line 2: found 'Brazil', expected one value"),
    "a decimal comma": (b"title,rating\nBrazil,4,5\n", "line 2: found 'Brazil,4,5', expected one"),
    "no number": (b"title,rating\nBrazil,nan\n", "line 2: found 'Brazil' rated nan, expected"),
    "infinite": (b"title,rating\nBrazil,inf\n", "line 2: found 'Brazil' rated inf, expected"),
    "infinite by its exponent": (
        b"title,rating\nBrazil,1e999\n",
        "line 2: found 'Brazil' rated inf",
    ),
    "above the scale": (
        b"title,rating\nBrazil,6\n",
        "rated 6.0, expected a title, and a rating as",
    ),
    "below the scale": (b"title,rating\nBrazil,0.5\n", "rating as a number from 1 to 5"),
    "a word": (b"title,rating\nBrazil,good\n", "line 2: found 'Brazil' rated good, expected"),
    "other digits": (
        "title,rating\nBrazil,٣\n".encode(),
        "line 2: found 'Brazil' rated ٣, expected",
    ),
    "a float as an id": (b"item_id,rating\n7.0,4\n", "line 2: found '7.0', expected an item_id"),
    "a title as an id": (
        b"item_id,rating\nBrazil,4\n",
        "line 2: found 'Brazil', expected an item_id",
    ),
    "twice": (b"title,rating\nBrazil,4\nbrazil,5\n", "line 3: Brazil (1985) is rated twice"),
    "no item column": (b"film,rating\nBrazil,4\n", "expected the columns item_id or title, and"),
    "no rating column": (b"title,stars\nBrazil,4\n", "expected the columns item_id or title, and"),
    "a header": (b"title,rating\n", "has no rating"),
    "an open quote": (
        b'title,rating\nAlien,3\n"Brazil,4\n',
        "line 3: found '\"Brazil,4', expected",
    ),
    "latin-1": (b"title,rating\nAm\xe9lie,4\n", "line 2: found 'Amé', expected text in UTF-8"),
}


@pytest.mark.parametrize("fault", BAD_RATINGS)
def test_what_is_no_rating_is_refused_with_its_line(fault: str, tmp_path: Path) -> None:
    content, words = BAD_RATINGS[fault]
    path = tmp_path / "my.csv"
    path.write_bytes(content)
    refuses(lambda: read_person(path, ITEMS, SPEC), str(path), words)


def test_ratings_are_found_by_id_and_by_title(tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_bytes(
        '\ufefftitle,rating\r\n"brazil",4.5\r\nAlien (1979), 3 \r\nMétropolis,5\r\n'.encode()
    )
    person = read_person(path, ITEMS, SPEC)
    assert person.item_index.tolist() == [0, 1]
    assert person.rating.tolist() == [3, 4.5]
    assert person.left_out == ("Métropolis",)


@pytest.mark.parametrize("read", [read_pairs, lambda path: read_person(path, ITEMS, SPEC)])
def test_a_name_is_no_pattern(read: Any, tmp_path: Path) -> None:
    for name in ("p1.csv", "pax.csv"):
        (tmp_path / name).write_text("user_id,item_id,rating\n1,3,1\n1,7,1\n1,9,1\n")
    for name in ("p[1].csv", "p*x.csv", "p?.csv", "p q's.csv", "{p1}.csv", "~.csv", "%20.csv"):
        refuses(lambda name=name: read(tmp_path / name), name, "is missing")
        (tmp_path / name).write_text("user_id,item_id,rating\n8,3,4\n")
        found = read(tmp_path / name)
        assert len(found if isinstance(found, pl.DataFrame) else found.rating) == 1


@pytest.mark.parametrize("read", [read_pairs, lambda path: read_person(path, ITEMS, SPEC)])
def test_what_is_no_file_is_refused(read: Any, tmp_path: Path) -> None:
    refuses(lambda: read(tmp_path), str(tmp_path), "is a folder")
    refuses(lambda: read(Path("/dev/zero")), "/dev/zero", "is no file")
    refuses(lambda: read(tmp_path / ("x" * 300)), "xxx", "cannot be read")
    refuses(lambda: read(tmp_path / "a\0b"), "b", "cannot be read")


def refuses(read: Any, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        read()
    for word in words:
        assert word in caught.value.message
    assert caught.value.exit_code == 3
    assert (
        caught.value.hint or "expected" in caught.value.message or "cannot" in caught.value.message
    )


def test_a_column_may_have_the_sources_name_for_items(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("user_id,movie_id\n8,2\n9,3\n")
    assert read_pairs(path, item_name="movie").rows() == [(8, 2), (9, 3)]
    refuses(lambda: read_pairs(path), str(path), "expected the columns user_id and item_id")
    path.write_text("user_id,item_id,movie_id\n8,2,4\n")  # as SQL writes both
    assert read_pairs(path, item_name="movie").rows() == [(8, 2)]
    path.write_text("movie_id,rating\n7,4\n")
    person = read_person(path, ITEMS, SPEC, item_name="movie")
    path.write_text("item_id,rating\n7,4\n")
    assert person.rating.tolist() == read_person(path, ITEMS, SPEC).rating.tolist()
    path.write_text("movie_id\n7\n3\n")
    assert read_id_list(path, "item_id", "movie_id") == (3, 7)


KEYED = Items(
    np.array([3, 7, 9], np.int32), ("Alien", None, None), (1979, None, None),
    pl.Series(["007", "7", " 7"]),
)  # fmt: skip


def test_keys_in_pairs_are_texts_of_which_nothing_is_trimmed(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text('user_id,item_id\n007, 7\n"a,b", \n 5 ,"say ""hi"""\n')
    pairs = read_pairs(path, user_keys=True, item_keys=True)
    assert pairs.rows() == [("007", " 7"), ("a,b", " "), (" 5 ", 'say "hi"')]
    path.write_text("user_id,item_id\n007, 7\n")
    assert read_pairs(path, user_keys=True).rows() == [("007", 7)]
    assert read_pairs(path, item_keys=True).rows() == [(7, " 7")]
    path.write_text("user_id,item_id\n7,7\n,7\n")
    with pytest.raises(RawFormatError, match="line 3: found '', expected an id as user_id"):
        read_pairs(path, user_keys=True)


def test_a_person_rates_by_keys_letter_by_letter(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("item_id,rating\n7,1\n 7,2\n7 ,3\n007,4\nAlien,5\n ,5\n")
    person = read_person(path, KEYED, SPEC)
    assert person.item_index.tolist() == [0, 1, 2]
    assert person.rating.tolist() == [4, 1, 2]
    assert person.left_out == ("7 ", "Alien", " ")
    path.write_text("item_id,rating\n,1\n")
    with pytest.raises(DataError, match=r"line 2: found '' rated 1\.0, expected an item_id"):
        read_person(path, KEYED, SPEC)
    path.write_text("item_id,rating\n0007,1\n")
    with pytest.raises(DataError, match="none of its 1 items") as caught:
        read_person(path, KEYED, SPEC)
    assert "SELECT key, title FROM items" in caught.value.hint
