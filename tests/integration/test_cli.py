"""The command line, end to end: `main(argv)` on real files, real engines, real TensorFlow."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places
from tests.support.model_names import RATING_MODELS
from tests.support.sealing import rewrite_json

from bigrec.cli.app import main
from bigrec.models.deep.model import DNN_PRESETS
from bigrec.train.devices import list_gpus


def test_synth_and_ingest_say_what_they_did(tmp_path: Path, capsys: Capture) -> None:
    raw, store = tmp_path / "raw", tmp_path / "store"
    made = json_of(capsys, "synth", str(raw), "--ratings", "5000", "--seed", "1")
    assert set(made) == {"n_ratings", "n_users", "n_items", "noise_rmse"}
    done = json_of(capsys, "ingest", str(raw), "--store", str(store))
    assert done["n_ratings"] == made["n_ratings"] == 5000
    assert {
        "n_users", "n_items", "n_probe", "n_qualifying", "seconds", "rows_per_second",
        "peak_rss_bytes", "store_bytes",
    } <= set(done)  # fmt: skip
    again = json_of(capsys, "ingest", str(raw), "--store", str(store))
    assert again["unchanged"]
    info = json_of(capsys, "info", "--store", str(store))
    assert info["n_ratings"] == 5000
    assert info["splits"] == []


def test_split_create_list_show(home: Path, capsys: Capture) -> None:
    store = places(home)[:2]
    shown = json_of(capsys, "split", "show", "s", *store)
    assert {"name", "n_train", "n_test", "n_users", "n_items", "seconds"} <= set(shown)
    assert "at least 20 ratings" in shown["protocol"]
    listed = json_of(capsys, "split", "list", *store)
    assert [split["name"] for split in listed["splits"]] == ["s"]
    assert main(["split", "show", "other", *store]) == 3
    assert "the store has no split 'other'" in capsys.readouterr().err
    assert main(["split", "create", "t", "--preset", "notebook-smal", *store]) == 2
    assert "notebook-small" in capsys.readouterr().err


def test_train_reports_epochs_and_errors(home: Path, capsys: Capture) -> None:
    argv = ["train", "matrix-factorization", "--split", "s", "--run", "json", "--epochs", "3"]
    done = json_of(capsys, *argv, *places(home))
    assert set(done) == {
        "run", "model", "split", "epochs", "kept_epoch", "primary", "validation", "test", "n_test",
        "n_fallback",
    }  # fmt: skip
    assert [epoch["epoch"] for epoch in done["epochs"]] == [1, 2, 3]
    assert set(done["epochs"][0]) == {
        "epoch", "train_loss", "validation", "test", "seconds", "rows_per_second",
        "input_wait_seconds",
    }  # fmt: skip
    assert done["validation"] is None
    assert done["test"] == done["epochs"][-1]["test"]
    assert main([*argv, *places(home)]) == 6
    assert "exists already" in capsys.readouterr().err
    shutil.rmtree(home / "runs" / "json")


@pytest.mark.skipif(bool(list_gpus()), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told(home: Path, capsys: Capture) -> None:
    argv = ["train", "dnn", "--split", "s", "--device", "gpu", "--run", "g", *places(home)]
    assert main(argv) == 5
    assert "no GPU" in capsys.readouterr().err


def test_mistakes_have_their_exit_codes(home: Path, tmp_path: Path, capsys: Capture) -> None:
    at = places(home)
    for argv, code, words in (
        (["train", "magic", "--split", "s", *at], 2, "unknown model"),
        (["train", "dnn", *at], 2, "expected --split"),
        (["train", "dnn", "--split", "x", *at], 3, "no split 'x'"),
        (["train", "dnn", "--split", "s", "--set", "epocs=3", *at], 2, "epochs"),
        (["train", "dnn", "--split", "s", "--set", "epochs", *at], 2, "KEY=VALUE"),
        (
            [
                "train",
                "dnn",
                "--split",
                "s",
                "--set",
                "first_units=100000000000",
                "--set",
                "start_from_factors=false",
                "--run",
                "g",
                *at,
            ],
            5,
            "out of memory on /",
        ),
        (
            ["train", "matrix-factorization", "--split", "s", "--precision", "mixed", *at],
            2,
            "of which matrix-factorization has none",
        ),
        (["train", "autorec", "--split", "s", "--precision", "mixed", *at], 2, "dense layers"),
        (["train", "cosine-knn", "--split", "s", "--devices", "all", *at], 2, "shares no"),
        (["train", "autorec", "--split", "s", "--cache", "device", *at], 2, "models of pairs"),
        (
            ["train", "dnn", "--split", "s", "--device", "cpu", "--devices", "2", *at],
            5,
            "expected 2 devices, TensorFlow sees /CPU:0 only",
        ),
        (["train", "dnn", "--split", "s", "--devices", "none", *at], 2, "at least 1, or all"),
        (["recommend", "nobody", "1", *at], 6, "no run 'nobody'"),
        (["recommend", "dnn", "999999999", *at], 6, "no rating in the train subset"),
        (["predict", "dnn", "--output", str(tmp_path / "x.csv"), *at], 2, "expected one of"),
        (["predict", "dnn", "--qualifying", *at], 2, "expected --output FILE"),
        (["info", "--store", str(tmp_path / "none")], 3, "no store"),
        (["ingest", str(tmp_path), "--store", str(tmp_path / "s")], 3, "no ratings that bigrec"),
        (["ingest", str(tmp_path), "--memory", "much"], 2, "expected a size"),
        (["frobnicate"], 2, "No such command"),
        (["info", "--what"], 2, "No such option"),
    ):
        capsys.readouterr()
        assert main(argv) == code, argv
        assert words in capsys.readouterr().err


def test_help_settings_lists_what_can_be_set(capsys: Capture) -> None:
    listed = json_of(capsys, "train", "dnn", "--help-settings")
    settings = {setting["name"]: setting for setting in listed["settings"]}
    presets = {name: options.dropout for name, options in DNN_PRESETS.items()}
    assert settings["dropout"]["presets"] == presets
    assert main(["train", "dnn", "--help-settings"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in settings)
    assert main(["train", "dn", "--help-settings"]) == 2


def test_a_diverging_run_stops_with_advice(home: Path, capsys: Capture) -> None:
    argv = ["train", "matrix-factorization", "--split", "s", "--preset", "notebook", "--run", "d"]
    assert main([*argv, "--set", "learning_rate=1e6", *places(home)]) == 6
    assert "--set learning_rate=" in capsys.readouterr().err
    assert not (home / "runs" / "d").exists()


def test_compare_puts_all_runs_and_baselines_in_one_table(home: Path, capsys: Capture) -> None:
    table = json_of(capsys, "compare", *places(home))
    assert {row["run"] for row in table["runs"]} == set(RATING_MODELS)
    errors = [row["test"]["rmse"] for row in table["runs"]]
    assert errors == sorted(errors)
    assert [baseline["name"] for baseline in table["baselines"]] == [
        "global-mean", "item-mean", "bias"
    ]  # fmt: skip
    capsys.readouterr()
    assert main(["compare", "dnn", "residual", *places(home)]) == 0
    text = capsys.readouterr().out
    assert "random 80/20, seed 0" in text
    assert "autorec" not in text
    shown = [line.rstrip() for line in text.splitlines() if "seconds" in line or "dnn" in line]
    assert len(shown[0]) == len(shown[1])  # numbers end where their heading does


def test_compare_colours_the_best_of_each_column_in_a_terminal(
    home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    table = json_of(capsys, "compare", *places(home))
    both = [*table["runs"], *table["baselines"]]
    best = {f"{min(row['test'][name] for row in both):.4f}" for name in ("rmse", "mae")}
    best.add(f"{min(row['seconds'] for row in table['runs']):.1f}")
    assert main(["compare", *places(home)]) == 0
    plain = capsys.readouterr().out
    assert "\x1b" not in plain

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        assert main(["compare", *places(home)]) == 0
        terminal.flush()
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    below_title = shown.split("\n", 1)[1]
    coloured = re.findall(r"\x1b\[1;32m(.*?)\x1b\[0m", below_title)
    assert {cell.strip() for cell in coloured} == best
    assert re.sub(r"\x1b\[[\d;]*m", "", shown).split() == plain.split()


def test_baselines_agree_with_pandas(home: Path, capsys: Capture) -> None:
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    split = open_split(open_catalog(home / "store"), "s")
    train, test = split.train.collect().to_pandas(), split.test.collect().to_pandas()
    means = train.groupby("item_id").rating.mean()
    scores = test.item_id.map(means).fillna(train.rating.mean())
    expected = {
        "global-mean": math.sqrt(((test.rating - train.rating.mean()) ** 2).mean()),
        "item-mean": math.sqrt(((test.rating - scores) ** 2).mean()),
    }
    baselines = {b["name"]: b for b in json_of(capsys, "compare", *places(home))["baselines"]}
    for name, rmse in expected.items():
        assert baselines[name]["test"]["rmse"] == pytest.approx(rmse, rel=1e-5)


@pytest.mark.parametrize("model", RATING_MODELS)
def test_recommendations_are_unseen_and_in_order(model: str, home: Path, capsys: Capture) -> None:
    ratings = pl.scan_parquet(home / "store" / "ratings" / "*.parquet")
    user = int(ratings.select("user_id").first().collect().item())
    answer = json_of(capsys, "recommend", model, str(user), "--top", "5", *places(home))
    assert answer["user_id"] == user
    items = answer["items"]
    assert len(items) == 5
    assert set(items[0]) == {"item_id", "title", "year", "score"}
    scores = [item["score"] for item in items]
    assert scores == sorted(scores, reverse=True)
    seen = set(ratings.filter(pl.col("user_id") == user).collect()["item_id"])
    assert not seen & {item["item_id"] for item in items}


def test_predictions_keep_the_order_and_count_the_cold(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    ratings = pl.scan_parquet(home / "store" / "ratings" / "*.parquet").head(50).collect()
    pairs = ratings.select("user_id", "item_id").sample(fraction=1, shuffle=True, seed=1)
    pairs = pl.concat(
        [pairs, pl.DataFrame({"user_id": [999999999], "item_id": [1]}).cast(pl.Int32)]
    )
    pairs.write_csv(tmp_path / "pairs.csv")
    out = tmp_path / "scores.parquet"
    argv = ["predict", "residual", "--pairs", str(tmp_path / "pairs.csv"), "--output", str(out)]
    summary = json_of(capsys, *argv, *places(home))
    scores = pl.read_parquet(out)
    assert scores["user_id"].to_list() == pairs["user_id"].to_list()
    assert summary["n_pairs"] == len(pairs)
    assert summary["n_fallback"] == scores["is_fallback"].sum() >= 1
    assert np.isfinite(scores["score"].to_numpy()).all()
    for kind in ("--probe", "--qualifying"):
        summary = json_of(
            capsys, "predict", "residual", kind, "--output", str(tmp_path / "o.csv"), *places(home)
        )
        assert summary["n_pairs"] == len(pl.read_csv(tmp_path / "o.csv")) > 0
    written = json_of(
        capsys, "predict", "residual", "--probe", "--output", str(tmp_path / "p.csv"), *places(home)
    )
    measured = json_of(capsys, "predict", "residual", "--probe", *places(home))
    assert measured == written | {"output": None}
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    argv = ["predict", "residual", "--pairs", str(tmp_path / "bad.csv"), "--output", str(out)]
    assert main([*argv, *places(home)]) == 3
    assert "found the header 'a,b'" in capsys.readouterr().err


def test_a_run_of_a_changed_split_is_refused(home: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(home, tmp_path / "home")
    config = tmp_path / "home" / "runs" / "dnn" / "config.json"
    split = json.loads(config.read_text())["split"]
    rewrite_json(config, split=split | {"digest": "0" * 16})
    assert main(["recommend", "dnn", "1", *places(tmp_path / "home")]) == 6
    assert "another state of split" in capsys.readouterr().err


def test_the_python_api_does_the_same(raw_small: Path, tmp_path: Path) -> None:
    import bigrec

    store = bigrec.ingest(raw_small, tmp_path / "store")
    assert store.sql("SELECT count(*) AS n FROM ratings").fetchall() == [(20_000,)]
    split = store.split("s", min_item_ratings=20, min_user_ratings=5)
    assert split.train.select(pl.len()).collect().item() == split.saved.summary.n_train
    batch = next(iter(split.train_batches(batch_size=32)))
    assert batch["rating"].shape == (32,)
    assert split.validation.collect().is_empty()
    three = store.split("three", min_item_ratings=20, validation_fraction=0.1)
    subsets = [subset.collect() for subset in (three.train, three.validation, three.test)]
    assert [len(subset) for subset in subsets] == [
        three.saved.summary.n_train, three.saved.summary.n_validation, three.saved.summary.n_test,
    ]  # fmt: skip
    assert pl.concat(subsets).select("user_id", "item_id").is_unique().all()
    run = bigrec.train(split, "matrix-factorization", runs=tmp_path / "runs", options={"epochs": 1})
    assert 0.5 < run.test["rmse"] < 1.5
    user = int(split.train.select("user_id").first().collect().item())
    assert len(run.recommend(user, top=3)) == 3
    assert store.split("s").run(tmp_path / "runs", run.name).test["rmse"] == run.test["rmse"]
    assert bigrec.open(tmp_path / "store").manifest.n_ratings == 20_000


def test_doctor_is_loud_without_a_gpu(home: Path, capsys: Capture) -> None:
    report = json_of(capsys, "doctor", *places(home))
    assert report["packages"]["tensorflow"]
    assert sorted(report["runs"]) == sorted(RATING_MODELS)
    if not report["gpus"]:
        assert main(["doctor", *places(home)]) == 0
        assert "no GPU" in capsys.readouterr().err


def test_stderr_stays_quiet_and_stdout_is_one_object(home: Path) -> None:
    argv = [sys.executable, "-m", "bigrec", "recommend", "dnn", "1", "--json", *places(home)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 6
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "cuda" not in done.stderr.lower()
