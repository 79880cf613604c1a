"""Each fault of a line is put down to the field that has it, and the rest of the file is kept."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import rating_text, some_rows, write_netflix

from bigrec.cli.app import main
from bigrec.errors import RawFormatError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.store.catalog import open_catalog

RATINGS = {
    "1,2,4": "timestamp in seconds behind the rating; the line ends before it",
    "1,2,4\r": "timestamp in seconds behind the rating",
    "1,2": "a rating behind the ids",
    "1": "user, item, rating and timestamp",
    "1,2,4,": "a timestamp",
    "1,2,4,-1": "a timestamp",
    "1,2,4,1.5e9": "a timestamp in whole seconds",
    "1,2,4,964982703000": "a timestamp in whole seconds",
    "1,2,4,99999999999999999999": "a timestamp in whole seconds",
    "1,2,4,100,5": "there are more",
    "1,2,4,5,100": "there are more",
    ",2,4,100": "an id of a user",
    "1,,4,100": "an id of an item",
    "1,2,,100": "written as 4, 4.0 or 3.5",
    "0,2,4,100": "an id of a user",
    "2147483647,2,4,100": "an id of a user",
    "01,2,4,100": "an id of a user",
    "1.0,2,4,100": "an id of a user",
    "1,2.0,4,100": "an id of an item",
    "1,0,4,100": "an id of an item",
    "1,-2,4,100": "an id of an item",
    "1;2;4;100": "set apart by the file's separator",
    "1 ,2,4,100": "set apart by the file's separator",
    '"1",2,4,100': "an id of a user",
    **{f"1,2,{form},100": "written as 4, 4.0 or 3.5" for form in
       ("4.", ".5", "04", "+4", "4e0", " 4", "4 ", "-4", "4.25", "4.05", "4.50001", "5.5", "0",
        "0.0", "10", "nan", "\u0664")},
}  # fmt: skip


@pytest.mark.parametrize("line", RATINGS)
def test_the_field_at_fault_of_a_movielens_line_is_named(line: str, tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "raw", "csv")
    with (raw / "ratings.csv").open("ab") as file:
        file.write(f"{line}\n9,31,4.00,100\n".encode())
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert caught.value.line == 5
    assert RATINGS[line] in caught.value.expected
    summary = ingest_ratings(raw, tmp_path / "store", options=IngestOptions(on_error="skip"))
    assert (summary.n_ratings, summary.n_rejected) == (4, 1)


@pytest.mark.parametrize(
    ("form", "stars"), [("4.00", 4), ("4.50", 4.5), ("0.5000", 0.5), ("5.0", 5), ("3", 3)]
)
def test_half_stars_are_taken_with_any_zeros_behind_them(
    form: str, stars: float, tmp_path: Path
) -> None:
    raw = write_movielens(tmp_path / "raw", "csv")
    (raw / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n1,31,{form},4102444799")
    ingest_ratings(raw, tmp_path / "store")
    (row,) = open_catalog(tmp_path / "store").ratings().collect().rows()
    assert (row[2], str(row[3])) == (stars, "2099-12-31")


NETFLIX = {
    "5,3": "a day such as 2005-09-06 behind the rating",
    "5,3,": "a day of the calendar",
    "5,3,0000-00-00": "a day of the calendar",
    "5,3,9999-12-31": "a day of the calendar",
    "5,3,2149-06-07": "a day of the calendar",
    "5,3,2005-1-1": "written as 2005-09-06",
    "5,,2005-01-01": "whole stars",
    "5,33,2005-01-01": "whole stars",
    "5,3.5,2005-01-01": "whole stars",
    "5,3,2005-01-01,": "the end of the line",
    "5": "a line such as '1488844,3,2005-09-06'",
    ",3,2005-01-01": "a line such as",
    "2147483647,3,2005-01-01": "an id from 1",
    "05,3,2005-01-01": "an id from 1",
}
PAIRS = {
    ("probe.txt", "x"): "the id of a user such as '1488844'",
    ("probe.txt", "5,3"): "the end of the line",
    ("qualifying.txt", "5"): "a line such as '1488844,2005-09-06'",
    ("qualifying.txt", "5,3,2005-01-01"): "a day of the calendar",
}


@pytest.mark.parametrize("line", NETFLIX)
def test_the_field_at_fault_of_a_netflix_line_is_named(line: str, tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw", ratings=f"1:\n6,1,2005-01-01\n{line}\n".encode())
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert caught.value.line == 3
    assert NETFLIX[line] in caught.value.expected


@pytest.mark.parametrize(("name", "line"), PAIRS)
def test_the_fault_of_a_pair_is_told_in_the_form_of_its_file(
    name: str, line: str, tmp_path: Path
) -> None:
    raw = write_netflix(tmp_path / "raw", others={name: f"1:\n{line}\n".encode()})
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert caught.value.path == raw / name
    assert PAIRS[name, line] in caught.value.expected
    raw = write_netflix(tmp_path / "next", ratings=b"1:\n5\n")
    with pytest.raises(RawFormatError, match="a line such as '1488844,3,2005-09-06'"):
        ingest_ratings(raw, tmp_path / "store")


# ---------------------------------------------------------------- titles

TITLES = {
    "an open quote": ('2,"Ring, The (1996),D', "quotes that are closed"),
    "a quote too many": ('2,"Ring" The,D', "quotes that are closed"),
    "a comma without quotes": ("2,Ring, The (1996),D", "a title with a comma needs quotes"),
    "a field too few": ("2,Ring", "the fields movieId,title,genres"),
    "NUL": ("2,Ri\0ng,D", "without NUL or CR"),
    "a lone CR": ('2,"Ri\rng",D', "without NUL or CR"),
    "an endless line": ("2," + "x" * 200_000 + ",D", "a line of at most 65536 bytes"),
    "an endless id": ("9" * 5000 + ",Ring,D", "a new movie id"),
    "an item again": ("1,Ring,D", "a new movie id"),
    "no id": (",Ring,D", "a new movie id"),
}


@pytest.mark.parametrize("case", TITLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_bad_title_costs_its_line_and_no_other(case: str, newline: str, tmp_path: Path) -> None:
    line, expected = TITLES[case]
    raw = write_movielens(tmp_path / "raw", "csv")
    good = [f'{n},"Fine, The {n} (1999)",Drama' for n in range(10, 20)]
    lines = ["movieId,title,genres", "1,One (1999),C", line, *good]
    (raw / "movies.csv").write_bytes(b"\xef\xbb\xbf" + newline.join(lines).encode())
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert caught.value.line == 3
    assert expected in caught.value.expected
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects)
    assert ingest_ratings(raw, tmp_path / "store", options=options).n_rejected == 1
    titles = open_catalog(tmp_path / "store").items().collect()["title"].drop_nulls().to_list()
    assert titles == ["One", *(f"Fine, The {n}" for n in range(10, 20))]
    assert b",3," in rejects.read_bytes()


def test_titles_may_hold_line_ends_and_any_encoding(tmp_path: Path) -> None:
    """Lines are decoded one by one: a wrong byte in one leaves the others as they are."""
    raw = write_movielens(tmp_path / "raw", "csv")
    text = b'movieId,title,genres\r\n1,"One\r\nTwo (1999)",x\n2,\xc3\xa9,x\r\n3,\xe9,x'
    (raw / "movies.csv").write_bytes(text)
    ingest_ratings(raw, tmp_path / "store")
    titles = open_catalog(tmp_path / "store").items().collect()["title"].drop_nulls().to_list()
    assert titles == ["One\nTwo", "\u00e9", "\u00e9"]


@pytest.mark.parametrize("name", ["ratings.csv", "movies.csv", "combined_data_1.txt"])
def test_line_ends_of_old_are_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    (write_netflix(raw) if name.startswith("combined") else write_movielens(raw, "csv"))
    path = raw / name
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    assert main(["ingest", str(raw), "--store", str(tmp_path / "store")]) == 3
    assert r"tr '\r' '\n'" in capsys.readouterr().err


def test_quotes_of_netflix_titles_belong_to_them(tmp_path: Path) -> None:
    titles = b'\xef\xbb\xbf1,2003,"Weird Al" Yankovic\n2,1999,"open\n3,2000,Next'
    raw = write_netflix(tmp_path / "raw", others={"movie_titles.csv": titles})
    ingest_ratings(raw, tmp_path / "store")
    found = open_catalog(tmp_path / "store").items().collect()["title"].to_list()
    assert found[:3] == ['"Weird Al" Yankovic', '"open', "Next"]


# ---------------------------------------------------------------- repeated lines


@pytest.mark.parametrize("source", ["netflix", "movielens"])
def test_of_repeated_lines_the_first_counts_and_both_are_named(source: str, tmp_path: Path) -> None:
    """A line that is bad for itself is none of them, though it bears the same pair."""
    if source == "netflix":
        text = rating_text(some_rows(1)) + "2:\n5,9,2005-01-01\n5,4,2005-01-02\n6,1,2005-01-01\n"
        raw = write_netflix(tmp_path / "raw", ratings=f"{text}5,3,2005-01-03\n".encode())
        path, first = raw / "combined_data_1.txt", text.count("\n") - 1
    else:
        raw = write_movielens(tmp_path / "raw", "csv")
        path, first = raw / "ratings.csv", 6
        with path.open("a") as file:
            file.write("5,2,9,100\n5,2,4,100\n6,2,1,100\n5,2,3,100\n")
    rejects = tmp_path / "rejects.csv"
    options = IngestOptions(on_error="skip", rejects=rejects)
    assert ingest_ratings(raw, tmp_path / "store", options=options).n_rejected == 2
    expected = f"one rating of item 2 by user 5; line {first} has one already"
    with rejects.open(newline="") as file:
        entries = list(csv.DictReader(file))
    assert entries[-1]["line"] == str(first + 2)
    assert entries[-1]["expected"] == expected
    stored = open_catalog(tmp_path / "store").ratings().collect().rows()
    assert [row[2] for row in stored if row[:2] == (2, 5)] == [4.0]
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[: first - 2], *lines[first - 1 :]]))
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "other")
    assert caught.value.line == first + 1
    assert caught.value.expected == expected.replace(str(first), str(first - 1))
