"""Descriptions of splits: bounds, one protocol line each, files of ids, and the command's flags."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.netflix_files import write_netflix

from bigrec.cli.app import main
from bigrec.errors import DataError, RawFormatError, SettingsError, SplitError, StoreError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.splits import splits
from bigrec.splits.spec import SplitSpec, read_id_list

SPECS: dict[str, dict[str, Any]] = {
    "all ratings; random 80/20, seed 0": {},
    "10-core; random 90/10, seed 3; warm rows only": {
        "k_core": 10, "test_fraction": 0.1, "seed": 3, "warm": True,
    },
    "ratings from 2000-01-01 and ratings to 2004-12-31; temporal, 80/20 by time": {
        "method": "temporal", "first_date": "2000-01-01", "last_date": "2004-12-31",
    },
    "all ratings; temporal, test from 2005-12-01": {
        "method": "temporal", "test_from": "2005-12-01",
    },
    "users with at least 9; last 2 of each user": {
        "method": "leave-last", "last": 2, "min_user_ratings": 9,
    },
    "all ratings; official probe, seed 0; validation 10% of train": {
        "method": "probe", "validation_fraction": 0.1,
    },
    "all ratings; fold 2 of 5, seed 0": {"method": "folds", "folds": 5, "fold": 2},
}  # fmt: skip


@pytest.mark.parametrize("protocol", SPECS)
def test_a_spec_has_one_line_and_survives_json(protocol: str) -> None:
    spec = SplitSpec(**SPECS[protocol])
    assert spec.protocol() == protocol
    assert SplitSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert len({SplitSpec(**fields).digest("x") for fields in SPECS.values()}) == len(SPECS)
    assert hash(spec) == hash(SplitSpec(**SPECS[protocol]))


def test_listed_ids_are_a_set_with_a_digest() -> None:
    one, two = SplitSpec(item_ids=(3, 1, 3)), SplitSpec(item_ids=(1, 3))
    assert one == two
    assert one.protocol().startswith("2 listed items (")
    assert one.protocol() != SplitSpec(item_ids=(1, 4)).protocol()


@pytest.mark.parametrize(
    "fields",
    [
        {"validation_fraction": 1.0},
        {"k_core": -1},
        {"first_date": "yesterday"},
        {"first_date": "20050101"},
        {"first_date": "2005-01-02", "last_date": "2005-01-01"},
        {"item_ids": ()},
        {"user_ids": (0,)},
        {"last": 1},
        {"folds": 5},
        {"test_from": "2005-01-01"},
        {"method": "temporal", "test_from": "2005-01-01 10:00:00.5"},
        {"method": "temporal", "test_from": "2005-01-01 10:00:00+01:00"},
        {"method": "temporal", "test_from": "2005-01-01 10"},
        {"method": "leave-last"},
        {"method": "leave-last", "last": 101},
        {"method": "folds", "folds": 1, "fold": 1},
        {"method": "folds", "folds": 3, "fold": 4},
    ],
)
def test_values_out_of_bounds_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"expected|belongs to"):
        SplitSpec(**fields)


def test_a_time_to_test_from_has_one_form() -> None:
    one, two = (
        SplitSpec(method="temporal", test_from=f"2005-01-01{between}10:00:00")
        for between in ("T", " ")
    )
    assert one == two
    assert one.protocol() == "all ratings; temporal, test from 2005-01-01 10:00:00"


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(SplitError, match="cannot be read"):
        SplitSpec.from_json({"magic": 1})


def test_a_file_of_ids_may_have_a_header(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("item_id\n7\n\n3\r\n7\n")
    assert read_id_list(path, "item_id") == (3, 7)
    with pytest.raises(RawFormatError, match="line 1"):
        read_id_list(path, "user_id")
    path.write_text("")
    with pytest.raises(StoreError, match="lists no item_id"):
        read_id_list(path, "item_id")
    with pytest.raises(StoreError, match="cannot be read"):
        read_id_list(tmp_path / "none", "item_id")


FORMS_OF_LISTS = {
    "a byte order mark": b"\xef\xbb\xbf3\n7\n",
    "a mark and a header": b"\xef\xbb\xbfuser_id\r\n3\r\n7\r\n",
    "quotes": b'"user_id"\n"3"\n"7"\n',
    "blank lines": b"\n3\n\n  \n7\n\n",
    "blanks": b"  3 \n\t7",
    "repeated ids": b"7\n3\n7\n3\n",
    "leading zeros": b"0000000000003\n007\n",
}


@pytest.mark.parametrize("form", FORMS_OF_LISTS)
@pytest.mark.parametrize("name", ["ids", "i[d]s*?.csv", "i\nds", "\udcff"])
def test_lists_of_ids_are_read_in_any_usual_form(form: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("99\n")  # where a pattern would lead
    (tmp_path / name).write_bytes(FORMS_OF_LISTS[form])
    assert read_id_list(tmp_path / name, "user_id") == (3, 7)


WRONG_LISTS = {
    "two columns": (b"3\n7,100\n", "line 2: found '7,100', expected one user_id a line"),
    "another column": (b"item_id\n3\n", "line 1: found 'item_id', expected one user_id"),
    "a fraction": (b"3\n5.0\n", "line 2: found '5.0'"),
    "zero": (b"3\n0\n", "line 2: found '0'.*from 1 to 2147483646"),
    "too large": (b"2147483647\n", "line 1: found '2147483647'"),
    "negative": (b"-3\n", "line 1: found '-3'"),
    "thousands of digits": (b"9" * 5000, "line 1: found '9999"),
    "digits of another script": ("\u0663\n".encode(), "line 1: found '\u0663'"),
    "bytes of another encoding": (b"3\n\xff7\n", "line 2: found '\ufffd7'"),
    "Parquet": (b"PAR1\x15\x04\x15PAR1", "is a Parquet file, expected text"),
    "a zip": (b"PK\x03\x04rest", "is a zip archive, expected text"),
    "UTF-16": ("\ufeff3\n".encode("utf-16-le"), "is UTF-16 text, expected text"),
    "zeros": (bytes(100), "is no text"),
    "nothing": (b"", "lists no user_id"),
    "a header alone": (b"\xef\xbb\xbfuser_id\n", "lists no user_id"),
}


@pytest.mark.parametrize("form", WRONG_LISTS)
def test_lists_that_hold_something_else_are_named(
    form: str, store_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, expected = WRONG_LISTS[form]
    path = tmp_path / "ids"
    path.write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_id_list(path, "user_id")
    flags = ["--users-from", str(path), "--store", str(store_small)]
    assert main(["split", "create", "s", *flags]) == 3
    assert "one user_id a line" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "missing", "circle", "device"])
def test_lists_that_are_no_file_are_named(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ids"
    if kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match=r"ids (cannot be read|is no text)"):
        read_id_list(path, "item_id")


ODD_VALUES = ["-1", "0", "99999999999999999999", "nan", "inf", "-inf", "", "1e400", "\u00b2", "a/b"]
DATES = ["0000-00-00", "9999-12-31", "2000-13-01", "99999-01-01", "2000-1-1", "0001-01-01"]
NUMBERS = ("min-item-ratings", "min-user-ratings", "k-core", "last", "folds", "seed")
ODD_FLAGS = [
    *((f"--{name}", value) for name in NUMBERS for value in [*ODD_VALUES, str(2**31 - 1)]),
    *((f"--{name}-fraction", v) for name in ("test", "validation") for v in [*ODD_VALUES, "1"]),
    *((f"--{name}", v) for name in ("since", "until", "test-from") for v in [*ODD_VALUES, *DATES]),
    *((name, value) for name in ("--method", "--preset") for value in ODD_VALUES),
]


@pytest.fixture(scope="module")
def own_store(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of this module, to be left without splits."""
    store = tmp_path_factory.mktemp("own") / "store"
    shutil.copytree(store_small, store)
    return store


@pytest.mark.parametrize(("flag", "value"), ODD_FLAGS)
def test_any_value_of_any_option_is_taken_or_refused_in_words(
    flag: str, value: str, own_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method = {"--last": "leave-last", "--folds": "folds", "--test-from": "temporal"}.get(flag)
    methods = ["--method", method] if method else []
    code = main(["split", "create", "s", flag, value, *methods, "--store", str(own_store)])
    splits = own_store / "splits"
    if code == 0:
        shutil.rmtree(splits)
    else:
        assert code in (2, 3)
        assert capsys.readouterr().err.strip()
        assert not splits.exists() or list(splits.iterdir()) == []


WRONG_NAMES = [
    "",
    ".",
    "..",
    "a/b",
    "a\n",
    "a\0b",
    "\u00e9",
    ".a",
    "a" * 201,
    "a" * 300,
    "--",
    "-x",
]


@pytest.mark.parametrize("name", WRONG_NAMES)
@pytest.mark.parametrize("method", ["random", "folds"])
def test_names_that_cannot_be_folders_are_refused_before_the_work(
    name: str, method: str, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits, "_resolve", None)
    argv = ["split", "create", name, "--method", method, "--store", str(own_store)]
    assert main(argv) == 2


@pytest.mark.parametrize("name", ["a" * 197, "a.b_c-1"])
def test_names_that_fit_are_taken(name: str, own_store: Path) -> None:
    argv = ["split", "create", name, "--method", "folds", "--folds", "2"]
    assert main([*argv, "--store", str(own_store)]) == 0
    assert len(list((own_store / "splits").iterdir())) == 2
    shutil.rmtree(own_store / "splits")


@pytest.mark.parametrize("refused", ["an empty fold", "a taken name", "a fault at the end"])
def test_folds_are_saved_all_or_none(
    refused: str, own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    shutil.copytree(own_store, store)
    before = []
    if refused == "a taken name":
        assert main(["split", "create", "f-3", "--store", str(store)]) == 0
        before = ["f-3"]
        monkeypatch.setattr(splits, "_resolve", None)  # nothing is scanned
    elif refused == "an empty fold":
        shutil.rmtree(store)
        raw = write_netflix(tmp_path / "raw", ratings=b"1:\n1,3,2005-01-01\n2,3,2005-01-01\n")
        ingest_ratings(raw, store)
    else:
        write = splits._write_ids

        def stop_at_the_last(path: Path, *arguments: Any, **columns: Any) -> None:
            if "f-5" in path.parent.name:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(path, *arguments, **columns)

        monkeypatch.setattr(splits, "_write_ids", stop_at_the_last)
    argv = ["split", "create", "f", "--method", "folds", "--store", str(store)]
    assert main(argv) == (5 if refused == "a fault at the end" else 3)
    folder = store / "splits"
    assert (sorted(path.name for path in folder.iterdir()) if folder.exists() else []) == before


def test_the_command_takes_every_filter_and_method(
    store_small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)

    def create(name: str, *flags: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["split", "create", name, *flags, "--store", str(store), "--json"]) == 0
        fields: dict[str, Any] = json.loads(capsys.readouterr().out)
        return fields

    (tmp_path / "items").write_text("item_id\n" + "\n".join(map(str, range(1, 60))))
    core = create("core", "--k-core", "5", "--validation-fraction", "0.1", "--materialize")
    assert core["k_core_rounds"] >= 1
    assert core["n_validation"] > 0
    assert (store / "splits/core/shards/validation/indptr.npy").exists()
    dated = create("dated", "--method", "temporal", "--since", "2000-01-01", "--until",
                   "2005-06-30", "--test-fraction", "0.3")  # fmt: skip
    assert dated["test_from"] < "2005-06-30"
    listed = create("listed", "--items-from", str(tmp_path / "items"))
    assert listed["n_items"] <= 59
    last = create("last", "--method", "leave-last", "--warm")
    assert last["spec"]["last"] == 1
    assert last["n_dropped"] > 0
    assert create("probe", "--method", "probe")["n_test"] > 0
    folds = create("folds", "--method", "folds", "--folds", "3")["splits"]
    assert [fold["name"] for fold in folds] == ["folds-1", "folds-2", "folds-3"]
    assert sum(fold["n_test"] for fold in folds) == 20_000
    for name in ("core", "last"):
        assert main(["split", "show", name, "--store", str(store)]) == 0
    text = capsys.readouterr().out
    assert "k-core rounds" in text
    assert "cold ratings dropped" in text
