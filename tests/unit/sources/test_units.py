"""Cutting files into units loses no byte and cuts only where a unit may start."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.netflix_files import rating_text, some_rows

from bigrec.errors import DataError
from bigrec.sources import units
from bigrec.sources.raw import RawFile
from bigrec.sources.units import (
    Boundary,
    line_at,
    next_line,
    next_movie_header,
    plan_units,
    read_slices,
    read_unit,
)
from bigrec.workspace import Workspace

TEXT = rating_text(some_rows(40, 9)).encode()


def _write_as(kind: str, folder: Path, text: bytes) -> RawFile:
    if kind == "gzip":
        path = folder / "ratings.txt.gz"
        path.write_bytes(gzip.compress(text))
    elif kind == "zstd":
        path = folder / "ratings.txt.zst"
        path.write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    else:
        path = folder / "ratings.txt"
        path.write_bytes(text)
    return RawFile(path)


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("unit_bytes", [1, 100, 3000, 1 << 20])
@pytest.mark.parametrize("boundary", [next_movie_header, next_line], ids=["header", "line"])
def test_units_cover_the_file_in_order(
    kind: str, unit_bytes: int, boundary: Boundary, tmp_path: Path
) -> None:
    file = _write_as(kind, tmp_path, TEXT)
    workspace = Workspace()
    joined = b""
    for unit in plan_units([file], boundary, unit_bytes):
        text = read_unit(unit, workspace)
        data = text.buffer[: text.edges[-1]].tobytes()
        assert boundary is next_line or data.partition(b"\n")[0].endswith(b":")
        assert data.endswith(b"\n")
        joined += data
    assert joined == TEXT


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n\r\n", "\r\n\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "bom"])
def test_ends_and_beginnings_of_files_are_forgiven(
    kind: str, end: str, start: str, tmp_path: Path
) -> None:
    file = _write_as(kind, tmp_path, (start + "1:\n2,3,2005-09-06" + end).encode())
    (unit,) = plan_units([file], next_movie_header, 1 << 20)
    text = read_unit(unit, Workspace())
    data = text.buffer[: text.edges[-1]].tobytes()
    assert data.replace(b"\r", b"") == b"1:\n2,3,2005-09-06\n"


def test_small_files_share_a_unit_if_they_may(tmp_path: Path) -> None:
    files = []
    for item in range(1, 8):
        path = tmp_path / f"mv_{item}.txt"
        path.write_text(f"{item}:\n5,1,2005-01-01")
        files.append(RawFile(path))
    assert len(list(plan_units(files, next_movie_header, 1 << 20))) == 7
    units = list(plan_units(files, next_movie_header, 40, join_files=True))
    assert [len(unit.pieces) for unit in units] == [2, 2, 2, 1]
    text = read_unit(units[0], Workspace())
    data = text.buffer[: text.edges[-1]].tobytes()
    assert data == b"1:\n5,1,2005-01-01\n2:\n5,1,2005-01-01\n"


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
def test_every_byte_belongs_to_its_line(kind: str, tmp_path: Path) -> None:
    file = _write_as(kind, tmp_path, b"ab\n\ncde\r\nf")
    expected = [(1, "ab")] * 3 + [(2, "")] + [(3, "cde")] * 5 + [(4, "f")]
    assert [line_at(file, offset) for offset in range(10)] == expected


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
def test_an_empty_file_is_an_error(kind: str, tmp_path: Path) -> None:
    file = _write_as(kind, tmp_path, b"\xef\xbb\xbf")
    with pytest.raises(DataError, match="is empty"):
        list(plan_units([file], next_movie_header, 100))


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut off", "changed"])
def test_a_damaged_archive_is_an_error(kind: str, damage: str, tmp_path: Path) -> None:
    file = _write_as(kind, tmp_path, TEXT)
    data = bytearray(file.path.read_bytes())
    if damage == "cut off":
        del data[len(data) // 2 :]
    else:
        data[:4] = b"\0\0\0\0"
    file.path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        list(plan_units([file], next_movie_header, 1 << 20))


def test_a_file_that_shrinks_between_planning_and_reading_is_an_error(tmp_path: Path) -> None:
    file = _write_as("plain", tmp_path, TEXT)
    planned = list(plan_units([file], next_movie_header, 1000))
    file.path.write_bytes(TEXT[:-300])
    read_unit(planned[0], Workspace())
    with pytest.raises(DataError, match="ended at byte"):
        read_unit(planned[-1], Workspace())
    with pytest.raises(DataError, match="ended at byte"):
        list(read_slices(planned[-1].pieces[0], Workspace()))


@pytest.mark.parametrize("slice_bytes", [30, 100, 1 << 20])
def test_slices_are_whole_lines_and_lose_no_byte(
    slice_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_SLICE_BYTES", slice_bytes)
    (unit,) = plan_units([_write_as("plain", tmp_path, TEXT)], next_movie_header, 1 << 20)
    slices = [buffer[:end].tobytes() for buffer, end in read_slices(unit.pieces[0], Workspace())]
    assert b"".join(slices) == TEXT
    assert all(text.endswith(b"\n") for text in slices)


def test_a_line_longer_than_a_slice_ends_the_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_SLICE_BYTES", 30)
    file = _write_as("plain", tmp_path, b"1:\n" + b"9" * 50 + b"\n" + TEXT)
    (unit,) = plan_units([file], next_movie_header, 1 << 20)
    ends = [end for _, end in read_slices(unit.pieces[0], Workspace())]
    assert ends == [3, 0]
