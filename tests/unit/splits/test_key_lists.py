"""Lists of keys in files, as people and `bigrec sql --format csv` write them."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigrec.errors import BigrecError, RawFormatError, SplitError, StoreError
from bigrec.splits.key_lists import read_key_list
from bigrec.store.vocabulary import Vocabulary

KEYS = ["7", "007", " 7", "a,b", 'say "hi"', '"quoted"', "tw\no", "日本", "key", "carriage\rreturn"]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def users(keys: list[str]) -> Vocabulary:
    ids = pl.Series("user_id", range(1, len(keys) + 1), pl.Int32)
    return Vocabulary(pl.LazyFrame([ids, pl.Series("key", keys)]), "user_id", has_keys=True)


@pytest.mark.parametrize("header", ["", "key\n", "user_id\r\n", "\ufeffkey\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_keys_of_which_nothing_is_trimmed(header: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "users.txt"
    lines = ["007", "", " 7", "a,b", '"say ""hi"""', "日本", "007", '"tw\no"', '"""quoted"""']
    path.write_text(header + end.join(lines), encoding="utf-8", newline="")
    assert read_key_list(path, users(KEYS)) == (2, 3, 4, 5, 6, 7, 8)


@given(st.lists(TEXTS, unique=True, min_size=1))
def test_what_a_csv_writer_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    path = tmp_path_factory.mktemp("lists") / "users.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("key\n")
        # Some versions of Python leave a CR bare, which bigrec sql quotes.
        has_returns = any("\r" in key for key in keys)
        writer = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_ALL if has_returns else csv.QUOTE_MINIMAL
        )
        writer.writerows([key] for key in keys[::2])
    expected = tuple(range(1, len(keys) + 1, 2))
    assert read_key_list(path, users(keys)) == expected


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("7\n0007\n8\n", SplitError, "2 of 3 listed ids are no user_id of the store: 0007, 8"),
        ('7\n"7\n8\n', RawFormatError, "line 2: found '\"7', expected one user_id a line"),
        ('7\n"7" 8\n', RawFormatError, "line 2: found '\"7\" 8'"),
        ("user_id\n\n", StoreError, "lists no user_id"),
        ("", StoreError, "lists no user_id"),
    ],
)
def test_what_is_no_list_is_told(
    text: str, kind: type[BigrecError], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "users.txt"
    path.write_text(text)
    with pytest.raises(kind) as caught:
        read_key_list(path, users(KEYS))
    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "users.txt"
    path.write_bytes(b"\x1f\x8b\x08\x00\x00")
    with pytest.raises(StoreError, match="expected text"):
        read_key_list(path, users(KEYS))
    path.write_bytes("Zoë\n".encode("latin-1"))
    with pytest.raises(StoreError, match=r"is no text in UTF-8"):
        read_key_list(path, users(KEYS))
    with pytest.raises(StoreError, match="cannot be read"):
        read_key_list(tmp_path / "none.txt", users(KEYS))
