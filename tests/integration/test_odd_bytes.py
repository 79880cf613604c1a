"""Bytes that text should not hold: a line with one is a bad line, and no other is."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

import pytest
from tests.support.tables import Row, csv_text, expected_rows, made_rows, stored_rows

from bigrec.errors import DataError, RawFormatError
from bigrec.ingest import builder
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.said import read_flags
from bigrec.store.catalog import open_catalog

WAYS = ("plain", "crlf", "gzip", "latin-1", "beyond the first rows", "a hole")


@pytest.mark.parametrize("way", WAYS)
def test_lines_with_nul_bytes_are_bad_lines_and_no_others(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 3000)
    random_places = random.Random(way)
    rows = made_rows(900, odd_keys=False)
    if way == "latin-1":
        rows = [Row(f"é{row.user}", row.item, row.rating, row.time) for row in rows]
    encoding = "latin-1" if way == "latin-1" else "utf-8"
    lines = csv_text(rows, end="\r\n" if way == "crlf" else "\n").encode(encoding).split(b"\n")[:-1]
    first = 400 if way == "beyond the first rows" else 1
    bad = sorted(random_places.sample(range(first, len(lines)), 40))
    if way == "a hole":  # as a crash of the system leaves it: lines and their ends are gone
        lines[600:640] = [bytes(len(b"\n".join(lines[600:640])))]
        rows[599:639] = []
        bad = [600]
    else:
        for number in bad:
            line, place = lines[number], random_places.randrange(len(lines[number]))
            lines[number] = line[:place] + bytes(random_places.choice([1, 1, 9])) + line[place:]
        rows = [row for number, row in enumerate(rows, start=1) if number not in bad]
    data = b"\n".join([*lines, b""])
    raw = tmp_path / ("t.csv.gz" if way == "gzip" else "t.csv")
    raw.write_bytes(gzip.compress(data) if way == "gzip" else data)

    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store", options=read_flags())
    assert (caught.value.line, caught.value.expected) == (bad[0] + 1, "text without NUL bytes")
    rejects = tmp_path / "rejects.csv"
    options = read_flags(on_error="skip", rejects=rejects)
    assert ingest_ratings(raw, tmp_path / "store", options=options).n_rejected == len(bad)
    assert stored_rows(tmp_path / "store") == expected_rows(rows)
    with rejects.open(encoding="utf-8", newline="") as file:
        assert [int(row["line"]) for row in csv.DictReader(file)] == [n + 1 for n in bad]


def test_a_nul_byte_in_a_field_of_several_lines_costs_its_record(tmp_path: Path) -> None:
    raw = tmp_path / "reviews.csv"
    rows = [f'u{n},i1,3,"fine\n\nbook {n}"\n' for n in range(50)]
    rows[20] = 'u20,i1,3,"fine\n\0\nbook"\n'
    raw.write_text("user,item,rating,text\n" + "".join(rows))
    with pytest.raises(RawFormatError) as caught:
        ingest_ratings(raw, tmp_path / "store")
    assert (caught.value.line, caught.value.expected) == (62, "text without NUL bytes")
    ingest_ratings(raw, tmp_path / "store", options=read_flags(on_error="skip"))
    users = open_catalog(tmp_path / "store").users().collect()["key"]
    assert users.to_list() == [f"u{n}" for n in range(50) if n != 20]


def test_a_nul_byte_in_json_and_in_items_costs_its_line(tmp_path: Path) -> None:
    lines = [json.dumps({"user": f"u{n}", "item": "1", "rating": n}) for n in range(9)]
    lines[4] = lines[4].replace("u4", "u\0004")
    (tmp_path / "t.json").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "items.csv").write_text("item,title\n1,One\n2,Tw\0o\n3,Three\n")
    flags = {"items": tmp_path / "items.csv", "on_error": "skip"}
    with pytest.raises(RawFormatError, match=r"t.json, line 5"):
        ingest_ratings(tmp_path / "t.json", tmp_path / "store")
    summary = ingest_ratings(
        tmp_path / "t.json",
        tmp_path / "store",
        options=read_flags(**flags),  # type: ignore[arg-type]
    )
    assert (summary.n_ratings, summary.n_rejected) == (8, 2)
    titles = open_catalog(tmp_path / "store").items().collect()["title"]
    assert titles.to_list() == ["One", "Three"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("where", ["ratings", "items"])
def test_text_in_sixteen_bits_is_named_with_the_command_that_converts_it(
    encoding: str, pack: type[bytes], where: str, tmp_path: Path
) -> None:
    text = {"ratings": "user,item,rating\nu1,i1,3\nu2,i1,4\n", "items": "item,title\ni1,Emil\n"}
    for name, content in text.items():
        is_it = name == where
        data = content.encode(encoding if is_it else "utf-8")
        (tmp_path / f"{name}.csv").write_bytes(pack(data) if is_it else data)
    options = read_flags(items=tmp_path / "items.csv", on_error="skip")
    with pytest.raises(DataError) as caught:
        ingest_ratings(tmp_path / "ratings.csv", tmp_path / "store", options=options)
    assert f"{where}.csv is UTF-16 text, expected" in caught.value.message
    assert caught.value.hint == "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"


def test_a_bad_line_before_bytes_that_are_no_utf_8_is_told_once(tmp_path: Path) -> None:
    raw, rejects = tmp_path / "t.csv", tmp_path / "rejects.csv"
    raw.write_bytes(b"user,item,rating\nu1,i1,x\nu2,i2,3\nu\xff3,i3,4\n")
    options = read_flags(encoding="utf-8", on_error="skip", rejects=rejects)
    summary = ingest_ratings(raw, tmp_path / "store", options=options)
    assert (summary.n_ratings, summary.n_rejected) == (1, 2)
    assert len(rejects.read_text().splitlines()) == 3


def test_every_file_of_a_unit_is_looked_at_for_bytes_that_are_no_utf_8(tmp_path: Path) -> None:
    raw = tmp_path / "parts"
    raw.mkdir()
    (raw / "part-0.csv").write_bytes("user,item,rating\né1,i1,3\n".encode())
    (raw / "part-1.csv").write_bytes(b"user,item,rating\nu\xff1,i1,3\nu2,i1,4\n")
    with pytest.raises(RawFormatError, match=r"part-1.csv, line 2.*text in UTF-8"):
        ingest_ratings(raw, tmp_path / "store", options=read_flags(encoding="utf-8"))
