"""Runs with day biases, end to end, on ratings of people whose mood changes by the day."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places
from tests.support.model_names import RATING_MODELS
from tests.support.netflix_files import write_netflix

import bigrec
from bigrec.cli.app import main

N_USERS: Final = 90
N_ITEMS: Final = 60
FIRST: Final = dt.date(2001, 2, 3)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, a split `s`, and runs of every model with day biases and without.

    To be left as it is found.
    """
    folder = tmp_path_factory.mktemp("days")
    random = np.random.default_rng(11)
    item, user = np.divmod(np.flatnonzero(random.random(N_ITEMS * N_USERS) < 0.6), N_USERS)
    day = random.integers(0, 4, len(user))
    moods = random.choice([-1.0, 1.0], (N_USERS, 4))
    level = 3 + random.normal(0, 0.5, N_ITEMS)[item] + moods[user, day]
    stars = np.clip(np.round(level + random.normal(0, 0.3, len(user))), 1, 5).astype(int)
    rows = [
        (int(m) + 1, int(u) + 1, int(r), FIRST + dt.timedelta(days=int(d)))
        for m, u, r, d in zip(item, user, stars, day, strict=True)
    ]
    probe = "".join(
        f"{m}:\n" + "".join(f"{u}\n" for mm, u, _, _ in rows[::7] if mm == m)
        for m in range(1, N_ITEMS + 1)
    )
    others = {"probe.txt": probe.encode(), "qualifying.txt": f"3:\n2,{FIRST}\n".encode()}
    raw = write_netflix(folder / "raw", rows, others=others)
    store = bigrec.ingest(raw, folder / "store")
    split = store.split("s", validation_fraction=0.1)
    for model in RATING_MODELS:
        for name, with_days in ((model, False), (f"{model}-days", True)):
            options: dict[str, object] = {"day_biases": with_days}
            if model in {"dnn", "residual"}:
                options["epochs"] = 3
            bigrec.train(split, model, runs=folder / "runs", run=name, options=options)
    at = places(folder)
    components = ["autorec-days", "cosine-knn-days", "matrix-factorization-days"]
    assert main(["blend", *components, "--run", "blend-days", *at]) == 0
    return folder


def open_run(home: Path, name: str) -> tuple[bigrec.Run, Any]:
    split = bigrec.open(home / "store").split("s")
    return split.run(home / "runs", name), split.materialize(with_days=True)


@pytest.mark.parametrize("model", RATING_MODELS)
def test_moods_are_learned(home: Path, model: str) -> None:
    plain, data = open_run(home, model)
    dated, _ = open_run(home, f"{model}-days")
    assert dated.test["rmse"] < 0.75 * plain.test["rmse"]
    assert dated.recommender.errors_on(data.test).rmse == pytest.approx(
        dated.test["rmse"], abs=1e-6
    )
    assert not (dated.directory.folder / "shuffled").exists()


@pytest.mark.parametrize("name", [*(f"{model}-days" for model in RATING_MODELS), "blend-days"])
def test_a_day_adds_its_bias_to_the_score(home: Path, name: str) -> None:
    run, data = open_run(home, name)
    pairs = next(data.test.pair_chunks(500))
    scorer = run.recommender
    assert pairs.day is not None
    dated, _ = scorer.score_pairs(pairs.user_index, pairs.item_index, pairs.day)
    plain, _ = scorer.score_pairs(pairs.user_index, pairs.item_index)
    days = scorer.biases.days
    assert days is not None
    expected = plain.copy()
    for place, (user, day) in enumerate(zip(pairs.user_index, pairs.day, strict=True)):
        for session in range(days.indptr[user], days.indptr[user + 1]):
            if days.day[session] == day:
                expected[place] += days.bias[session]
    inside = (plain > 1) & (plain < 5)
    np.testing.assert_allclose(dated[inside], np.clip(expected, 1, 5)[inside], atol=1e-5)


def test_a_blend_is_better_than_its_components(home: Path) -> None:
    blend, _ = open_run(home, "blend-days")
    components = [open_run(home, own.run)[0] for own in blend.directory.config.components]
    assert blend.test["rmse"] < 1.02 * min(run.test["rmse"] for run in components)


def test_components_with_and_without_days_are_not_blended(home: Path, capsys: Capture) -> None:
    assert main(["blend", "autorec", "autorec-days", "--run", "x", *places(home)]) != 0
    assert "day biases in all its components or in none, found them in autorec-days" in " ".join(
        capsys.readouterr().err.split()
    )


def test_dates_of_given_pairs_count(home: Path, tmp_path: Path, capsys: Capture) -> None:
    run, _ = open_run(home, "matrix-factorization-days")
    test = run.split.test.select("user_id", "item_id", "date", "rating").collect()
    test.drop("rating").write_csv(tmp_path / "dated.csv")
    test.select("user_id", "item_id").write_csv(tmp_path / "plain.csv")
    errors = []
    for name in ("dated", "plain"):
        output = tmp_path / f"{name}.parquet"
        given = ["--pairs", str(tmp_path / f"{name}.csv"), "--output", str(output)]
        json_of(capsys, "predict", "matrix-factorization-days", *given, *places(home))
        scored = pl.read_parquet(output)
        assert scored.columns == ["user_id", "item_id", "score", "is_fallback"]
        differences = (scored["score"] - test["rating"]).to_numpy()
        errors.append(float(np.sqrt(np.mean(differences**2))))
    assert errors[0] == pytest.approx(run.test["rmse"], abs=1e-4)
    assert errors[1] > 1.2 * errors[0]


def test_the_probe_is_scored_on_the_days_of_its_ratings(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copytree(home / "store", tmp_path / "store")
    at = places(tmp_path)
    assert main(["split", "create", "p", "--method", "probe", *at[:2]]) == 0
    train = ["train", "matrix-factorization", "--split", "p", "--run", "mf", "--epochs", "1"]
    assert main([*train, "--set", "day_biases=true", *at]) == 0
    assert "half of a day's mean deviation at 0." in capsys.readouterr().out
    run = bigrec.open(tmp_path / "store").split("p").run(tmp_path / "runs", "mf")
    days = run.recommender.biases.days
    assert days is not None
    assert np.abs(days.bias).mean() > 0.5
    found = json_of(capsys, "predict", "mf", "--probe", *at)
    assert found["n_in_train"] == 0
    assert found["rmse"] == pytest.approx(run.test["rmse"], abs=1e-5)
    output = tmp_path / "q.txt"
    json_of(capsys, "predict", "mf", "--qualifying", "--output", str(output), *at)
    assert output.read_text().splitlines()[0].endswith(":")


@pytest.mark.parametrize("date", ["yesterday", "03/02/2001"])
def test_a_date_that_is_none_is_refused(
    date: str, home: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "pairs.csv").write_text(f"user_id,item_id,date\n1,1,{date}\n")
    given = ["--pairs", str(tmp_path / "pairs.csv"), "--output", str(tmp_path / "x.csv")]
    assert main(["predict", "autorec-days", *given, *places(home)]) != 0
    assert "expected YYYY-MM-DD as date" in " ".join(capsys.readouterr().err.split())
    assert main(["predict", "autorec", *given, *places(home)]) == 0  # needs none


@pytest.mark.parametrize("name", ["autorec-days", "cosine-knn-days", "blend-days"])
def test_an_exported_run_scores_as_on_a_day_without_ratings(
    home: Path, tmp_path: Path, name: str
) -> None:
    import tensorflow as tf

    run, data = open_run(home, name)
    output = tmp_path / "saved"
    assert (
        main(["export", name, "--format", "saved-model", "--output", str(output), *places(home)])
        == 0
    )
    pairs = next(data.test.pair_chunks(300))
    expected, _ = run.recommender.score_pairs(pairs.user_index, pairs.item_index)
    served = tf.saved_model.load(str(output))(
        tf.constant(data.user_ids[pairs.user_index], tf.int64),
        tf.constant(data.item_ids[pairs.item_index], tf.int64),
    )
    np.testing.assert_allclose(served["score"].numpy(), expected, atol=1e-4)


def test_commands_find_the_days_that_a_run_needs(home: Path, capsys: Capture) -> None:
    assert main(["compare", "dnn", "dnn-days", *places(home)]) == 0
    assert "know the day of each rating: dnn-days\n" in capsys.readouterr().err
    assert main(["evaluate", "dnn-days", "--users", "5", *places(home)]) == 0
    assert "scores know the day of each rating" in " ".join(capsys.readouterr().out.split())
    compared = json_of(capsys, "compare", "--split", "s", *places(home))
    assert compared["runs"][0]["run"].endswith("-days")
    rmse = {row["run"]: row["test"]["rmse"] for row in compared["runs"]}
    for name in ("matrix-factorization-days", "blend-days"):
        measured = json_of(capsys, "evaluate", name, "--users", "5", *places(home))
        assert measured["errors"]["rmse"] == pytest.approx(rmse[name], abs=1e-6)
    listed = json_of(capsys, "recommend", "cosine-knn-days", "1", *places(home))
    assert listed["items"]


def test_where_days_make_no_difference_there_are_no_biases(
    store_small: Path, tmp_path: Path, capsys: Capture
) -> None:
    shutil.copytree(store_small, tmp_path / "store")
    at = places(tmp_path)
    assert main(["split", "create", "s", "--min-user-ratings", "10", *at[:2]]) == 0
    train = ["train", "matrix-factorization", "--split", "s", "--epochs", "1"]
    assert main([*train, "--run", "plain", *at]) == 0
    capsys.readouterr()
    assert main([*train, "--run", "days", "--set", "day_biases=true", *at]) == 0
    out = " ".join(capsys.readouterr().out.split())
    rmse = [open_run(tmp_path, name)[0].test["rmse"] for name in ("plain", "days")]
    assert "none: ratings of one day agree no more than others" in out
    assert "scores know the day" not in out
    assert rmse[0] == rmse[1]
