"""Any table of ratings goes in: every form gives its rows, and faults are told."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.tables import Row, csv_text, expected_rows, made_rows, stored_rows, write_form

from bigrec.errors import BigrecError, DataError, RawFormatError
from bigrec.ingest import builder, key_table
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.said import read_flags
from bigrec.resources import Budget
from bigrec.store.catalog import open_catalog

FORMS = (
    "csv", "csv bare", "csv windows", "csv mark", "csv gz", "csv zip", "csv parts", "tsv", "dat",
    "semicolons", "bars bare", "json", "parquet", "parquet timestamps", "arrow", "feather",
)  # fmt: skip


def ingest(raw: Path, store: Path, **flags: Any) -> Any:
    return ingest_ratings(raw, store, options=read_flags(**flags), budget=Budget(threads=2))


@pytest.mark.parametrize("odd_keys", [True, False], ids=["keys", "ids"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_rows_that_were_written(
    form: str, odd_keys: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 4000)
    monkeypatch.setattr(builder, "_MAX_BUCKET_ROWS", 64)
    rows = made_rows(700, odd_keys=odd_keys)
    raw = write_form(rows, form, tmp_path)
    options = {"columns": "user=1,item=2,rating=3,time=4"} if "bare" in form else {}
    summary = ingest(raw, tmp_path / "store", **options)
    assert summary.n_ratings == len(rows)
    for by_user in (False, True):
        assert stored_rows(tmp_path / "store", by_user=by_user) == expected_rows(rows)
    manifest = open_catalog(tmp_path / "store").manifest
    assert manifest.scale.values == (1, 2, 2.5, 3, 4, 5)
    assert (manifest.user_keys, manifest.item_keys) == (odd_keys, odd_keys)
    assert manifest.time_unit == "second"


def test_ids_are_those_of_the_first_appearance_whatever_the_threads_and_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = made_rows(4000)
    raw = write_form(rows, "csv", tmp_path)
    users = list(dict.fromkeys(row.user for row in rows))
    items = list(dict.fromkeys(row.item for row in rows))
    ways = [(10**6, 1 << 12), (3000, 1 << 12), (3000, 1 << 6)]  # of which the last takes rounds
    for number, (unit, slots) in enumerate(ways):
        monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", unit)
        monkeypatch.setattr(builder, "_KEYS_SHARE", 1e-9)
        monkeypatch.setattr(key_table, "_FIRST_SLOTS", slots)
        store = tmp_path / f"store-{number}"
        ingest(raw, store)
        catalog = open_catalog(store)
        assert catalog.users().collect()["key"].to_list() == users
        assert catalog.items().collect()["key"].to_list() == items
        assert catalog.users().collect()["user_id"].to_list() == [*range(1, len(users) + 1)]
        assert stored_rows(store) == expected_rows(rows)


REPEATED = [Row("ann", "tea", 2, 500), Row("bob", "tea", 1, 10), Row("ann", "tea", 5, 300)]


@pytest.mark.parametrize(
    ("repeats", "rating", "time"),
    [("last", 2, 500), ("first", 5, 300), ("mean", 3.5, 500), ("max", 5, 300), ("sum", 7, 500),
     ("count", 2, 500)],
)  # fmt: skip
def test_repeats_become_one_row(repeats: str, rating: float, time: int, tmp_path: Path) -> None:
    raw = write_form([Row("eve", "tea", 1, 7), *REPEATED], "csv", tmp_path)
    ingest(raw, tmp_path / "store", repeats=repeats, time_unit="seconds")
    for by_user in (False, True):
        rows = stored_rows(tmp_path / "store", by_user=by_user)
        assert ("ann", "tea", float(rating), time) in rows
        assert len(rows) == 3
    manifest = open_catalog(tmp_path / "store").manifest
    assert (manifest.n_merged, manifest.repeats) == (1, repeats)
    kept = {row[2] for row in stored_rows(tmp_path / "store")}
    assert kept <= set(manifest.scale.values)


def test_a_repeat_is_an_error_that_tells_both_lines(tmp_path: Path) -> None:
    raw = write_form(REPEATED, "csv", tmp_path)
    with pytest.raises(RawFormatError, match=r"line 4: found 'ann,tea,5,300'.*line 2 has one"):
        ingest(raw, tmp_path / "store", time_unit="seconds")
    assert not (tmp_path / "store").exists()


def test_values_off_the_usual_have_their_scale_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user,item,rating\n1,1,-10.00\n1,2,3.27\n2,1,10\n2,3,0\n")
    ingest(path, tmp_path / "store", scale="-10:12")
    manifest = open_catalog(tmp_path / "store").manifest
    assert [round(value, 4) for value in manifest.scale.values] == [-10, 0, 3.27, 10, 12]
    assert (manifest.time_unit, manifest.first_date) == ("none", None)
    with pytest.raises(BigrecError, match=r"line 2: found '1,1,-10.00', expected .* from 0 to 5"):
        ingest(path, tmp_path / "other", scale="0:5")


def test_days_are_kept_where_all_that_comes_are_days(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("MovieID,UserID,Rating,Date\n8,1,5,2004-02-29\n9,1,3,1969-12-31\n")
    ingest(path, tmp_path / "store")
    frame = open_catalog(tmp_path / "store").ratings().collect()
    assert frame.columns == ["item_id", "user_id", "rating", "date"]
    assert sorted(map(str, frame["date"])) == ["1969-12-31", "2004-02-29"]


def test_times_under_any_name_are_found_and_two_are_a_question(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user,item,rating,bought\na,x,3,2024-01-02T03:04:05Z\nb,x,4,2023-11-12\n")
    ingest(path, tmp_path / "store")
    assert ("a", "x", 3.0, 1_704_164_645) in stored_rows(tmp_path / "store")
    path.write_text("user,item,rating,bought,sent\na,x,3,2024-01-02,2024-01-03\n")
    with pytest.raises(DataError, match="is the time 'bought' or 'sent', or is there none"):
        ingest(path, tmp_path / "other")


def test_plays_are_implicit_and_zeros_may_be_no_rating(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("userID\tartistID\tweight\r\n2\t51\t13883\r\n2\t52\t7\r\n")
    ingest(path, tmp_path / "plays")
    assert open_catalog(tmp_path / "plays").manifest.feedback == "implicit"
    path.write_text('"User-ID";"ISBN";"Book-Rating"\r\n"1";"034X";"0"\r\n"2";"034X";"7"\r\n')
    for zero, expected in (("drop", [7.0]), ("keep", [0.0, 7.0]), ("implicit", [1.0, 1.0])):
        ingest(path, tmp_path / zero, zero=zero)
        frame = open_catalog(tmp_path / zero).ratings().collect()
        assert sorted(frame["rating"]) == expected
    summary = ingest(path, tmp_path / "named", source="book-crossing")
    assert (summary.n_ratings, summary.source) == (1, "book-crossing")


BAD_LINES = {
    "u2,i9,x,9": "a number as rating",
    "u2,i9,nan,9": "a finite number as rating",
    "u2,i9,inf,9": "a finite number as rating",
    "u2,i9,,9": "a number as rating",
    ",i9,4,9": "an id, and not an empty field",
    "u2,,4,9": "an id, and not an empty field",
    "u2,i9,4": "4 fields as in other lines, there are 3",
    "u2,i9,4,9,7": "4 fields as in other lines, there are 5",
    "u2,i9,4,noon": "a time in seconds since 1970",
    "u2,i9,4,99999999999999": "a time in seconds",
    "u2,i9,4,-9999999999": "a time from 1921",
    '"u2,i9,4,9': "quotes that are closed",
    '"u2"x,i9,4,9': "quotes that are closed",
    "u" * 1001 + ",i9,4,9": "an id of at most 1,000 bytes",
    "u\0002,i9,4,9": "text without NUL bytes",
    "u2,i9,4,9\0": "text without NUL bytes",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_is_wrong_is_named_or_left_out(line: str, tmp_path: Path) -> None:
    good = [Row(f"u{n}", f"i{n % 5}", 1 + n % 5, 1_400_000_000 + n) for n in range(400)]
    lines = csv_text(good).splitlines()
    lines.insert(350, line)
    raw = tmp_path / "t.csv"
    raw.write_text("\n".join(lines) + "\n")
    with pytest.raises(RawFormatError) as caught:
        ingest(raw, tmp_path / "store")
    assert caught.value.line == 351
    assert BAD_LINES[line] in caught.value.expected
    assert not (tmp_path / "store").exists()
    summary = ingest(raw, tmp_path / "store", on_error="skip", rejects=tmp_path / "rejects.csv")
    assert (summary.n_ratings, summary.n_rejected) == (400, 1)
    _, rejected = csv.reader((tmp_path / "rejects.csv").read_text().splitlines())
    assert rejected[1] == "351"
    assert stored_rows(tmp_path / "store") == expected_rows(good)


def test_quoted_fields_may_hold_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 700)
    rows = made_rows(500)
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "user", "item", "rating", "time"])
        for number, row in enumerate(rows):
            text = f'"{number}", said he\n1,2,3,4\r\n"\n' if number > 300 else "plain"
            writer.writerow([text, f'{row.user} "q"', row.item, row.rating, row.time])
    ingest(path, tmp_path / "store", columns="user=user,item=item,rating=rating,time=time")
    expected = expected_rows([replace(row, user=f'{row.user} "q"') for row in rows])
    assert stored_rows(tmp_path / "store") == expected


def test_other_encodings_become_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    text = "user;item;rating\n" + "".join(f"Zoë{n};Åse;{n % 5}\n" for n in range(300)) + "x;y;bad\n"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RawFormatError) as caught:
        ingest(path, tmp_path / "store")
    assert caught.value.line == 302
    path.write_bytes(text.replace("bad", "5").encode("latin-1"))
    ingest(path, tmp_path / "store")
    users = open_catalog(tmp_path / "store").users().collect()["key"]
    assert users.to_list() == [*(f"Zoë{n}" for n in range(300)), "x"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_changed_byte_is_told_at_its_line_or_gives_a_valid_table(
    form: str, tmp_path: Path
) -> None:
    rows = made_rows(60, odd_keys=False)
    raw = write_form(rows, form, tmp_path)
    good = raw.read_bytes()
    header = good.index(b"\n") + 1 if form == "csv" else 0
    for number, position in enumerate(range(header, len(good), 37)):
        for other in (b"x", b"\n", b"9", b",", b'"', b"\x00", b"\xff"):
            raw.write_bytes(good[:position] + other + good[position + 1 :])
            store = tmp_path / f"store-{number}-{other.hex()}"
            try:
                summary = ingest(raw, store)
            except RawFormatError as error:
                line = good[:position].count(b"\n") + 1
                told = "has one already" in str(error) or error.line in (line, line + 1)
            except DataError:
                continue  # of what is no text, or no table any more
            else:
                told = abs(summary.n_ratings - len(rows)) <= 1
                told &= len(stored_rows(store)) == summary.n_ratings
            assert told, (position, other)


def test_the_same_table_again_is_nothing_to_do_and_said_otherwise_it_is_told(
    tmp_path: Path,
) -> None:
    raw = write_form(made_rows(50), "csv", tmp_path)
    ingest(raw, tmp_path / "store")
    assert ingest(raw, tmp_path / "store").unchanged
    with pytest.raises(DataError, match="other options"):
        ingest(raw, tmp_path / "store", time="days")


def test_integers_above_the_usual_and_leading_zeros_are_keys(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    users = [0, -5, 2**63 - 1, 7]
    lines = [{"user_id": user, "item_id": "007", "rating": 3} for user in users]
    lines.append({"user_id": 7, "item_id": "7", "rating": 3})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ingest(path, tmp_path / "store")
    catalog = open_catalog(tmp_path / "store")
    assert catalog.users().collect()["key"].to_list() == ["0", "-5", str(2**63 - 1), "7"]
    assert catalog.items().collect()["key"].to_list() == ["007", "7"]
    table = pl.DataFrame({"user": users, "item": [1, 2, 3, 4], "rating": [1.0, 2.0, 1.0, 2.0]})
    table.write_parquet(tmp_path / "t.parquet")
    ingest(tmp_path / "t.parquet", tmp_path / "numbers")
    manifest = open_catalog(tmp_path / "numbers").manifest
    assert (manifest.user_keys, manifest.item_keys) == (True, False)


NESTED = [
    {"u": {"id": "a7", "of": {"asin": "B1"}}, "reviewerID": "r1", "overall": 4.0},
    {"reviewerID": "r2", "overall": 2, "u": {"of": {"asin": "B2", "more": [1]}, "id": "007"}},
    {"u": {"id": 7, "of": {"asin": "B1"}}, "reviewerID": "r1 ", "overall": 5.0},
]


@pytest.mark.parametrize("form", ["lines", "array", "lines of Python"])
@pytest.mark.parametrize(
    ("columns", "user_of"),
    [
        ({"user": "u.id"}, lambda line: str(line["u"]["id"])),
        ({"user": "U.Id", "item": "u.of.asin"}, lambda line: str(line["u"]["id"])),
        ({"user": "reviewerID"}, lambda line: line["reviewerID"]),
    ],
)
def test_fields_of_objects_inside_an_object_are_columns(
    form: str, columns: dict[str, str], user_of: Any, tmp_path: Path
) -> None:
    path = tmp_path / "t.json"
    write = repr if form == "lines of Python" else json.dumps
    texts = [write(line) for line in NESTED]
    path.write_text(f"[{', '.join(texts)}]" if form == "array" else "\n".join(texts))
    ingest(path, tmp_path / "store", columns=columns)
    catalog = open_catalog(tmp_path / "store")
    users, items = (
        dict(table.collect().select(f"{role}_id", "key").iter_rows())
        for role, table in (("user", catalog.users()), ("item", catalog.items()))
    )
    found = catalog.ratings().collect().select("user_id", "item_id", "rating").iter_rows()
    assert {(users[user], items[item], rating) for user, item, rating in found} == {
        (user_of(line), line["u"]["of"]["asin"], line["overall"])  # type: ignore[index]
        for line in NESTED
    }


@pytest.mark.parametrize("user", [None, {}, {"id": None}, {"id": {"id": "a"}}, ["id"], "id"])
def test_a_line_without_the_field_inside_is_a_bad_line(user: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    lines = [*NESTED, {"u": user, "asin": "B1", "overall": 3}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    said = {"columns": "user=u.id,item=reviewerID,time=none"}
    with pytest.raises(RawFormatError, match=r"t.json, line 4: .*as user in 'u.id'"):
        ingest(path, tmp_path / "store", **said)
    assert ingest(path, tmp_path / "store", on_error="skip", **said).n_ratings == 3


def test_the_name_of_reviewers_is_known(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"asin": "B1", "reviewerID": "A2", "overall": 5, "reviewerName": "Ann"}\n')
    ingest(path, tmp_path / "store")
    assert open_catalog(tmp_path / "store").users().collect()["key"].to_list() == ["A2"]
