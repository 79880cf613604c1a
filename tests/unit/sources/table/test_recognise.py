"""Files, folders and archives of ratings in the forms that people hold; every row is made up."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from bigrec.errors import DataError, SettingsError
from bigrec.sources.table.describe import describe_plan
from bigrec.sources.table.named_sets import find_named_set
from bigrec.sources.table.plan import (
    ARROW,
    ISO,
    ITEM,
    JSON_LINES,
    MILLISECONDS,
    PARQUET,
    RATING,
    SECONDS,
    TEXT,
    TIME,
    USER,
    TableOptions,
    TablePlan,
)
from bigrec.sources.table.recognise import recognise

UIRT = {USER: 0, ITEM: 1, RATING: 2, TIME: 3}
UIR = {USER: 0, ITEM: 1, RATING: 2}


@dataclass(frozen=True)
class Form:
    """A form of FORMS and what it is to be taken for."""

    text: str
    columns: Mapping[str, int]
    separator: str
    header: bool = False
    time_unit: str | None = None
    encoding: str = "utf-8"
    name: str = "ratings.csv"
    implicit: bool = False
    named: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


def _lines(*lines: str, end: str = "\n") -> str:
    return end.join(lines) + end


FORMS = {
    "MovieLens csv": Form(
        _lines("userId,movieId,rating,timestamp", "7,42,3.5,1112486027", "7,43,4,1112486100"),
        UIRT, ",", True, SECONDS,
    ),
    "MovieLens csv with tabs": Form(
        _lines("userId\tmovieId\trating\ttimestamp", "7\t42\t3.5\t1112486027"),
        UIRT, "\t", True, SECONDS,
    ),
    "tabs without header in a csv": Form(
        _lines("7\t42\t3.5\t1112486027", "8\t42\t4\t1112486028"), UIRT, "\t", False, SECONDS
    ),
    "MovieLens 10M, no last line end": Form(
        "7::42::4.5::838985046\n7::43::5::838983525", UIRT, "::", False, SECONDS
    ),
    "MovieLens without times": Form(_lines("7,42,5", "7,43,4.5"), UIR, ","),
    "MovieLens 100K": Form(
        _lines("196\t242\t3\t881250949", "186\t302\t3\t891717742"), UIRT, "\t", False, SECONDS
    ),
    "Spark's sample": Form(
        _lines("0::2::3::1424380312", "0::3::1::1424380312"), UIRT, "::", False, SECONDS
    ),
    "Netflix csv": Form(
        _lines("MovieID,UserID,Rating,Date", "8764,9,4,2005-10-04"),
        {USER: 1, ITEM: 0, RATING: 2, TIME: 3}, ",", True, ISO,
    ),
    "Amazon 2014": Form(
        _lines(
            "A3XYZ00000001,0132793040,5.0,1365811200",
            "A3XYZ00000002,1400050960,4.0,1365811200",
            "A3XYZ00000003,B000000001,4.0,1365811200",
        ),
        UIRT, ",", False, SECONDS,
    ),
    "Amazon 2018": Form(
        _lines(
            "B00005N7P0,A3XYZ00000001,5.0,1005177600", "B00005N7P1,A3XYZ0000002,4.0,1005177600"
        ),
        {USER: 1, ITEM: 0, RATING: 2, TIME: 3}, ",", False, SECONDS,
    ),
    "Amazon 2023": Form(
        _lines("user_id,parent_asin,rating,timestamp", "AFXXX,B0XXX,5.0,1588687728923"),
        UIRT, ",", True, MILLISECONDS,
    ),
    "Book-Crossing": Form(
        _lines(
            '"User-ID";"ISBN";"Book-Rating"', '"276725";"034545104X";"0"',
            '"276726";"\u00e4034545104";"5"', end="\r\n",
        ),
        UIR, ";", True, encoding="cp1252",
    ),
    "goodbooks": Form(_lines("user_id,book_id,rating", "1,258,5", "2,4081,4"), UIR, ",", True),
    "Jester": Form(
        _lines(*(",".join(["74", "-7.82", "8.79", "99"] * 25 + ["99"]) for _ in range(3))),
        {}, ",", named="jester", more={"wide": True, "no_rating": (99,)},
    ),
    "Last.fm": Form(
        _lines("userID\tartistID\tweight", "2\t51\t13883", "2\t52\t11690", end="\r\n"),
        UIR, "\t", True, name="user_artists.dat", implicit=True,
    ),
    "FilmTrust": Form(_lines("1 9 2.5", "1 2 4", "2  9 0.5"), UIR, " "),
    "Ciao": Form(_lines("1 1 3", "1 2 0", "1 1 3", end="\r\n"), UIR, " "),
    "Anime": Form(_lines("user_id,anime_id,rating", "0,430,9", "0,431,-1"), UIR, ",", True),
    "Restaurants": Form(
        _lines(
            "userID,placeID,rating,food_rating,service_rating",
            "U1077,135085,2,2,2", "U1077,135038,2,2,1",
        ),
        UIR, ",", True,
    ),
    "Yahoo": Form(_lines("0,48,1", "0,49,5"), UIR, ","),
    "RecBole": Form(
        _lines(
            "user_id:token\titem_id:token\trating:float\ttimestamp:float",
            "196\t242\t3\t881250949",
        ),
        UIRT, "\t", True, SECONDS, name="set.inter",
    ),
    "IMDb keys": Form(
        _lines("user_id,item_id,points,timestamp", "1,tt0073486,5,978300760"),
        UIRT, ",", True, SECONDS,
    ),
    "Steam": Form(
        _lines(
            '15,"A Game, The",purchase,1.0,0', '15,"A Game, The",play,27.5,0',
            "15,Other Game,play,0.4,0",
        ),
        {USER: 0, ITEM: 1, RATING: 3}, ",", name="steam-200k.csv", named="steam", implicit=True,
        more={"only": {2: "play"}},
    ),
    "LibimSeTi": Form(_lines("1,133,8", "1,720,10"), UIR, ",", named="libimseti"),
    "a separator at the end": Form(
        _lines("userId,movieId,rating", "7,42,5,", "7,43,4.5,"), UIR, ",", True
    ),
    "pairs alone": Form(_lines("user,item", "a1,b1", "a2,b2"), {USER: 0, ITEM: 1}, ",", True,
                        implicit=True),
    "Amazon's foods": Form(
        _lines(
            "Id,ProductId,UserId,ProfileName,HelpfulnessNumerator,HelpfulnessDenominator,Score,"
            "Time,Summary,Text",
            '1,B001E4KFG0,A3SGXH7AUHU8GW,some one,1,1,5,1303862400,"Good, so","So ""it""\nis"',
            '2,B001E4KFG1,A3SGXH7AUHU8GX,some two,0,0,1,1346976000,Not so,"Bad"',
        ),
        {USER: 2, ITEM: 1, RATING: 6, TIME: 7}, ",", True, SECONDS,
    ),
    "an online shop": Form(
        _lines(
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            "536365,85123A,A LAMP,6,2010-12-01 08:26:00,2.55,17850,Somewhere",
        ),
        {USER: 6, ITEM: 1, RATING: 3, TIME: 4}, ",", True, ISO, implicit=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_that_people_hold_are_recognized(form: str, tmp_path: Path) -> None:
    case = FORMS[form]
    path = tmp_path / case.name
    path.write_bytes(case.text.encode(case.encoding))
    named = find_named_set(case.named) if case.named else None
    plan = recognise(path, TableOptions(), named)
    assert plan.form == TEXT
    assert dict(plan.columns) == dict(case.columns)
    assert plan.dialect is not None
    found = (plan.dialect.separator, plan.dialect.has_header, plan.dialect.encoding)
    assert found == (case.separator, case.header, case.encoding)
    assert (plan.time_unit, plan.implicit) == (case.time_unit, case.implicit)
    assert [file.path for file in plan.files] == [path]
    for name, value in case.more.items():
        assert getattr(plan, name) == value


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_is_described_column_by_column(form: str, tmp_path: Path) -> None:
    case = FORMS[form]
    path = tmp_path / case.name
    path.write_bytes(case.text.encode(case.encoding))
    plan = recognise(path, TableOptions(), find_named_set(case.named) if case.named else None)
    shown = describe_plan(plan)
    assert {row[1]: row[0] for row in shown.rows if row[1] in case.columns} == {
        role: plan.names[position] for role, position in case.columns.items()
    }
    assert all(len(row) == len(shown.headings) for row in shown.rows)
    assert shown.fields["header"] == ("yes" if case.header else "no")


def test_rows_of_netflix_without_header_are_a_question(tmp_path: Path) -> None:
    path = tmp_path / "netflix.tsv"
    path.write_text("8764\t9\t4\t2005-10-04\n8764\t12\t3\t2005-10-05\n")
    with pytest.raises(DataError, match="which column is the user, which the item") as caught:
        recognise(path, TableOptions())
    assert "--columns user=1,item=2,time=4" in caught.value.hint
    said = TableOptions(columns={"user": "2", "item": "1"})
    assert dict(recognise(path, said).columns) == {USER: 1, ITEM: 0, RATING: 2, TIME: 3}


ROWS = b"user_id,item_id,rating\nu1,i1,3\nu2,i2,4.5\n"


def test_a_table_is_found_however_it_is_packed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(ROWS))
    (tmp_path / "gzip without ending").write_bytes(gzip.compress(ROWS))
    stream = pa.BufferOutputStream()
    with pa.CompressedOutputStream(stream, "zstd") as target:
        target.write(ROWS)
    (tmp_path / "a.csv.zst").write_bytes(stream.getvalue().to_pybytes())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/ratings.csv", ROWS)
        archive.writestr("__MACOSX/set/._ratings.csv", b"\0\1")
        archive.writestr("set/README.txt", b"words about it\n")
        archive.writestr("set/items.csv", b"item_id,title\ni1,One\n")
    for path in sorted(tmp_path.iterdir()):
        plan = recognise(path, TableOptions())
        assert dict(plan.columns) == UIR, path
        assert plan.examples == (("u1", "i1", "3"), ("u2", "i2", "4.5"))


def test_a_folder_of_parts_is_one_table_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"part-{number}.csv").write_bytes(ROWS)
    (tmp_path / "part-11.csv").write_bytes(b"user_id,item_id,rating\n")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / "part-3.csv").write_bytes(b"")
    plan = recognise(tmp_path, TableOptions())
    assert [file.path.stem for file in plan.files] == ["part-1", "part-2", "part-10", "part-11"]


def test_a_part_with_other_columns_is_told(tmp_path: Path) -> None:
    (tmp_path / "part-1.csv").write_bytes(ROWS)
    (tmp_path / "part-2.csv").write_bytes(b"item_id,user_id,rating\ni1,u1,3\n")
    with pytest.raises(DataError, match=r"part-2\.csv has other columns than .*part-1\.csv"):
        recognise(tmp_path, TableOptions())


def test_the_table_of_ratings_is_found_beside_others(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_bytes(ROWS)
    (tmp_path / "items.csv").write_bytes(b"item_id,title,year\ni1,One,1999\n")
    (tmp_path / "to_read.csv").write_bytes(b"user_id,item_id\nu1,i1\n")
    (tmp_path / "readme.md").write_bytes(b"# words\n")
    plan = recognise(tmp_path, TableOptions())
    assert [file.path.name for file in plan.files] == ["ratings.csv"]


def test_two_tables_of_ratings_are_a_question_that_lists_them(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(ROWS)
    (tmp_path / "test.csv").write_bytes(ROWS)
    with pytest.raises(DataError, match=r"test\.csv, train\.csv") as caught:
        recognise(tmp_path, TableOptions())
    assert caught.value.hint == f"give one of them, for example {tmp_path / 'test.csv'}"


def test_a_named_set_knows_its_file_among_others(tmp_path: Path) -> None:
    (tmp_path / "ratings.txt").write_bytes(b"1 9 2.5\n2 9 4\n")
    (tmp_path / "trust.txt").write_bytes(b"2 966 1\n2 104 1\n")
    plan = recognise(tmp_path, TableOptions(), find_named_set("filmtrust"))
    assert [file.path.name for file in plan.files] == ["ratings.txt"]
    with pytest.raises(DataError, match="no ratings of Yelp reviews"):
        recognise(tmp_path, TableOptions(), find_named_set("yelp"))


def test_what_somebody_says_stands_above_what_a_set_knows(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(b"User-ID;ISBN;Book-Rating;other\n1;2;0;4\n1;3;5;5\n")
    named = find_named_set("book-crossing")
    assert recognise(path, TableOptions(), named).no_rating == (0,)
    said = TableOptions(columns={"rating": "other"}, no_rating_rows="implicit")
    plan = recognise(path, said, named)
    assert (plan.columns[RATING], plan.no_rating_rows, plan.implicit) == (3, "implicit", True)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"user_id,item_id,rating\n", "a header and no rows"),
        ("a.csv", ROWS.decode().encode("utf-16"), "UTF-16 text"),
        ("a.csv", ROWS.decode().encode("utf-16-le"), "UTF-16 text"),
        ("a.csv", ROWS.replace(b"\n", b"\r"), "carriage return alone"),
        ("a.csv", ROWS.decode().encode("utf-16-be"), "UTF-16 text"),
        ("a.json", b'{"user": 1, "item": 2}\n'.decode().encode("utf-16-le"), "UTF-16 text"),
        ("a.csv", ROWS.replace(b"user", b"us\0r"), "found NUL bytes in its first lines"),
        ("a.pdf", b"%PDF-1.4", "is a PDF file"),
        ("a.db", b"SQLite format 3\0", "is an SQLite file"),
        ("a.csv.gz", gzip.compress(ROWS * 1000, mtime=0)[:60], "cannot be read"),
        ("a.csv", b"word\nother\n", "found no separator"),
        ("a.csv", b"user,item,rating\nu1,i1,good\n", "expected numbers"),
        ("a.csv", b"user;item;rating\nu1;i1;3,5\n", "decimal commas"),
    ],
)
def test_what_is_no_table_is_named_as_what_it_is(
    name: str, data: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=expected):
        recognise(tmp_path / name, TableOptions())


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_letter_far_behind_the_beginning_decides_the_encoding(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.csv"
    row = "u\u00fc,i1,3\n".encode(encoding)
    path.write_bytes(b"user_id,item_id,rating\n" + b"u1,i1,3\n" * 500_000 + row)
    dialect = recognise(path, TableOptions()).dialect
    assert dialect is not None
    assert dialect.encoding == encoding


def test_an_excel_workbook_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ratings.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(DataError, match="an Excel workbook") as caught:
        recognise(tmp_path / "ratings.xlsx", TableOptions())
    assert caught.value.hint == "save its sheet as csv"


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)
    with pytest.raises(SettingsError, match="unknown column 'itm_id'") as caught:
        recognise(tmp_path / "a.csv", TableOptions(columns={"item": "itm_id"}))
    assert "did you mean 'item_id'? valid: user_id, item_id, rating" in caught.value.hint


def test_a_long_table_is_judged_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"user_id,item_id,rating\n" + b"u1,i1,3\n" * 400_000)
    plan: TablePlan = recognise(path, TableOptions())
    assert dict(plan.columns) == UIR


AMAZON = (
    b'{"overall": 5.0, "verified": true, "reviewTime": "03 6, 2014", "reviewerID": "A3XYZ",'
    b' "asin": "B00XY", "style": {"Size:": " L"}, "unixReviewTime": 1394064000, "vote": "2"}\n'
)
YELP = (
    b'{"review_id":"q1","user_id":"mh_-e","business_id":"XQf","stars":3.0,"useful":0,'
    b'"text":"t","date":"2018-07-07 22:09:11"}\n'
)


@pytest.mark.parametrize(
    ("line", "named", "names", "unit"),
    [
        (AMAZON, "", ("reviewerID", "asin", "overall", "unixReviewTime"), SECONDS),
        (AMAZON, "amazon-2018", ("reviewerID", "asin", "overall", "unixReviewTime"), SECONDS),
        (YELP, "", ("user_id", "business_id", "stars", "date"), ISO),
        (YELP, "yelp", ("user_id", "business_id", "stars", "date"), ISO),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_json_lines_are_recognized_by_their_first_character(
    line: bytes,
    named: str,
    names: tuple[str, ...],
    unit: str,
    pack: Callable[[bytes], bytes],
    tmp_path: Path,
) -> None:
    pytest.importorskip("bigrec.sources.table.json_lines")
    (tmp_path / "reviews").write_bytes(pack(line * 3))
    found = recognise(
        tmp_path / "reviews", TableOptions(), find_named_set(named) if named else None
    )
    assert found.form == JSON_LINES
    assert tuple(found.names[position] for position in found.columns.values()) == names
    assert (found.time_unit, found.implicit) == (unit, False)


@pytest.mark.parametrize("form", [PARQUET, ARROW])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_of_columns_are_recognized_whatever_they_are_called(
    form: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    pytest.importorskip("bigrec.sources.table.columnar")
    table = pa.table({"item_id": [7, 8], "stars": [1.0, 4.5], "user_id": ["a", "b"]})
    target = pa.BufferOutputStream()
    if form == PARQUET:
        pq.write_table(table, target)
    else:
        feather.write_feather(table, target)
    for year in (2019, 2020):
        (tmp_path / "set" / f"year={year}").mkdir(parents=True)
        path = tmp_path / "set" / f"year={year}" / "part-0"
        path.write_bytes(pack(target.getvalue().to_pybytes()))
    plan = recognise(tmp_path / "set", TableOptions())
    assert plan.form == form
    assert dict(plan.columns) == {USER: 2, ITEM: 0, RATING: 1}
    assert len(plan.files) == 2
