"""Models that rank, by every command: on stores of stars, of counts and without ratings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places
from tests.support.model_names import RANKING_MODELS

import bigrec
from bigrec.cli.app import main
from bigrec.evaluate.ranking import measure_lists
from bigrec.opened import open_trained
from bigrec.runs import open_run

KINDS = ("stars", "plays", "presence")
KNN = "cosine-knn"


def taste_rows(kind: str) -> pl.DataFrame:
    """Users who choose and like what is of their own taste, by keys that are texts or numbers."""
    random = np.random.default_rng(6)
    taste = np.arange(36) % 3 == (np.arange(150) % 3)[:, None]
    user, item = np.nonzero(random.random(taste.shape) < np.where(taste, 0.6, 0.15))
    likes = taste[user, item]
    columns: dict[str, Any] = {"user_id": user + 1, "item_id": item + 1}
    if kind == "stars":  # keys are texts
        columns = {"user_id": [f"u-{n}" for n in user], "item_id": [f"i_{n}" for n in item]}
        columns["rating"] = np.where(likes, random.integers(4, 6, len(user)), 1 + item % 3)
    if kind == "plays":
        columns["plays"] = random.integers(1, 50, len(user))
    return pl.DataFrame(columns).sample(fraction=1.0, shuffle=True, seed=1)


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, a split and a run of each model that ranks, in `request.param`."""
    folder = tmp_path_factory.mktemp("ranking") / str(request.param)
    folder.mkdir()
    taste_rows(str(request.param)).write_csv(folder / "rows.csv")
    at = places(folder)
    assert main(["ingest", str(folder / "rows.csv"), *at[:2]]) == 0
    assert main(["split", "create", "s", "--validation-fraction", "0.1", *at[:2]]) == 0
    for model in RANKING_MODELS:
        settings = ["--set", "penalty=5"] if model == "ease" else []
        assert main(["train", model, "--split", "s", "--run", model, *settings, *at]) == 0
    return folder


def test_runs_are_judged_by_lists(place: Path, capsys: Capture) -> None:
    table = json_of(capsys, "compare", *places(place))
    assert [row["run"] for row in table["runs"]] == ["ease", "popularity"]
    assert table["primary"] == "ndcg@10"
    assert table["baselines"] == []
    for row in table["runs"]:
        found = json_of(capsys, "evaluate", row["run"], *places(place))
        assert found["errors"] is None
        lists = found["lists"]["rows"][0]
        for measure in ("ndcg", "recall", "precision", "map", "hit_rate"):
            assert row["test"][f"{measure}@10"] == pytest.approx(lists[measure])
    assert main(["evaluate", "ease", *places(place)]) == 0
    text = capsys.readouterr().out
    assert "NDCG" in text
    assert "RMSE" not in text


def test_validation_leaves_out_what_was_trained_on_alone(place: Path) -> None:
    opened = open_trained(place / "store", place / "runs", "ease")
    metrics = opened.directory.metrics
    assert metrics.validation is not None
    data = opened.data
    data.__dict__["test"], data.__dict__["validation"] = data.validation, None
    again = measure_lists("ease", opened.scorer, data).rows[0]
    assert metrics.validation["ndcg@10"] == pytest.approx(again.ndcg)


def test_what_was_learned_from_is_kept(place: Path) -> None:
    positive = open_run(place / "runs", "ease").config.options["positive"]
    assert positive == (4.0 if place.name == "stars" else 1.0)
    counts = open_run(place / "runs", "popularity").representation["n_positive"]
    train = bigrec.open(place / "store").split("s").train.collect()
    assert counts.sum() == train["rating"].ge(positive).sum()


@pytest.mark.parametrize("run", RANKING_MODELS)
def test_lists_are_unseen_in_order_and_explained(place: Path, run: str, capsys: Capture) -> None:
    rows = taste_rows(place.name)
    user = rows["user_id"][0]
    argv = ["recommend", run, str(user), "--explain", "--top", "6", *places(place)]
    items = json_of(capsys, *argv)["items"]
    seen = rows.filter(pl.col("user_id") == user)
    scores = [item["score"] for item in items]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 6
    assert not {item["item_id"] for item in items} & set(seen["item_id"])
    reasons = [reason for item in items for reason in item["because"]]
    if run == "popularity":
        assert not reasons
    else:
        assert reasons
        liked = seen.filter(pl.col("rating") >= 4) if place.name == "stars" else seen
        assert {reason["item_id"] for reason in reasons} <= set(liked["item_id"])
    top = place / f"{run}.parquet"
    assert (
        main(["recommend", run, "--all", "--output", str(top), "--top", "6", *places(place)]) == 0
    )
    listed = pl.read_parquet(top).filter(pl.col("user_id") == user)
    assert listed["item_id"].to_list() == [item["item_id"] for item in items]


def test_a_new_person_gets_what_is_like_it(place: Path, capsys: Capture) -> None:
    key = "i_{}" if place.name == "stars" else "{}"
    liked = [key.format(n) for n in (1, 4, 7, 10)]
    stars = 5 if place.name == "stars" else 1
    (place / "me.csv").write_text("item_id,rating\n" + "".join(f"{one},{stars}\n" for one in liked))
    argv = ["--ratings", str(place / "me.csv"), "--top", "4", *places(place)]
    items = json_of(capsys, "recommend", "ease", *argv)["items"]
    tastes = [int(str(item["item_id"]).removeprefix("i_")) % 3 for item in items]
    assert tastes == [1] * 4
    assert len(json_of(capsys, "recommend", "popularity", *argv)["items"]) == 4


def test_similar_items_are_of_one_taste(place: Path, capsys: Capture) -> None:
    item = "i_4" if place.name == "stars" else "4"
    for run in RANKING_MODELS:
        argv = ["similar", run, item, "--top", "2", "--min-ratings", "1", *places(place)]
        items = json_of(capsys, *argv)["items"]
        tastes = [int(str(one["item_id"]).removeprefix("i_")) % 3 for one in items]
        assert tastes == [1] * 2


def test_what_needs_ratings_is_refused_in_a_sentence(place: Path, capsys: Capture) -> None:
    user, item = taste_rows(place.name).select("user_id", "item_id").row(0)
    (place / "pairs.csv").write_text(f"user_id,item_id\n{user},{item}\n")
    refused = {
        ("predict", "ease", "--pairs", str(place / "pairs.csv"), "--output", str(place / "o.csv")):
            "this run ranks",
        ("export", "ease", "--output", str(place / "out")): "nothing to export",
    }  # fmt: skip
    for argv, words in refused.items():
        assert main([*argv, *places(place)]) == 6
        assert words in capsys.readouterr().err
    assert not (place / "o.csv").exists()
    assert not (place / "out").exists()


def test_runs_are_checked_and_reported(place: Path, capsys: Capture) -> None:
    assert main(["check", "--runs", str(place / "runs")]) == 0
    page = place / "page.html"
    assert main(["report", "--output", str(page), *places(place)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "The models that rank" in text
    assert "Test NDCG@10 of each run" in text
    assert "What a score means" not in text


def test_runs_of_both_objectives_stand_side_by_side(tmp_path: Path, capsys: Capture) -> None:
    taste_rows("stars").write_csv(tmp_path / "rows.csv")
    at = places(tmp_path)
    assert main(["ingest", str(tmp_path / "rows.csv"), *at[:2]]) == 0
    assert main(["split", "create", "s", "--validation-fraction", "0.1", *at[:2]]) == 0
    for model in (KNN, *RANKING_MODELS):
        assert main(["train", model, "--split", "s", "--run", model, *at]) == 0
    capsys.readouterr()
    assert main(["compare", "--json", *at]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert [table["primary"] for table in tables] == ["rmse", "ndcg@10"]
    assert [len(table["runs"]) for table in tables] == [1, 2]
    assert main(["compare", *at]) == 0
    text = capsys.readouterr().out
    assert text.index("test RMSE") < text.index("test NDCG@10")
    assert main(["blend", KNN, "ease", *at]) == 6
    assert "run 'ease' ranks" in capsys.readouterr().err
    page = tmp_path / "page.html"
    assert main(["report", "--output", str(page), *at]) == 0
    text = page.read_text(encoding="utf-8")
    for words in ("The models that rank", "What a score means", "Comparison of lists"):
        assert words in text


def test_a_subset_without_anything_relevant_is_told_before_the_fit(
    tmp_path: Path, capsys: Capture
) -> None:
    rows = taste_rows("stars").with_columns(pl.col("rating").clip(1, 3))
    rows.write_csv(tmp_path / "rows.csv")
    at = places(tmp_path)
    assert main(["ingest", str(tmp_path / "rows.csv"), "--scale", "1:5", *at[:2]]) == 0
    assert main(["split", "create", "s", *at[:2]]) == 0
    assert main(["train", "popularity", "--split", "s", *at]) == 3
    assert "a rating of 4 stars or more in the test subset, found nobody" in capsys.readouterr().err
