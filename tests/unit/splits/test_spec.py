"""Descriptions of splits: bounds, one protocol line each, files of ids, and the command's flags."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bigrec.cli.app import main
from bigrec.errors import RawFormatError, SettingsError, SplitError, StoreError
from bigrec.splits.spec import SplitSpec, read_id_list

SPECS: dict[str, dict[str, Any]] = {
    "all ratings; random 80/20, seed 0": {},
    "10-core; random 90/10, seed 3; warm rows only": {
        "k_core": 10, "test_fraction": 0.1, "seed": 3, "warm": True,
    },
    "ratings from 2000-01-01 and ratings to 2004-12-31; temporal, 80/20 by day": {
        "method": "temporal", "first_date": "2000-01-01", "last_date": "2004-12-31",
    },
    "all ratings; temporal, test from 2005-12-01": {
        "method": "temporal", "test_from": "2005-12-01",
    },
    "users with more than 9; last 2 of each user": {
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
    one, two = SplitSpec(movie_ids=(3, 1, 3)), SplitSpec(movie_ids=(1, 3))
    assert one == two
    assert one.protocol().startswith("2 listed movies (")
    assert one.protocol() != SplitSpec(movie_ids=(1, 4)).protocol()


@pytest.mark.parametrize(
    "fields",
    [
        {"validation_fraction": 1.0},
        {"k_core": -1},
        {"first_date": "yesterday"},
        {"first_date": "20050101"},
        {"first_date": "2005-01-02", "last_date": "2005-01-01"},
        {"movie_ids": ()},
        {"user_ids": (0,)},
        {"last": 1},
        {"folds": 5},
        {"test_from": "2005-01-01"},
        {"method": "leave-last"},
        {"method": "leave-last", "last": 101},
        {"method": "folds", "folds": 1, "fold": 1},
        {"method": "folds", "folds": 3, "fold": 4},
    ],
)
def test_values_out_of_bounds_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"expected|belongs to"):
        SplitSpec(**fields)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(SplitError, match="cannot be read"):
        SplitSpec.from_json({"magic": 1})


def test_a_file_of_ids_may_have_a_header(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("movie_id\n7\n\n3\r\n7\n")
    assert read_id_list(path, "movie_id") == (3, 7)
    with pytest.raises(RawFormatError, match="line 1"):
        read_id_list(path, "user_id")
    path.write_text("")
    with pytest.raises(StoreError, match="lists no movie_id"):
        read_id_list(path, "movie_id")
    with pytest.raises(StoreError, match="cannot be read"):
        read_id_list(tmp_path / "none", "movie_id")


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

    (tmp_path / "movies").write_text("movie_id\n" + "\n".join(map(str, range(1, 60))))
    core = create("core", "--k-core", "5", "--validation-fraction", "0.1", "--materialize")
    assert core["k_core_rounds"] >= 1
    assert core["n_validation"] > 0
    assert (store / "splits/core/shards/validation/indptr.npy").exists()
    dated = create("dated", "--method", "temporal", "--since", "2000-01-01", "--until",
                   "2005-06-30", "--test-fraction", "0.3")  # fmt: skip
    assert dated["test_from"] < "2005-06-30"
    listed = create("listed", "--movies-from", str(tmp_path / "movies"))
    assert listed["n_movies"] <= 59
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
