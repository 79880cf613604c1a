"""Dialects of text, seen from made-up lines, and lines held against Python's own csv reader."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bigrec.errors import BigrecError, DataError, SettingsError
from bigrec.sources.table.dialect import (
    TextSample,
    find_encoding,
    sample_text,
    sniff_dialect,
    split_line,
)
from bigrec.sources.table.plan import BLANKS, Dialect, TableOptions

LABEL = Path("made-up.csv")


def _sample(text: str, written: str = "utf-8", **options: object) -> TextSample:
    return sample_text(text.encode(written), TableOptions(**options), LABEL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "separator", ["\t", "::", ",", ";", "|", "||", "^", "~", "##", "\x01", ", "]
)
@pytest.mark.parametrize("has_header", [False, True])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("closed", [False, True])
def test_a_separator_of_one_or_two_characters_is_found(
    separator: str, has_header: bool, end: str, closed: bool
) -> None:
    rows = [["user", "item", "rating"], ["u1", "i1", "3"], ["u2", "i2", "4.5"]]
    rows = rows if has_header else rows[1:]
    text = end.join(separator.join(row) for row in rows) + (end if closed else "")
    sample = _sample(text)
    assert sample.dialect.separator == separator
    assert sample.dialect.has_header == has_header
    assert sample.names == (("user", "item", "rating") if has_header else ("1", "2", "3"))
    assert sample.rows == (("u1", "i1", "3"), ("u2", "i2", "4.5"))


def test_runs_of_blanks_and_tabs_are_one_separator() -> None:
    sample = _sample("  1 \t 9   2.5\n10  9 4\n")
    assert sample.dialect.separator == BLANKS
    assert sample.rows == (("1", "9", "2.5"), ("10", "9", "4"))


@pytest.mark.parametrize("said", ["blank", "blanks", "space", " "])
def test_blanks_may_be_said_in_a_word(said: str) -> None:
    assert _sample("1  9 2.5\n10 9  4\n", separator=said).dialect.separator == BLANKS


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"user,item\nu1,i1\n", "utf-8"),
        (b"\xef\xbb\xbfuser,item\nu1,i1\n", "utf-8"),
        ("user,item\n\u00fc1,i1\n".encode(), "utf-8"),
        ("user,item\n\u00fc1,i1\n".encode("latin-1"), "cp1252"),
        ("user,item\n\u201c1,i1\n".encode("cp1252"), "cp1252"),
        (b"user,item\n\x81\xfc,i1\n", "latin-1"),
    ],
)
def test_the_encoding_is_that_of_the_bytes(data: bytes, encoding: str) -> None:
    sample = sample_text(data, TableOptions(), LABEL)
    assert sample.dialect.encoding == encoding
    assert sample.names == ("user", "item")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("user_id:token\titem_id:token\n1\t2\n", ("user_id", "item_id")),
        (",user,item,rating\n0,7,42,3\n", ("", "user", "item", "rating")),
        ("user item rating\n1 7 42 3\n2 7 43 4\n", ("", "user", "item", "rating")),
        ("#user\titem\n1\t2\n", ("user", "item")),
        ("wer;was;wie\nk1;a1;3\nk2;a2;4\n", ("wer", "was", "wie")),
        ("wer;was\nk1;a1\nk2;a2\n", ("wer", "was")),
        ("alice,matrix\nbob,heat\n", ("1", "2")),
        ("7::42::3", ("1", "2", "3")),
        ("0,1,2\n0,3,4\n", ("1", "2", "3")),
        (",0,1\n0,7,42\n1,8,42\n", ("", "0", "1")),
    ],
)
def test_a_header_is_told_from_a_row(text: str, names: tuple[str, ...]) -> None:
    assert _sample(text).names == names


@pytest.mark.parametrize("header", ["user,item,rating", "user,item,rating,", None])
def test_a_separator_at_the_end_of_lines_is_no_column(header: str | None) -> None:
    sample = _sample("\n".join([*([header] if header else []), "u1,i1,3,", "u2,i2,4,"]))
    assert sample.dialect.ends_with_separator
    assert len(sample.names) == 3
    assert sample.rows == (("u1", "i1", "3"), ("u2", "i2", "4"))


def test_an_empty_last_column_that_has_a_name_stays() -> None:
    sample = _sample("user,item,rating,note\nu1,i1,3,\nu2,i2,4,\n")
    assert not sample.dialect.ends_with_separator
    assert sample.names == ("user", "item", "rating", "note")


def test_a_field_in_quotes_may_hold_separators_and_line_ends() -> None:
    sample = _sample('user,item,note\nu1,i1,"one, ""two""\nthree"\nu2,i2,"a\n\nb"\n')
    assert sample.dialect.quoted
    assert sample.rows[0] == ("u1", "i1", 'one, "two"\nthree')
    assert len(sample.rows) == 2


def test_quotes_inside_words_of_a_tab_file_are_letters() -> None:
    sample = _sample('u1\tthe "one"\t3\nu2\t"two" of them\t4\n')
    assert not sample.dialect.quoted
    assert sample.rows[1] == ("u2", '"two" of them', "4")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("\n\n", "blank lines only"),
        ("user,item,rating\n", "a header and no rows"),
        ("user,item,rating", "a header and no rows"),
        ("words\nwithout\n", "found no separator"),
        ("% sym\n% 5 7\n1 2 3\n", "found a comment"),
        ("sep=;\nuser;item\n1;2\n", "a line for a spreadsheet"),
        ("user,item,rating,time,note\n1,2,3\n1,3,4\n1,4,5\n", "the header has 5 names"),
        ("1,2\r1,3\r1,4", "a carriage return alone"),
        ("1,\0002\n1,3\n1,4\n", "found NUL bytes in its first lines"),
        ("1,2\n1,\0003\n1,4\n\0\n\0\n", "found NUL bytes in its first lines"),
    ],
)
def test_text_that_is_no_table_is_an_error_with_a_hint(text: str, expected: str) -> None:
    with pytest.raises(DataError, match=expected) as caught:
        _sample(text)
    assert caught.value.hint


def test_a_line_with_a_nul_byte_is_left_out_of_what_is_judged() -> None:
    sample = _sample("user,item,rating\nu1,i1,3\nu\0;2;;\nu3,i3,4\n")
    assert (sample.dialect.separator, sample.dialect.has_header) == (",", True)
    assert sample.rows == (("u1", "i1", "3"), ("u3", "i3", "4"))


def test_what_somebody_says_decides() -> None:
    assert _sample("a,b\nc,d\n", header=True).names == ("a", "b")
    assert _sample("user,item\nu1,i1\n", header=False).rows[0] == ("user", "item")
    assert _sample("a;1,b\nc;1,d\n", separator=",").rows[0] == ("a;1", "b")
    assert _sample("a\tb\nc\td\n", separator="\\t").dialect.separator == "\t"
    assert _sample("user,item\n\u00fc,1\n", "latin-1", encoding="latin-1").rows[0][0] == "\u00fc"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"separator": ":::"}, SettingsError),
        ({"separator": ""}, SettingsError),
        ({"separator": '"'}, SettingsError),
        ({"separator": ";"}, DataError),
        ({"encoding": "ebcdic"}, SettingsError),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], error: type[BigrecError]) -> None:
    with pytest.raises(error):
        _sample("1,2\n3,4\n", **options)


fields = st.lists(st.text(st.sampled_from('ab,";\t |:\n')), min_size=2, max_size=4)


@given(data=st.one_of(st.binary(), st.text().map(str.encode)), cut=st.integers(0, 20))
def test_the_encoding_is_the_first_that_decodes_the_whole(data: bytes, cut: int) -> None:
    data += b"\n"

    def decodes(encoding: str) -> bool:
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            return False
        return True

    expected = next(filter(decodes, ["utf-8", "cp1252", "latin-1"]))
    assert find_encoding([data]) == expected
    found = find_encoding([data[:cut], data[cut:]])
    assert found == expected or "utf-8" not in (found, expected)


@given(row=fields, separator=st.sampled_from([",", ";", "\t", "|"]))
def test_whatever_csv_writes_is_split(row: list[str], separator: str) -> None:
    target = io.StringIO()
    csv.writer(target, delimiter=separator, lineterminator="\n").writerow(row)
    line = target.getvalue().removesuffix("\n")
    assert split_line(line, Dialect(separator, True, False, "utf-8")) == row


@given(row=fields, separator=st.sampled_from(["::", "||", ", ", "a,"]))
@example(row=["", ""], separator="::")
def test_quotes_hold_with_separators_of_two_characters(row: list[str], separator: str) -> None:
    line = separator.join('"' + field.replace('"', '""') + '"' for field in row)
    assert split_line(line, Dialect(separator, True, False, "utf-8")) == row


@given(row=st.lists(st.text(st.sampled_from("ab,;:"), min_size=1), min_size=2, max_size=4))
def test_blanks_split_as_python_splits(row: list[str]) -> None:
    dialect = Dialect(BLANKS, True, False, "utf-8")
    assert split_line("  ".join(row), dialect) == row
    assert split_line("\t".join(f'"{field}"' for field in row), dialect) == row


@pytest.mark.parametrize("separator", [",", "::", BLANKS])
@pytest.mark.parametrize("line", ['"a', 'a{0}"b', '"a"b{0}c', '"a"{0}"'])
def test_quotes_that_do_not_match_are_no_fields(separator: str, line: str) -> None:
    dialect = Dialect(separator, True, False, "utf-8")
    assert split_line(line.format(separator), dialect) is None


keys = st.text(st.sampled_from("abkz0189-_"), min_size=1, max_size=12)


@given(
    rows=st.lists(
        st.tuples(keys, keys, st.sampled_from(["1", "4.5", "-3", "10"]), st.integers(10**9, 2**31)),
        min_size=2,
        max_size=20,
    ),
    separator=st.sampled_from(["\t", "::", ",", ";", "|", " "]),
    has_header=st.booleans(),
)
def test_any_rows_of_keys_come_back_as_they_were(
    rows: list[tuple[str, str, str, int]], separator: str, has_header: bool
) -> None:
    written = [tuple(map(str, row)) for row in rows]
    header = [("user_id", "item_id", "rating", "timestamp")] if has_header else []
    text = "\n".join(separator.join(row) for row in [*header, *written])
    sample = _sample(text)
    assert sample.dialect.separator == separator
    assert sample.dialect.has_header == has_header
    assert sample.rows == tuple(written)


@given(
    st.one_of(st.binary(max_size=200), st.text(st.sampled_from('a1,;:"\n\r\t |.')).map(str.encode))
)
@example(b'"')
@example(b'","\n"')
@example(b"\n\x0b")
def test_any_bytes_are_a_dialect_or_an_error_of_ours(head: bytes) -> None:
    try:
        dialect = sniff_dialect(head, TableOptions(), LABEL)
    except DataError as error:
        assert error.hint  # noqa: PT017 - either is right
    else:
        assert 1 <= len(dialect.separator) <= 2
