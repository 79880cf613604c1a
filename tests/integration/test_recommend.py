"""`bigrec recommend` and `bigrec similar`, end to end, against naive answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places
from tests.support.model_names import RATING_MODELS
from tests.support.processes import loaded_by

from bigrec.cli.app import main
from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.models.factorization.scorer import FactorScorer
from bigrec.recommend import top_lists
from bigrec.recommend.recommend import recommend_items
from bigrec.recommend.top_lists import write_top_lists
from bigrec.rows import Rows
from bigrec.runs import open_run
from bigrec.splits.shards import ready_shards
from bigrec.store.catalog import Catalog, open_catalog

Array = np.ndarray[Any, Any]

MF = "matrix-factorization"


@pytest.fixture(scope="module")
def catalog(home: Path) -> Catalog:
    return open_catalog(home / "store")


@pytest.fixture(scope="module")
def data(catalog: Catalog) -> TrainingData:
    shards = ready_shards(catalog, "s")
    assert shards is not None
    return open_training_data(shards)


def busiest_user(data: TrainingData) -> int:
    return int(np.argmax(data.train.lengths()))


def test_factors_recommend_what_the_keras_model_scores_best(
    home: Path, catalog: Catalog, data: TrainingData, capsys: Capture
) -> None:
    user = busiest_user(data)
    user_id = int(data.user_ids[user])
    listed = json_of(capsys, "recommend", MF, str(user_id), "--top", "7", *places(home))["items"]
    model = keras.models.load_model(home / "runs" / MF / "model.keras", compile=False)
    items = np.arange(data.spec.n_items, dtype=np.int32)
    scores = model([np.full(len(items), user, np.int32), items]).numpy()[:, 0]
    rated = catalog.ratings().filter(pl.col("user_id") == user_id).collect()["item_id"]
    trained = np.bincount(data.train.column, minlength=len(items)) > 0
    open_to = np.flatnonzero(trained & ~np.isin(data.item_ids, rated.to_numpy()))
    best = open_to[np.argsort(-scores[open_to], kind="stable")[:7]]
    assert [item["item_id"] for item in listed] == data.item_ids[best].tolist()
    np.testing.assert_allclose([item["score"] for item in listed], scores[best], rtol=1e-5)


def test_one_user_is_answered_without_tensorflow(home: Path, data: TrainingData) -> None:
    user_id = str(data.user_ids[busiest_user(data)])
    heavy = {"tensorflow", "keras", "numba", "scipy", "sklearn"}
    assert not heavy & loaded_by(["recommend", MF, user_id, "--explain", *places(home)])
    # Lists of neighbors are read by compiled loops.
    loaded = loaded_by(["recommend", "cosine-knn", user_id, "--explain", *places(home)])
    assert not (heavy - {"numba", "scipy"}) & loaded


def test_neighbors_do_everything_without_tensorflow(
    home: Path, data: TrainingData, tmp_path: Path
) -> None:
    out = str(tmp_path)
    at = [*places(home)[:2], "--runs", out]
    (tmp_path / "pairs.csv").write_text(f"user_id,item_id\n{data.user_ids[0]},{data.item_ids[0]}")
    commands = [
        ["train", "cosine-knn", "--split", "s", "--preset", preset, "--run", preset, *at]
        for preset in ("notebook", "tuned")
    ]
    commands += [
        ["evaluate", "tuned", *at],
        ["compare", *at],
        ["recommend", "notebook", "--all", "--output", f"{out}/top.parquet", *at],
        ["predict", "tuned", "--pairs", f"{out}/pairs.csv", "--output", f"{out}/s.csv", *at],
        ["similar", "notebook", str(data.item_ids[0]), *at],
        ["similar", "tuned", str(data.item_ids[0]), *at],
    ]
    assert not {"tensorflow", "keras"} & loaded_by(*commands)


@pytest.mark.parametrize("run", [MF, "autorec"])
def test_lists_of_all_users_are_those_of_each(
    run: str, home: Path, catalog: Catalog, data: TrainingData, tmp_path: Path, capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(top_lists, "_MOST_USERS", 100)  # several chunks
    monkeypatch.setattr(top_lists, "_GROUP_ROWS", 1000)  # and row groups
    output = tmp_path / "top.parquet"
    argv = ["recommend", run, "--all", "--output", str(output), "--top", "4", *places(home)]
    summary = json_of(capsys, *argv)
    lists = pl.read_parquet(output)
    assert lists.columns == ["user_id", "rank", "item_id", "title", "score"]
    assert summary["n_rows"] == len(lists) == 4 * summary["n_users"]
    assert lists.select("user_id", "rank").equals(lists.select("user_id", "rank").sort(pl.all()))
    assert summary["n_users"] + summary["n_left_out"] == data.spec.n_users
    rated = lists.join(catalog.ratings().collect(), on=["user_id", "item_id"])
    assert len(rated) == 0
    recommender = open_run(home / "runs", run).recommender(data)
    for user_id in lists["user_id"].unique().sort()[::60].to_list():
        expected = recommend_items(recommender, data, catalog, user_id, top=4)
        found = lists.filter(pl.col("user_id") == user_id)
        assert found["item_id"].to_list() == [item.item_id for item in expected]
        assert found["title"].to_list() == [item.title for item in expected]
        np.testing.assert_allclose(found["score"], [item.score for item in expected], rtol=1e-4)


def test_lists_that_fail_leave_the_old_file(
    home: Path, catalog: Catalog, data: TrainingData, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Failing(FactorScorer):
        def score_users(self, users: Array) -> Array:
            if users[0] > 100:
                raise RuntimeError("the power is out")
            return super().score_users(users)

    monkeypatch.setattr(top_lists, "_MOST_USERS", 50)
    scorer = open_run(home / "runs", MF).recommender(data)
    assert isinstance(scorer, FactorScorer)
    failing = Failing(scorer.factors, scorer.rows, scorer.spec, scorer.biases)
    output = tmp_path / "top.parquet"
    output.write_text("old")
    with pytest.raises(RuntimeError, match="power"):
        write_top_lists(failing, data, catalog, output)
    assert [path.name for path in tmp_path.iterdir()] == ["top.parquet"]
    assert output.read_text() == "old"


@pytest.mark.parametrize("run", RATING_MODELS)
def test_reasons_are_liked_items_nearest_first(
    run: str, home: Path, data: TrainingData, capsys: Capture
) -> None:
    user = busiest_user(data)
    user_id = str(data.user_ids[user])
    answer = json_of(capsys, "recommend", run, user_id, "--explain", "--top", "5", *places(home))
    own = data.train.take(np.array([user]))
    stars = dict(zip(data.item_ids[own.column].tolist(), own.rating.tolist(), strict=True))
    assert any(item["because"] for item in answer["items"])
    for item in answer["items"]:
        reasons = item["because"]
        assert len(reasons) <= 3
        for reason in reasons:
            assert stars[reason["item_id"]] == reason["rating"] >= own.rating.mean()
        similarities = [reason["similarity"] for reason in reasons]
        assert similarities == sorted(similarities, reverse=True)
        assert all(similarity > 0 for similarity in similarities)


def test_reasons_of_user_neighbors_are_their_ratings(
    home: Path, catalog: Catalog, data: TrainingData, tmp_path: Path, capsys: Capture
) -> None:
    at = [*places(home)[:2], "--runs", str(tmp_path)]
    for run, changes in (("plain", []), ("raters", ["only_raters=true", "candidates=200"])):
        settings = [text for change in ["neighbors=30", *changes] for text in ("--set", change)]
        train = ["train", "cosine-knn", "--split", "s", "--preset", "notebook", "--run", run]
        assert main([*train, *settings, *at]) == 0
        user = busiest_user(data)
        user_id = str(data.user_ids[user])
        answer = json_of(capsys, "recommend", run, user_id, "--explain", *at)
        lists = open_run(tmp_path, run).representation
        near = data.user_ids[lists["neighbor_index"][user]].tolist()
        similarity = lists["neighbor_similarity"][user].tolist()
        for listed in answer["items"]:
            index = data.find_items(np.array([listed["item_id"]]))[0]
            stars = {}
            for other in data.find_users(np.array(near)).tolist():
                row = data.train.take(np.array([other]))
                if index in row.column:
                    rating = row.rating[row.column == index][0]
                    stars[int(data.user_ids[other])] = float(rating)
            counting = near[:30] if run == "plain" else [u for u in near if u in stars][:30]
            expected = [
                {"user_id": u, "rating": stars[u], "similarity": similarity[near.index(u)]}
                for u in counting if u in stars
            ]  # fmt: skip
            assert listed["because"] == expected[:3]
        assert any(item["because"] for item in answer["items"])
    assert main(["recommend", "raters", user_id, "--explain", "--top", "2", *at]) == 0
    assert re.search(r"user \d+, rated \d, similarity 0\.\d\d", capsys.readouterr().out)


def test_a_new_person_by_title_or_by_id(
    home: Path, catalog: Catalog, data: TrainingData, tmp_path: Path, capsys: Capture
) -> None:
    some = catalog.items().filter(pl.col("item_id").is_in(data.item_ids[[3, 8, 12]])).collect()
    titled = some.select(
        pl.format("{} ({})", pl.col("title").str.to_uppercase(), "year").alias("title"),
        rating=pl.Series([5, 4, 1]),
    )
    titled.write_csv(tmp_path / "titles.csv")
    some.select("item_id", rating=pl.Series([5, 4, 1])).write_csv(tmp_path / "ids.csv")
    with (tmp_path / "ids.csv").open("a") as file:
        file.write("987654,3\n")
    for run in (MF, "autorec", "cosine-knn"):
        answers = [
            json_of(capsys, "recommend", run, "--ratings", str(tmp_path / name), *places(home))
            for name in ("titles.csv", "ids.csv")
        ]
        assert answers[0]["items"] == answers[1]["items"]
        assert answers[1]["left_out"] == ["987654"]
        assert answers[1]["n_ratings"] == 3
        found = {item["item_id"] for item in answers[0]["items"]}
        assert len(found) == 10
        assert not found & set(some["item_id"])
    assert main(["recommend", "dnn", "--ratings", str(tmp_path / "ids.csv"), *places(home)]) == 6
    assert "no way to score a person" in capsys.readouterr().err


@pytest.mark.parametrize("run", RATING_MODELS)
def test_similar_items_go_by_similarity(
    run: str, home: Path, catalog: Catalog, data: TrainingData, capsys: Capture
) -> None:
    count = np.bincount(data.train.column, minlength=data.spec.n_items)
    item_id = int(data.item_ids[np.argmax(count)])
    argv = ["--top", "5", "--min-ratings", "30", *places(home)]
    answer = json_of(capsys, "similar", run, str(item_id), *argv)
    assert answer["item_id"] == item_id
    values = [item["similarity"] for item in answer["items"]]
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    for item in answer["items"]:
        assert item["item_id"] != item_id
        assert item["n_ratings"] == count[data.find_items(np.array([item["item_id"]]))[0]] >= 30
    item = catalog.items().filter(pl.col("item_id") == item_id).collect()
    name = f"{item['title'][0].swapcase()} ({item['year'][0]})"
    assert json_of(capsys, "similar", run, name, *argv) == answer
    assert main(["similar", run, str(item_id), *argv]) == 0
    assert f"Like {item['title'][0]}" in capsys.readouterr().out


def test_mistakes_say_what_to_do(home: Path, tmp_path: Path, capsys: Capture) -> None:
    at = places(home)
    out = str(tmp_path / "top.csv")
    for argv, code, words in (
        (["recommend", MF, *at], 2, "expected one of USER_ID, --ratings FILE and --all"),
        (["recommend", MF, "--all", *at], 2, "go together"),
        (["recommend", MF, "1", "--output", out, *at], 2, "go together"),
        (["recommend", MF, "--all", "--output", out, "--explain", *at], 2, "for one person"),
        (["recommend", MF, "--all", "--output", out, *at], 3, "expected .parquet"),
        (["recommend", MF, "--ratings", str(tmp_path / "none.csv"), *at], 3, "is missing"),
        (["similar", MF, "the", *at], 3, "items are called 'the': "),
        (["similar", MF, "no such title", *at], 3, "no item of the split"),
    ):
        capsys.readouterr()
        assert main(argv) == code, argv
        assert words in capsys.readouterr().err


def test_seen_are_the_ratings_of_all_subsets(catalog: Catalog, data: TrainingData) -> None:
    from bigrec.recommend.seen import seen_items

    users = np.array([0, 5, 6])
    seen = seen_items(catalog, data, users)
    subsets: list[Rows] = [data.train.take(users), data.test.take(users)]
    for place in range(3):
        expected = np.concatenate(
            [subset.column[subset.indptr[place] : subset.indptr[place + 1]] for subset in subsets]
        )
        found = seen.column[seen.indptr[place] : seen.indptr[place + 1]]
        assert sorted(found.tolist()) == sorted(expected.tolist())
