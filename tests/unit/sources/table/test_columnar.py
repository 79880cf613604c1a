"""Parquet and Arrow files of any types as batches of ratings, held against pandas and rows."""

from __future__ import annotations

import datetime as dt
import gzip
import tempfile
import uuid
import zipfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.errors import DataError, RawFormatError
from bigrec.sources.parsed import BadLine
from bigrec.sources.raw import RawFile, list_members
from bigrec.sources.table import columnar, columnar_files
from bigrec.sources.table.columnar import count_rows, locate, peek_columnar, read_columnar
from bigrec.sources.table.columnar_files import form_of
from bigrec.sources.table.plan import ISO, MILLISECONDS, PARQUET, SECONDS, TablePlan

WHOLE: dict[str, Any] = {"who": [7, 0, -3], "what": ["a", "007", "ü"], "stars": [1.5, None, 3.0]}


def _plan(*files: RawFile, unit: str | None = None, **columns: str) -> TablePlan:
    names, examples = peek_columnar(files[0])
    roles = columns or {"user": "who", "item": "what", "rating": "stars"}
    positions = {role: names.index(name) for role, name in roles.items()}
    return TablePlan(PARQUET, files, names, positions, unit, examples=examples)


def _write(path: Path, table: pa.Table | dict[str, Any], **options: Any) -> RawFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), path, **options)
    return RawFile(path)


def _write_stream(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as target, pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)


def _rows(plan: TablePlan) -> dict[str, list[Any]]:
    return dict(pa.Table.from_batches(read_columnar(plan)).to_pydict())


def _one(tmp_path: Path, role: str, column: pa.Array, unit: str | None = None) -> pa.ChunkedArray:
    """A column of a file as it is handed on in a role."""
    ones = pa.array(range(len(column)))
    names = {"user": "u", "item": "i", "rating": "r", "time": "t"}
    table = {name: column if role == known else ones for known, name in names.items()}
    file = _write(tmp_path / "one.parquet", pa.table(table))
    chosen = {known: name for known, name in names.items() if known in ("user", "item", role)}
    found = pa.Table.from_batches(read_columnar(_plan(file, unit=unit, **chosen)))
    return found.column(["user", "item"].index(role) if role in ("user", "item") else 2)


@pytest.mark.parametrize(
    "write",
    [
        pq.write_table,
        lambda table, path: pa.feather.write_feather(table, str(path)),
        lambda table, path: pa.feather.write_feather(table, str(path), compression="zstd"),
        _write_stream,
    ],
    ids=["parquet", "feather", "feather zstd", "stream"],
)
@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "zip"])
def test_every_form_and_packing_yields_the_same_rows(
    tmp_path: Path, write: Callable[[pa.Table, Path], None], packing: str
) -> None:
    path = tmp_path / "ratings.bin"
    write(pa.table(WHOLE), path)
    file = RawFile(path)
    if packing == "gzip":
        file = RawFile(tmp_path / "ratings.bin.gz")
        file.path.write_bytes(gzip.compress(path.read_bytes()))
    if packing == "zstd":
        file = RawFile(tmp_path / "ratings.bin.zst")
        with pa.output_stream(file.path, compression="zstd") as target:
            target.write(path.read_bytes())
    if packing == "zip":
        with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "folder/ratings.bin")
        (file,) = list_members(tmp_path / "all.zip")
    assert peek_columnar(file) == (
        ("who", "what", "stars"),
        (("7", "a", "1.5"), ("0", "007", ""), ("-3", "ü", "3")),
    )
    plan = _plan(file)
    expected = {"user_id": [7, 0, -3], "item_id": ["a", "007", "ü"], "rating": [1.5, None, 3.0]}
    assert _rows(plan) == expected
    assert count_rows(plan) == 3
    assert locate(plan, 1) == f"{file.label}, row 2"


def test_parts_come_in_their_order_with_the_columns_of_their_folders(tmp_path: Path) -> None:
    files = []
    for year in ("2019", "2020"):
        for part in range(2):
            path = tmp_path / f"year={year}" / "kind=a%20b" / f"part-{part}.parquet"
            rows = {"who": [int(year)], "what": [part]}
            if part:  # another order of columns, and another whole type
                rows = {"what": pa.array([part], pa.int8()), "who": [int(year)]}
            files.append(_write(path, rows))
    names, examples = peek_columnar(files[0])
    assert names == ("who", "what", "year", "kind")
    assert examples == (("2019", "0", "2019", "a b"),)
    plan = _plan(*files, user="kind", item="what", rating="year")
    expected = pd.concat([pd.read_parquet(file.path) for file in files])
    assert _rows(plan) == {
        "user_id": ["a b"] * 4,
        "item_id": expected["what"].to_list(),
        "rating": expected["who"].to_list(),
    }
    assert count_rows(plan) == 4


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        *[(pa.array([1, None, 3], kind), [1, None, 3]) for kind in (
            pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(),
            pa.float32(), pa.float64(),
        )],
        (pa.array([2**64 - 1, None, 0], pa.uint64()), [str(2**64 - 1), None, "0"]),
        (pa.array([-(2**63), 2**63 - 1, 0]), [-(2**63), 2**63 - 1, 0]),
        (pa.array([Decimal(12), None, Decimal(-7)], pa.decimal128(38, 0)), [12, None, -7]),
        (pa.array([Decimal("12.00"), None], pa.decimal128(9, 2)), [12, None]),
        *[(pa.array(["a", None, ""], kind), ["a", None, ""]) for kind in (
            pa.string(), pa.large_string(), pa.string_view(),
        )],
        *[(pa.array(["ü".encode(), None], kind), ["ü", None]) for kind in (
            pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2),
        )],
        (pa.array(["b", None, "a", "b"]).dictionary_encode(), ["b", None, "a", "b"]),
        (pa.array([5, None, 5]).dictionary_encode(), [5, None, 5]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["user", "item"])
def test_ids_of_every_type_are_whole_numbers_or_text(
    tmp_path: Path, role: str, column: pa.Array, expected: list[Any]
) -> None:
    found = _one(tmp_path, role, column)
    assert found.to_pylist() == expected
    assert found.type == (pa.string() if isinstance(expected[0], str) else pa.int64())


def test_uuids_are_text(tmp_path: Path) -> None:
    ids = [uuid.UUID(int=number**20) for number in (0, 3, 71)]
    column = pa.array([*(one.bytes for one in ids), None], pa.uuid())
    assert _one(tmp_path, "user", column).to_pylist() == [*map(str, ids), None]


def test_pandas_floats_of_whole_numbers_with_gaps_are_whole(tmp_path: Path) -> None:
    frame = pd.DataFrame({"who": [1, None, 3], "what": [1, 2, 3], "stars": [1, 2, 3]})
    frame.to_parquet(tmp_path / "frame.parquet")
    assert _rows(_plan(RawFile(tmp_path / "frame.parquet")))["user_id"] == [1, None, 3]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array([1.0, 2.5]), "2.5"),
        (pa.array([1.0, 2.0**53]), "9.007199254740992e+15"),
        (pa.array([1.0, float("inf")]), "inf"),
        (pa.array([Decimal("1.00"), Decimal("2.50")]), "2.50"),
        (pa.array([b"a", b"\xff"]), "b'\\xff'"),
    ],
)
def test_an_id_that_does_not_fit_is_named_by_its_row(
    tmp_path: Path, column: pa.Array, found: str
) -> None:
    with pytest.raises(RawFormatError, match="a whole number, or text in UTF-8, as user") as caught:
        _one(tmp_path, "user", column)
    assert caught.value.line == 2
    assert caught.value.found == found


def test_text_that_is_no_utf_8_is_named_by_its_row(tmp_path: Path) -> None:
    broken = pa.array([b"a", b"\xfc"]).view(pa.string())
    with pytest.raises(RawFormatError, match="row 2"):
        _one(tmp_path, "item", broken)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, None], pa.uint8()), [1, None]),
        (pa.array([1.5, float("nan")], pa.float32()), [1.5, float("nan")]),
        (pa.array([1.5, None], pa.float16()), [1.5, None]),
        (pa.array([Decimal("3.50"), None]), [3.5, None]),
        (pa.array([True, False, None]), [1, 0, None]),
        (pa.array([4, 5, 4]).dictionary_encode(), [4, 5, 4]),
    ],
)
def test_ratings_of_every_type_are_floats(
    tmp_path: Path, column: pa.Array, expected: list[Any]
) -> None:
    found = _one(tmp_path, "rating", column)
    assert found.type == pa.float64()
    np.testing.assert_array_equal(np.array(found.to_pylist(), float), np.array(expected, float))


MOMENT = dt.datetime(1969, 12, 31, 23, 59, 58)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        *[(pa.array([MOMENT], pa.timestamp(unit, zone)), None)
          for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")],
        (pa.array([-2]), SECONDS),
        (pa.array([-1_001], pa.int32()), MILLISECONDS),
        (pa.array([-1.5]), SECONDS),
        (pa.array(["1969-12-31T23:59:58Z"]), ISO),
        (pa.array(["1970-01-01 01:59:58.5 +02:00"]), None),
        (pa.array(["-2"], pa.large_string()), SECONDS),
        (pa.array(["-2"]).dictionary_encode(), SECONDS),
    ],
)  # fmt: skip
def test_times_of_every_type_are_seconds(
    tmp_path: Path, column: pa.Array, unit: str | None
) -> None:
    found = _one(tmp_path, "time", column, unit)
    assert found.type == pa.timestamp("s")
    assert found.to_pylist() == [MOMENT]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.string()])
def test_days_are_days(tmp_path: Path, kind: pa.DataType) -> None:
    day = dt.date(2005, 10, 4)
    column = pa.array([str(day)]) if kind == pa.string() else pa.array([day], kind)
    found = _one(tmp_path, "time", column)
    assert found.type == pa.date32()
    assert found.to_pylist() == [day]


def test_a_time_among_days_is_not_cut_short(tmp_path: Path) -> None:
    texts = ["2005-10-04"] * 3 + ["2005-10-05 00:00:00"]
    assert _one(tmp_path, "time", pa.array(texts)).to_pylist()[3] == dt.date(2005, 10, 5)
    with pytest.raises(RawFormatError, match="row 5: found '2005-10-05 10:00:00', expected a day"):
        _one(tmp_path, "time", pa.array([*texts, "2005-10-05 10:00:00"]))


@pytest.mark.parametrize(
    ("role", "column", "hint"),
    [
        ("user", pa.array([dt.timedelta(1)]), "--columns user=NAME"),
        ("user", pa.array([MOMENT]), "--columns user=NAME"),
        ("item", pa.array([True]), "--columns item=NAME"),
        ("rating", pa.array(["5"]), "turn the text into numbers"),
        ("rating", pa.array([MOMENT]), "rating=none"),
        ("time", pa.array([1]), "--time-unit seconds, milliseconds"),
        ("time", pa.array([True]), "time=none"),
    ],
)
def test_a_type_that_does_not_fit_is_named_with_what_to_do(
    tmp_path: Path, role: str, column: pa.Array, hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        _one(tmp_path, role, column)
    assert str(tmp_path / "one.parquet") in caught.value.message
    assert f"column '{role[0]}' is of type {column.type}, expected" in caught.value.message
    assert f"as {role}" in caught.value.message
    assert hint in caught.value.hint


def test_parts_of_unlike_types_are_refused(tmp_path: Path) -> None:
    one = _write(tmp_path / "1.parquet", {"who": [1], "what": [1], "stars": [1]})
    other = _write(tmp_path / "2.parquet", {"who": ["a"], "what": [1], "stars": [1]})
    with pytest.raises(
        DataError, match=r"2\.parquet.* holds text .* whole numbers as in .*1\.parq"
    ):
        list(read_columnar(_plan(one, other)))
    lacking = _write(tmp_path / "3.parquet", {"who": [1], "stars": [1]})
    with pytest.raises(DataError, match=r"3\.parquet has no column 'what'"):
        list(read_columnar(_plan(one, lacking)))


def test_bad_rows_are_left_out_and_the_others_are_still_found(tmp_path: Path) -> None:
    table = pa.table({"who": [1.0, 2.5, 3.0, 4.0, 5.5, 6.0], "what": list("abcdef")})
    one = _write(tmp_path / "1.parquet", table, row_group_size=2)
    two = _write(tmp_path / "2.parquet", table)
    plan = _plan(one, two, user="who", item="what")
    bad: list[BadLine] = []
    rows = [row for batch in read_columnar(plan, bad) for row in batch.to_pylist()]
    assert [(line.path.name, line.line, line.found) for line in bad] == [
        (name, line, found) for name in ("1.parquet", "2.parquet")
        for line, found in ((2, "2.5"), (5, "5.5"))
    ]  # fmt: skip
    assert "".join(row["item_id"] for row in rows) == "acdfacdf"
    places = [locate(plan, row, bad).removeprefix(f"{tmp_path}/") for row in range(8)]
    assert places == [
        "1.parquet, row group 1, row 1", "1.parquet, row group 2, row 1",
        "1.parquet, row group 2, row 2", "1.parquet, row group 3, row 2",
        "2.parquet, row 1", "2.parquet, row 3", "2.parquet, row 4", "2.parquet, row 6",
    ]  # fmt: skip


def test_large_groups_come_in_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columnar, "MAX_BATCH_ROWS", 1000)
    monkeypatch.setattr(columnar_files, "_LARGE_BATCH_BYTES", 1000)
    table = pa.table({"who": range(10_000), "what": map(str, range(10_000)), "stars": [1] * 10_000})
    plain = tmp_path / "plain.feather"
    with pa.OSFile(str(plain), "wb") as target, pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    for file in (_write(tmp_path / "one.parquet", table), RawFile(plain)):
        batches = list(read_columnar(_plan(file)))
        assert max(map(len, batches)) == 1000
        assert pa.Table.from_batches(batches)["user_id"].to_pylist() == list(range(10_000))


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _changed(data: bytes) -> bytes:
    return data[:4] + bytes(len(data) // 2) + data[4 + len(data) // 2 :]


@pytest.mark.parametrize("harm", [_cut, _changed, lambda data: data[:-4], lambda data: data[:4]])
@pytest.mark.parametrize("form", ["parquet", "feather", "stream"])
def test_a_damaged_file_is_named(tmp_path: Path, harm: Callable[[bytes], bytes], form: str) -> None:
    path = tmp_path / f"ratings.{form}"
    table = pa.table({"who": range(1000), "what": range(1000), "stars": range(1000)})
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "feather":
        pa.feather.write_feather(table, str(path))
    else:
        _write_stream(table, path)
    plan = _plan(RawFile(path))
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError, match=str(path)):
        list(read_columnar(plan))


@settings(deadline=None)
@given(
    form=st.sampled_from(["parquet", "feather"]),
    place=st.integers(0, 10**6),
    bit=st.integers(0, 7),
)
def test_a_changed_bit_is_told_or_leaves_as_many_rows(form: str, place: int, bit: int) -> None:
    table = pa.table(WHOLE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings"
        if form == "parquet":
            pq.write_table(table, path, write_page_checksum=True)
        else:
            pa.feather.write_feather(table, str(path))
        plan = _plan(RawFile(path))
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        bad: list[BadLine] = []
        with suppress(DataError):
            assert sum(map(len, read_columnar(plan, bad))) + len(bad) == table.num_rows


def test_a_stream_cut_between_two_batches_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "ratings.arrows"
    table = pa.table(WHOLE)
    with pa.OSFile(str(path), "wb") as target, pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)
        end = target.tell()
        writer.write_table(table)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match="without its end"):
        peek_columnar(RawFile(path))


def test_other_files_are_told_for_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "ratings.feather"
    for data, words in (
        (b"FEA1....", "Feather of version 1"), (b"", "is empty"), (b"1,2\n", "expected a Parquet"),
    ):  # fmt: skip
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            peek_columnar(RawFile(path))
    assert [form_of(head) for head in (b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff", b"user")] == [
        "parquet", "arrow", "arrow", None,
    ]  # fmt: skip
