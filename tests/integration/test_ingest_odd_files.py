"""Raw data as people have it: packed twice, under wrong names, one folder off, damaged, unreadable.

Each is read rightly, or an error names the file and what to do.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.movielens_files import write_movielens
from tests.support.netflix_files import kaggle_zip, write_netflix

from bigrec.cli.app import main
from bigrec.errors import BigrecError, DataError
from bigrec.ingest import builder
from bigrec.ingest.ingest import ingest_ratings
from bigrec.sources import parsed, streams, units
from bigrec.sources.movielens import MovieLensSource
from bigrec.sources.netflix import NetflixSource
from bigrec.sources.raw import RawFolder
from bigrec.store.catalog import open_catalog

MOVIELENS = ("ratings.csv", "movies.csv")
SETS: dict[str, Callable[[Path], Path]] = {
    "netflix": write_netflix,
    "movielens": lambda folder: write_movielens(folder, "csv"),
}


def _fingerprint(raw: Path, store: Path) -> str:
    ingest_ratings(raw, store)
    assert ingest_ratings(raw, store).unchanged
    return open_catalog(store).manifest.fingerprint


def _zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr(name, data)
    return target.getvalue()


def _zstd(data: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return packed


PACKINGS: dict[str, tuple[str, Callable[[str, bytes], bytes]]] = {
    "a zip of its own": (".zip", _zipped),
    "a zip with a folder": (".zip", lambda name, data: _zipped(f"set/{name}", data)),
    "a zip under its name": ("", _zipped),
    "a zip of another name": ("", lambda _, data: _zipped("download", data)),
    "gzip under its name": ("", lambda _, data: gzip.compress(data)),
    "zstd under its name": ("", lambda _, data: _zstd(data)),
    "text under .gz": (".gz", lambda _, data: data),
    "text under .zst": (".zst", lambda _, data: data),
    "text under .zip": (".zip", lambda _, data: data),
    "gzip under .zip": (".zip", lambda _, data: gzip.compress(data)),
    "zip under .gz": (".gz", _zipped),
    "gzip in a zip": (".zip", lambda name, data: _zipped(f"{name}.gz", gzip.compress(data))),
    "gzip in a zip by its bytes": (".zip", lambda name, data: _zipped(name, gzip.compress(data))),
    "zstd in a zip": (".zip", lambda name, data: _zipped(f"{name}.zst", _zstd(data))),
    "stored": (".zip", lambda name, data: _zipped(name, data, zipfile.ZIP_STORED)),
    "bzip2 in a zip": (".zip", lambda name, data: _zipped(name, data, zipfile.ZIP_BZIP2)),
    "LZMA in a zip": (".zip", lambda name, data: _zipped(name, data, zipfile.ZIP_LZMA)),
    "gzip in two parts": (
        ".gz", lambda _, data: gzip.compress(data[:40]) + gzip.compress(data[40:]),
    ),
    "zstd in two frames": (".zst", lambda _, data: _zstd(data[:40]) + _zstd(data[40:])),
    "a backslash in the name": (".zip", lambda name, data: _zipped(f"set\\{name}", data)),
    "a name that escapes": (".zip", lambda name, data: _zipped(f"../../{name}", data)),
    "an absolute name": (".zip", lambda name, data: _zipped(f"/tmp/{name}", data)),
}  # fmt: skip


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("source", SETS)
def test_each_file_may_be_packed_for_itself(packing: str, source: str, tmp_path: Path) -> None:
    raw = SETS[source](tmp_path / "raw")
    expected = _fingerprint(raw, tmp_path / "plain")
    suffix, pack = PACKINGS[packing]
    for path in list(raw.iterdir()):
        data = pack(path.name, path.read_bytes())
        path.unlink()
        (raw / f"{path.name}{suffix}").write_bytes(data)
    assert _fingerprint(raw, tmp_path / "store") == expected


def test_what_systems_add_is_left_alone(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    expected = _fingerprint(raw, tmp_path / "plain")
    archive = kaggle_zip(raw)
    with zipfile.ZipFile(archive, "a") as target:
        target.writestr("__MACOSX/._combined_data_1.txt", b"\0\5\x16\7")
        target.writestr("._movie_titles.csv", b"\0\5\x16\7")
        target.writestr(".DS_Store", b"\0")
        target.writestr("folder/", b"")
    assert _fingerprint(archive, tmp_path / "store") == expected
    for name in (".DS_Store", "._combined_data_1.txt"):
        (raw / name).write_bytes(b"\0\5\x16\7")
    (raw / "holiday.zip").write_bytes(b"PK\3\4 cut off")
    assert _fingerprint(raw, tmp_path / "store2") == expected


def _set_flag(data: bytes, bit: int) -> bytes:
    """The archive with a flag set for its only member, in both of its headers."""
    patched = bytearray(data)
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = patched.find(mark) + place
        patched[at : at + 2] = struct.pack("<H", bit)
    return bytes(patched)


def _set_method(data: bytes, method: int) -> bytes:
    patched = bytearray(data)
    for mark, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = patched.find(mark) + place
        patched[at : at + 2] = struct.pack("<H", method)
    return bytes(patched)


DAMAGES: dict[str, tuple[str, Callable[[str, bytes], bytes], str]] = {
    "encrypted": (".zip", lambda n, d: _set_flag(_zipped(n, d), 1), "encrypted.*password"),
    "deflate64": (".zip", lambda n, d: _set_method(_zipped(n, d), 9), "cannot unpack.*7z x"),
    "unknown": (".zip", lambda n, d: _set_method(_zipped(n, d), 93), "cannot unpack.*7z x"),
    "cut zip": (".zip", lambda n, d: _zipped(n, d)[:-30], "cannot be read"),
    "cut gzip": (".gz", lambda _, d: gzip.compress(d)[:-12], "cannot be read"),
    "cut zstd": (".zst", lambda _, d: _zstd(d)[:-12], "cannot be read"),
    "gzip and garbage": (".gz", lambda _, d: gzip.compress(d) + b"garbage", "cannot be read"),
    "zeros for gzip": (".gz", lambda _, d: bytes(len(d)), "cannot be read"),
    "an empty zip": (".zip", lambda *_: b"PK\5\6" + bytes(18), "is empty"),
    "bzip2": ("", lambda _, d: bz2.compress(d), "is a bzip2 file.*unpack it"),
    "7z": ("", lambda *_: b"7z\xbc\xaf\x27\x1c\0\4", "is a 7z archive.*unpack it"),
    "tar.gz": ("", lambda _, d: gzip.compress(bytes(257) + b"ustar" + d), "is a tar archive"),
    "zip in gzip": ("", lambda n, d: gzip.compress(_zipped(n, d)), "is a zip archive.*unpack"),
    "a page": ("", lambda *_: b"<!DOCTYPE html><html>", "is a web page.*fetch the file again"),
    "UTF-16": ("", lambda _, d: d.decode("latin-1").encode("utf-16"), "UTF-16.*iconv -f UTF-16"),
    "Parquet": ("", lambda *_: b"PAR1\x15\4PAR1", "is a Parquet file.*text file"),
    "nothing": ("", lambda *_: b"", "is empty"),
    "an empty zip under its name": ("", lambda *_: b"PK\5\6" + bytes(18), "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("source", SETS)
@pytest.mark.parametrize("which", [0, 1], ids=["ratings", "titles"])
def test_what_cannot_be_read_is_named_with_what_to_do(
    damage: str, source: str, which: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = SETS[source](tmp_path / "raw")
    names = MOVIELENS if source == "movielens" else ("combined_data_1.txt", "movie_titles.csv")
    path = raw / names[which]
    suffix, harm, expected = DAMAGES[damage]
    data = harm(path.name, path.read_bytes())
    path.unlink()
    (raw / f"{path.name}{suffix}").write_bytes(data)
    for more in ([], ["--on-error", "skip"]):
        assert main(["ingest", str(raw), "--store", str(tmp_path / "store"), *more]) == 3
        shown = capsys.readouterr().err.replace("\n", " ")
        assert re.search(expected, shown), shown
    assert {entry.name for entry in tmp_path.iterdir()} == {"raw"}


# ---------------------------------------------------------------- a folder, and which


GIVEN_FILES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a csv": ("ratings.csv", lambda data: data),
    "gzip": ("ratings.csv.gz", gzip.compress),
    "zstd": ("ratings.csv.zst", _zstd),
    "an empty file": ("ratings.csv", lambda _: b""),
    "Parquet": ("ratings.parquet", lambda _: b"PAR1\x15\4PAR1"),
    "JSON": ("ratings.json", lambda _: b"{}"),
    "UTF-16": ("ratings.csv", lambda data: data.decode().encode("utf-16")),
    "UTF-16 without its mark": ("ratings.csv", lambda data: data.decode().encode("utf-16-be")),
    "Netflix text": ("combined_data_1.txt", lambda _: b"1:\n5,3,2005-01-01\n"),
    "text named zip": ("ratings.zip", lambda data: data),
}


TABLES = {"a csv", "gzip", "zstd", "text named zip"}


@pytest.mark.parametrize("form", GIVEN_FILES)
def test_a_file_without_the_others_of_its_set_is_a_table_or_told(form: str, tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "raw", "csv")
    name, pack = GIVEN_FILES[form]
    data = pack((raw / "ratings.csv").read_bytes())
    (raw / "ratings.csv").unlink()
    (raw / name).write_bytes(data)
    if TABLES & {form}:  # one without titles
        assert ingest_ratings(raw / name, tmp_path / "store").source == "table"
        return
    expected = f"{raw / 'movie'}.* is missing|{raw / name}"
    with pytest.raises(DataError, match=expected) as caught:
        ingest_ratings(raw / name, tmp_path / "store")
    assert "damaged" not in str(caught.value)
    if "UTF-16" in form:
        assert "is UTF-16 text, expected" in caught.value.message
        assert caught.value.hint == "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz", "set.tgz", "set.7z"])
def test_an_archive_that_is_no_zip_is_to_be_unpacked(name: str, tmp_path: Path) -> None:
    data = b"7z\xbc\xaf\x27\x1c" if name.endswith("7z") else bytes(257) + b"ustar" + bytes(300)
    (tmp_path / name).write_bytes(gzip.compress(data) if "gz" in name else data)
    with pytest.raises(DataError) as caught:
        ingest_ratings(tmp_path / name, tmp_path / "store")
    assert "unpack it" in caught.value.hint
    (tmp_path / "raw").mkdir()
    (tmp_path / name).rename(tmp_path / "raw" / name)
    with pytest.raises(DataError) as caught:
        ingest_ratings(tmp_path / "raw", tmp_path / "store")
    assert "unpack set." in caught.value.hint


@pytest.mark.parametrize("source", SETS)
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a", ["a/b/set"]),
        ("a/b", ["a/b/set"]),
        ("a/b/set/below", ["a/b/set"]),
        ("two", ["two/one", "two/set.zip"]),
    ],
)
def test_the_folder_above_or_below_is_told_the_set(
    source: str, given: str, meant: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = SETS[source](tmp_path / "a" / "b" / "set")
    (raw / "below").mkdir()
    shutil.copytree(raw, tmp_path / "two" / "one")
    kaggle_zip(raw).rename(tmp_path / "two" / "set.zip")
    shutil.copytree(tmp_path / "two" / "one", tmp_path / "two" / ".hidden")
    (tmp_path / "two" / "circle").symlink_to(tmp_path / "two")
    if meant == ["two/one", "two/set.zip"]:
        shutil.copy(tmp_path / "two" / "set.zip", tmp_path / "two" / "set2.zip")
        meant = ["two/set.zip", "two/set2.zip", "two/one"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        ingest_ratings(Path(given), tmp_path / "store")
    assert caught.value.hint == f"did you mean {' or '.join(meant)}?"


def test_the_folder_of_the_original_ratings_is_told_the_one_above(tmp_path: Path) -> None:
    training = tmp_path / "download" / "training_set"
    training.mkdir(parents=True)
    (training / "mv_0000001.txt").write_text("1:\n5,3,2005-01-01\n")
    (tmp_path / "download" / "movie_titles.txt").write_text("1,2003,One\n")
    with pytest.raises(DataError, match="movie_titles") as caught:
        ingest_ratings(training, tmp_path / "store")
    assert str(tmp_path / "download") in caught.value.hint
    assert ingest_ratings(tmp_path / "download", tmp_path / "store").n_ratings == 1


def test_the_wrong_source_is_told_the_right_one(tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "raw", "csv")
    assert main(["ingest", str(raw), "--source", "netflix", "--store", str(tmp_path / "s")]) == 3


def test_names_that_stand_for_two_files_are_refused(tmp_path: Path) -> None:
    raw = write_movielens(tmp_path / "raw", "csv")
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for folder in ("a", "b"):
            for name in MOVIELENS:
                target.write(raw / name, f"{folder}/{name}")
    with pytest.raises(DataError, match=r"more than one ratings\.csv: .*a/ratings.*b/ratings"):
        ingest_ratings(archive, tmp_path / "store")
    with zipfile.ZipFile(archive, "w") as target:
        for name in MOVIELENS:
            target.write(raw / name, name)
        with pytest.warns(UserWarning, match="Duplicate"):
            target.write(raw / "movies.csv", "movies.csv")
    with pytest.raises(DataError, match=r"more than one movies\.csv"):
        ingest_ratings(archive, tmp_path / "store")
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "movies.csv").write_bytes((raw / "movies.csv").read_bytes())
    for name in ("ratings.csv.zip", "ratings.csv (1).zip"):
        (downloads / name).write_bytes(_zipped("ratings.csv", (raw / "ratings.csv").read_bytes()))
    with pytest.raises(DataError, match=r"more than one ratings\.csv"):
        ingest_ratings(downloads, tmp_path / "store")


def test_a_zip_inside_a_zip_is_to_be_unpacked(tmp_path: Path) -> None:
    inner = kaggle_zip(write_netflix(tmp_path / "raw"))
    (tmp_path / "below").mkdir()
    outer = tmp_path / "below" / "outer.zip"
    outer.write_bytes(_zipped("set.zip", inner.read_bytes()))
    with pytest.raises(DataError) as caught:
        ingest_ratings(outer, tmp_path / "store")
    assert "unpack set.zip" in caught.value.hint


def test_large_archives_with_64_bit_sizes_are_read(tmp_path: Path) -> None:
    raw = write_netflix(tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "raw.zip", "w") as archive:
        for path in raw.iterdir():
            with archive.open(path.name, "w", force_zip64=True) as target:
                target.write(path.read_bytes())
    expected = _fingerprint(raw, tmp_path / "plain")
    assert _fingerprint(tmp_path / "raw.zip", tmp_path / "store") == expected


def test_names_in_any_bytes_are_no_matter(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Folders and members whose names are no UTF-8, span lines, hold patterns or are long."""
    for name in ("\udcff\udcfe", "a\nb", "[a-z]*?", "x" * 255, "[red]x[/red]"):
        folder = tmp_path / name
        raw = write_netflix(folder)
        (raw / "x\udcff\n.txt").touch()
        main(["ingest", str(raw), "--store", str(tmp_path / "store"), "--overwrite"])
        assert capfd.readouterr().err == ""
        (raw / "combined_data_1.txt").write_bytes(b"1:\n5,9,2005-01-01\n")
        assert main(["ingest", str(raw), "--store", str(tmp_path / "store"), "--overwrite"]) == 3
        assert "line 2: found '5,9,2005-01-01'" in capfd.readouterr().err
        rejects = tmp_path / "rejects.csv"
        skip = ["--on-error", "skip", "--rejects", str(rejects), "--overwrite"]
        (raw / "combined_data_1.txt").write_bytes(b"1:\n5,9,2005-01-01\n5,3,2005-01-01\n")
        assert main(["ingest", str(raw), "--store", str(tmp_path / "store"), *skip]) == 0
        assert b"5,9,2005-01-01" in rejects.read_bytes()
        shutil.rmtree(raw)
    archive = tmp_path / "odd.zip"
    archive.write_bytes(
        _zipped("n\u00e4me/combined_data_1.txt", b"1:\n").replace(
            "n\u00e4me".encode(), b"n\xff\xfeme"
        )
    )
    assert main(["ingest", str(archive), "--store", str(tmp_path / "store2")]) == 3
    assert "Traceback" not in capfd.readouterr().err


# ---------------------------------------------------------------- what the system gives


@pytest.mark.parametrize(
    "kind", ["fifo", "device", "socket folder", "circle", "below a file", "long"]
)
def test_roots_that_are_no_folder_are_refused_at_once(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    if kind == "fifo":
        os.mkfifo(root)
    elif kind == "device":
        root.symlink_to("/dev/zero")
    elif kind == "socket folder":
        root = Path("/dev/null")
    elif kind == "circle":
        root.symlink_to(root)
    elif kind == "below a file":
        root.touch()
        root = root / "below"
    else:
        root = tmp_path / ("x" * 300)
    with pytest.raises(BigrecError) as caught:
        ingest_ratings(root, tmp_path / "store")
    assert caught.value.exit_code == 3
    assert caught.value.hint


AS_NOBODY = (
    "setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all",
)  # fmt: skip


@pytest.mark.parametrize("name", ["combined_data_1.txt", "movie_titles.csv", ".", "above"])
def test_what_may_not_be_read_is_named(name: str, tmp_path: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv to give up rights with")
    raw = write_netflix(tmp_path / "above" / "raw")
    path = tmp_path / "above" if name == "above" else raw / name
    command = [sys.executable, "-m", "bigrec", "ingest", str(raw), "--store", str(tmp_path / "s")]
    path.chmod(0)
    try:
        done = subprocess.run([*AS_NOBODY, *command], capture_output=True, text=True)
    finally:
        path.chmod(0o700)
    if name == ".":
        assert (done.returncode, "is not readable" in done.stderr) == (2, True), done.stderr
        return
    assert done.returncode == 3, done.stderr
    assert "cannot be read: Permission denied" in done.stderr
    assert "take the right" in done.stderr


@pytest.mark.parametrize("packing", ["plain", "zip", "gzip", "zstd"])
@pytest.mark.parametrize("source", SETS)
@pytest.mark.parametrize("bomb", [b"\0", b"1", b"1:", b"\n", b"x\n"], ids=repr)
def test_a_file_that_unpacks_to_much_of_nothing_is_refused_in_little_memory(
    packing: str, source: str, bomb: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_MAX_UNCUT_BYTES", 1 << 18)
    monkeypatch.setattr(parsed, "MAX_BAD_LINES", 100)
    monkeypatch.setattr(streams, "MAX_LINES", 100_000)
    monkeypatch.setattr(builder, "_MAX_UNIT_BYTES", 1 << 18)
    raw = SETS[source](tmp_path / "raw")
    names = MOVIELENS if source == "movielens" else ("combined_data_1.txt", "movie_titles.csv")
    for name in names:
        path = raw / name
        data = path.read_bytes()
        big = data + bomb * ((1 << 20) // len(bomb))
        path.unlink()
        if packing == "plain":
            path.write_bytes(big)
        else:
            pack = {"zip": lambda d: _zipped(name, d), "gzip": gzip.compress, "zstd": _zstd}  # noqa: B023
            (raw / f"{name}.{'gz' if packing == 'gzip' else packing}").write_bytes(
                pack[packing](big)
            )
        for on_error in ("stop", "skip"):
            argv = ["ingest", str(raw), "--store", str(tmp_path / "store"), "--on-error", on_error]
            code = main(argv)
            assert code in (0, 3)
            shutil.rmtree(tmp_path / "store", ignore_errors=True)
        for left in raw.glob(f"{name}*"):
            left.unlink()
        path.write_bytes(data)


def test_sources_are_recognised_without_opening_a_file(tmp_path: Path) -> None:
    """A folder may hold 17,770 of them."""
    raw = write_netflix(tmp_path / "raw")
    for path in raw.iterdir():
        path.chmod(0)
    assert NetflixSource.recognises(RawFolder(raw))
    assert not MovieLensSource.recognises(RawFolder(raw))
