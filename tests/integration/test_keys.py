"""The whole road with texts as ids, held against a twin of the store that has numbers for them."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places, refusal
from tests.support.keyed_stores import ODD, keyed_ratings, make_keyed_store

import bigrec
from bigrec.cli.app import main
from bigrec.errors import DataError, SettingsError, SplitError

RUNS = {
    "mf": ["matrix-factorization", "--epochs", "2"],
    "near-items": ["cosine-knn"],
    "near-users": ["cosine-knn", "--preset", "notebook"],
}
NOBODY = ["0007", "nobody", " 007", "007 ", "1", "zoë", "say hi"]

# Runs without bigrec: loads each SavedModel and prints what it gives for the pairs.
READER = """
import json, sys
import tensorflow as tf
folders, pairs = sys.argv[1:-1], json.loads(sys.argv[-1])
answers = []
for folder in folders:
    model = tf.saved_model.load(folder)
    by_call = model(tf.constant(pairs["user_id"]), tf.constant(pairs["item_id"]))
    by_signature = model.signatures["serving_default"](
        user_id=tf.constant(pairs["user_id"]), item_id=tf.constant(pairs["item_id"])
    )
    for name in by_call:
        assert by_call[name].numpy().tolist() == by_signature[name].numpy().tolist()
    none = tf.constant([], tf.string)
    assert model(none, none)["score"].shape == (0,)
    answers.append({name: value.numpy().tolist() for name, value in by_call.items()})
assert "bigrec" not in sys.modules
print(json.dumps(answers))
"""


class Homes:
    """A store with keys and its twin, in each a split `s` and the same runs."""

    def __init__(self, folder: Path) -> None:
        ratings = keyed_ratings()
        self.ratings = make_keyed_store(folder / "keyed", ratings)
        # Whoever comes first is 1.
        self.numbers = {
            name: {key: at for at, key in enumerate(ratings[name].unique(maintain_order=True), 1)}
            for name in ("user_id", "item_id")
        }
        twin = ratings.with_columns(
            pl.col(name).replace_strict(numbers, return_dtype=pl.Int32)
            for name, numbers in self.numbers.items()
        )
        make_keyed_store(folder / "twin", twin)
        self.keyed, self.twin = places(folder / "keyed"), places(folder / "twin")
        self.keyed_store, self.twin_store = folder / "keyed" / "store", folder / "twin" / "store"
        for at in (self.keyed, self.twin):
            assert main(["split", "create", "s", "--validation-fraction", "0.1", *at[:2]]) == 0
            for run, model in RUNS.items():
                assert main(["train", *model, "--split", "s", "--run", run, *at]) == 0

    def called(self, answer: Any) -> Any:
        """An answer about the twin in the words of the store with keys."""
        if isinstance(answer, list):
            return [self.called(one) for one in answer]
        if not isinstance(answer, dict):
            return answer
        keys = {name: {at: key for key, at in of.items()} for name, of in self.numbers.items()}
        return {
            name: keys[name][value] if name in keys else self.called(value)
            for name, value in answer.items()
        }

    def both(self, capsys: Capture, *command: str, **ids: str) -> tuple[Any, Any]:
        """What a command says of the store with keys, and what it should, by the twin.

        Args:
            capsys: of the test.
            command: without the folders.
            ids: user_id or item_id, the last argument, as the store with keys has it.
        """
        [(name, key)] = ids.items() or [("user_id", "")]
        last = ["--", key] if ids else []
        number = ["--", str(self.numbers[name][key])] if ids else []
        found = json_of_last(capsys, [*command, *self.keyed], last)
        return found, self.called(json_of_last(capsys, [*command, *self.twin], number))


def json_of_last(capsys: Capture, command: list[str], last: list[str]) -> dict[str, Any]:
    """What a command that succeeds prints with --json before its last argument."""
    capsys.readouterr()
    assert main([*command, "--json", *last]) == 0
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    return Homes(tmp_path_factory.mktemp("keys"))


def test_the_twin_keeps_its_numbers(homes: Homes) -> None:
    keyed, twin = bigrec.open(homes.keyed_store), bigrec.open(homes.twin_store)
    assert (keyed.manifest.user_keys, keyed.manifest.item_keys) == (True, True)
    assert (twin.manifest.user_keys, twin.manifest.item_keys) == (False, False)
    users, items = keyed.users().collect(), keyed.items().collect()
    assert dict(zip(users["key"], users["user_id"], strict=True)) == homes.numbers["user_id"]
    assert dict(zip(items["key"], items["item_id"], strict=True)) == homes.numbers["item_id"]
    assert {*ODD} < {*users["key"]}


@pytest.mark.parametrize("run", RUNS)
def test_lists_and_their_reasons_are_in_keys(run: str, homes: Homes, capsys: Capture) -> None:
    named_users = False
    for user in [*ODD, "A000003"]:
        found, expected = homes.both(
            capsys, "recommend", run, "--top", "5", "--explain", user_id=user
        )
        assert found == expected
        assert found["user_id"] == user
        rated = homes.ratings.filter(pl.col("user_id") == user)["item_id"]
        assert not {item["item_id"] for item in found["items"]} & {*rated}
        named_users |= any("user_id" in why for item in found["items"] for why in item["because"])
    assert named_users == (run == "near-users")


def test_a_list_for_people_shows_keys_once(homes: Homes, capsys: Capture) -> None:
    found, _ = homes.both(capsys, "recommend", "mf", "--top", "3", user_id="7")
    capsys.readouterr()
    assert main(["recommend", "mf", "7", "--top", "3", "--explain", *homes.keyed]) == 0
    title, heading, *rows = capsys.readouterr().out.splitlines()
    assert title == "For user 7, by run mf"
    assert heading.split() == ["item_id", "score", "because", "of"]
    for row, item in zip(rows, found["items"], strict=True):
        assert row.startswith(f" {item['item_id']} ")
        assert "item " not in row


@pytest.mark.parametrize("run", RUNS)
def test_similar_items_are_in_keys(run: str, homes: Homes, capsys: Capture) -> None:
    for item in [*ODD, "B0003"]:
        command = ["similar", run, "--top", "4", "--min-ratings", "1"]
        found, expected = homes.both(capsys, *command, item_id=item)
        assert found == expected
        assert found["item_id"] == item


@pytest.mark.parametrize("key", NOBODY)
def test_who_is_called_otherwise_is_nobody(key: str, homes: Homes, capsys: Capture) -> None:
    said = refusal(capsys, "recommend", "mf", key, *homes.keyed, code=6)
    assert f"user {key} has no rating in the train subset of split 's'" in said
    first = homes.ratings["user_id"].unique(maintain_order=True)[:2].to_list()
    assert f"users of the split: {', '.join(first)}" in said
    said = refusal(capsys, "similar", "mf", key, *homes.keyed, code=3)
    assert f"no item of the split has the id or the title {key!r}" in said


def write_rows(path: Path, *rows: list[Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def test_a_person_rates_items_by_key(homes: Homes, tmp_path: Path, capsys: Capture) -> None:
    mine: dict[int | str, float] = dict(zip(ODD, [9, 2, 10, 7.5, 1] * len(ODD), strict=False))
    rated = [[key, stars] for key, stars in mine.items()]
    write_rows(tmp_path / "keyed.csv", ["item_id", "rating"], *rated, ["0007", 3])
    numbers = homes.numbers["item_id"]
    numbered = [[numbers[key], stars] for key, stars in mine.items()]
    write_rows(tmp_path / "twin.csv", ["item_id", "rating"], *numbered, [90_000, 3])
    command = ["recommend", "mf", "--explain", "--ratings"]
    found = json_of(capsys, *command, str(tmp_path / "keyed.csv"), *homes.keyed)
    expected = json_of(capsys, *command, str(tmp_path / "twin.csv"), *homes.twin)
    assert found["items"] == homes.called(expected["items"])
    assert found["left_out"] == ["0007"]
    run = bigrec.open(homes.keyed_store).split("s").run(homes.keyed[-1], "mf")
    by_name = run.recommend_to_person(mine, explain=True).to_json()
    assert json.loads(json.dumps(by_name["items"])) == found["items"]
    by_number = run.recommend_to_person({"0007": 3, 7: 9.0, "a,b": 2.0})
    assert by_number.left_out == ("0007",)
    assert by_number.to_json() == run.recommend_to_person({"7": 9, "a,b": 2, "0007": 3}).to_json()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_pairs_are_scored_by_key(ending: str, homes: Homes, tmp_path: Path) -> None:
    pairs = [(user, item) for user in ODD for item in ODD[::3]]
    pairs += [(user, "7") for user in NOBODY] + [("7", item) for item in NOBODY]
    found, expected = (
        predicted(at, rows, tmp_path / f"{name}{ending}")
        for name, at, rows in (
            ("keyed", homes.keyed, pairs),
            (
                "twin",
                homes.twin,
                [
                    (homes.numbers["user_id"].get(user, 0), homes.numbers["item_id"].get(item, 0))
                    for user, item in pairs
                ],
            ),
        )
    )
    assert found.select("user_id", "item_id").rows() == pairs
    assert found.select("score", "is_fallback").equals(expected.select("score", "is_fallback"))
    cold = [user in NOBODY or item in NOBODY for user, item in pairs]
    assert [str(one).lower() == "true" for one in found["is_fallback"]] == cold


def predicted(at: list[str], pairs: list[tuple[Any, Any]], output: Path) -> pl.DataFrame:
    """The file that `bigrec predict` writes."""
    write_rows(output.with_suffix(".pairs"), ["user_id", "item_id"], *map(list, pairs))
    asked = ["--pairs", str(output.with_suffix(".pairs")), "--output", str(output)]
    assert main(["predict", "mf", *asked, *at]) == 0
    if output.suffix == ".parquet":
        return pl.read_parquet(output)
    return pl.read_csv(output, infer_schema=False, quote_char='"')


def test_frames_of_pairs_hold_keys(homes: Homes) -> None:
    run = bigrec.open(homes.keyed_store).split("s").run(homes.keyed[-1], "mf")
    frame = pl.DataFrame({"user_id": ["007", "7", "0007"], "item_id": ["7", "007", "7"]})
    scored = run.score(frame)
    assert scored.select("user_id", "item_id").equals(frame)
    assert scored["is_fallback"].to_list() == [False, False, True]
    in_groups = frame.with_columns(pl.all().cast(pl.Categorical))
    assert run.score(in_groups)["score"].equals(scored["score"])
    by_number = run.score(pl.DataFrame({"user_id": [7], "item_id": ["007"]}))
    assert by_number["score"].to_list() == scored["score"].to_list()[1:2]
    with pytest.raises(DataError, match="expected texts as item_id, found Float64"):
        run.score(frame.with_columns(item_id=1.5))
    twin = bigrec.open(homes.twin_store).split("s").run(homes.twin[-1], "mf")
    with pytest.raises(DataError, match="expected whole numbers as user_id, found String"):
        twin.score(frame)


def test_pairs_may_come_as_parquet(homes: Homes, tmp_path: Path, capsys: Capture) -> None:
    pairs = pl.DataFrame({"item_id": ["7", "0007"], "user_id": ["007", "7"], "more": [1, 2]})
    pairs.write_parquet(tmp_path / "pairs.parquet")
    given, output = tmp_path / "pairs.parquet", tmp_path / "scored.parquet"
    asked = ["predict", "mf", "--pairs", str(given), "--output", str(output), *homes.keyed]
    assert main(asked) == 0
    scored = pl.read_parquet(output)
    run = bigrec.open(homes.keyed_store).split("s").run(homes.keyed[-1], "mf")
    assert scored.equals(run.score(pairs))
    for wrong, words in (
        (pairs.drop("user_id"), "expected the columns user_id and item_id, and perhaps date"),
        (pairs.with_columns(user_id=0.5), "expected texts as user_id, found Float64"),
        (pairs.with_columns(user_id=None), "expected texts as user_id, found Null"),
        (pairs[:0], "has no pair"),
    ):
        wrong.write_parquet(given)
        said = refusal(capsys, *asked, code=3)
        assert words in said
        assert str(given) in said
    given.write_bytes(given.read_bytes()[:-9])
    assert "cannot be read" in refusal(capsys, *asked, code=3)
    numbers = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 90_000]})
    numbers.write_parquet(given)
    asked = [*asked[:-4], *homes.twin]
    assert main(asked) == 0
    assert pl.read_parquet(output)["is_fallback"].to_list() == [False, True]


def test_a_line_without_an_id_is_named(homes: Homes, tmp_path: Path, capsys: Capture) -> None:
    write_rows(tmp_path / "pairs.csv", ["user_id", "item_id"], ["7", "7"], ["007", ""])
    asked = ["--pairs", str(tmp_path / "pairs.csv"), "--output", str(tmp_path / "x.csv")]
    said = refusal(capsys, "predict", "mf", *asked, *homes.keyed, code=3)
    assert "line 3: found '', expected an id as item_id" in said


def test_lists_of_all_users_are_in_keys(homes: Homes, tmp_path: Path, capsys: Capture) -> None:
    for name, at in (("keyed", homes.keyed), ("twin", homes.twin)):
        output = str(tmp_path / f"{name}.parquet")
        assert main(["recommend", "mf", "--all", "--top", "4", "--output", output, *at]) == 0
    found = pl.read_parquet(tmp_path / "keyed.parquet")
    expected = homes.called(pl.read_parquet(tmp_path / "twin.parquet").to_dicts())
    assert found.with_columns(pl.col("item_id", "title").cast(pl.String)).to_dicts() == expected
    one, _ = homes.both(capsys, "recommend", "mf", "--top", "4", user_id='say "hi"')
    listed = found.filter(pl.col("user_id") == 'say "hi"')["item_id"].cast(pl.String)
    assert listed.to_list() == [item["item_id"] for item in one["items"]]


def test_errors_are_those_of_the_twin(homes: Homes, capsys: Capture) -> None:
    found, expected = homes.both(capsys, "evaluate", "mf", "--relevant", "7")
    assert found == expected
    assert 0 < found["errors"]["rmse"] < 3


def test_a_split_takes_listed_keys(homes: Homes, tmp_path: Path, capsys: Capture) -> None:
    query = "SELECT key FROM users WHERE key NOT LIKE 'A%' ORDER BY key"
    capsys.readouterr()
    assert main(["sql", query, "--format", "csv", *homes.keyed[:2]]) == 0
    (tmp_path / "users.csv").write_text(capsys.readouterr().out, encoding="utf-8")
    (tmp_path / "items.txt").write_text("\n".join(f"B{number:04}" for number in range(9)))
    lists = ["--users-from", str(tmp_path / "users.csv"), "--items-from"]
    command = ["split", "create", "few", *lists, str(tmp_path / "items.txt")]
    found = json_of(capsys, *command, *homes.keyed[:2])
    wanted = homes.ratings.filter(
        ~pl.col("user_id").str.starts_with("A"),
        pl.col("item_id").str.contains("^B000[0-8]$"),
    )
    assert found["n_train"] + found["n_test"] == len(wanted)
    assert {*found["spec"]["user_ids"]} == {key for key in ODD if not key.startswith("A")}
    assert {*found["spec"]["item_ids"]} == {f"B{number:04}" for number in range(9)}
    shown = json_of(capsys, "split", "show", "few", *homes.keyed[:2])
    assert shown["spec"] == found["spec"]
    store = bigrec.open(homes.keyed_store)
    again = store.split(
        "few", user_ids=found["spec"]["user_ids"], item_ids=found["spec"]["item_ids"]
    )
    assert again.saved.digest == found["digest"]
    numbered = store.split("seven", user_ids=[7, "007", "2147483648"])
    assert numbered.saved.summary.n_users == 3
    with pytest.raises(SplitError, match="1 of 2 listed ids are no user_id of the store: 0007"):
        store.split("none", user_ids=["7", "0007"])
    (tmp_path / "items.txt").write_text("0007\n7\n")
    from_file = ["--items-from", str(tmp_path / "items.txt")]
    said = refusal(capsys, "split", "create", "none", *from_file, *homes.keyed[:2], code=3)
    assert "1 of 2 listed ids are no item_id of the store: 0007" in said


def test_from_python_a_number_is_a_key_where_there_are_keys(homes: Homes) -> None:
    run = bigrec.open(homes.keyed_store).split("s").run(homes.keyed[-1], "mf")
    assert run.recommend(7).to_json() == run.recommend("7").to_json()
    assert run.recommend(-5).user_id == "-5"
    assert run.similar(7).to_json() == run.similar("7").to_json()
    with pytest.raises(SettingsError, match="expected user_id"):
        run.recommend(7.5)  # type: ignore[arg-type]
    twin = bigrec.open(homes.twin_store).split("s").run(homes.twin[-1], "mf")
    with pytest.raises(SettingsError, match="expected user_id as Integral, found '7'"):
        twin.recommend("7")


def test_numbers_are_typed_as_ever_where_there_are_no_keys(homes: Homes, capsys: Capture) -> None:
    said = refusal(capsys, "recommend", "mf", "abc", *homes.twin, code=2)
    assert "Invalid value for 'user_id': 'abc' is not a valid int." in said
    padded = json_of(capsys, "recommend", "mf", " 007 ", *homes.twin)
    assert padded == json_of(capsys, "recommend", "mf", "7", *homes.twin)
    assert padded["user_id"] == 7


def test_saved_models_score_keys_as_predict_does_without_bigrec(
    homes: Homes, tmp_path: Path
) -> None:
    pairs = [(user, item) for user in [*ODD, "A000003"] for item in [*ODD[::4], "B0004"]]
    pairs += [(user, "7") for user in NOBODY] + [("7", item) for item in NOBODY]
    folders, expected = [], []
    for run in ("mf", "near-items"):
        write_rows(tmp_path / "pairs.csv", ["user_id", "item_id"], *map(list, pairs))
        output = tmp_path / f"{run}.parquet"
        asked = ["--pairs", str(tmp_path / "pairs.csv"), "--output", str(output)]
        assert main(["predict", run, *asked, *homes.keyed]) == 0
        expected.append(pl.read_parquet(output))
        assert main(["export", run, "--output", str(tmp_path / run), *homes.keyed]) == 0
        folders.append(str(tmp_path / run))
    columns = dict(zip(("user_id", "item_id"), map(list, zip(*pairs, strict=True)), strict=True))
    answer = subprocess.run(
        [sys.executable, "-c", READER, *folders, json.dumps(columns)],
        check=True, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    for found, wanted in zip(json.loads(answer.stdout), expected, strict=True):
        assert found["is_fallback"] == wanted["is_fallback"].to_list()
        assert found["score"] == pytest.approx(wanted["score"].to_list(), abs=1e-5)
        assert sum(found["is_fallback"]) == 2 * len(NOBODY)


def test_a_keras_model_comes_with_its_keys(homes: Homes, tmp_path: Path) -> None:
    folder = tmp_path / "keras"
    command = ["export", "mf", "--format", "keras", "--output", str(folder), *homes.keyed]
    assert main(command) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "bigrec.json", "item_ids.parquet", "model.keras", "user_ids.parquet"
    ]  # fmt: skip
    keys = pl.read_parquet(folder / "user_ids.parquet")["key"].to_list()
    assert keys == homes.ratings["user_id"].unique(maintain_order=True).to_list()


def test_one_side_may_have_keys_and_the_other_none(tmp_path: Path, capsys: Capture) -> None:
    ratings = keyed_ratings()
    numbers = {key: at for at, key in enumerate(ratings["item_id"].unique().sort(), 1)}
    item_id = pl.col("item_id").replace_strict(numbers, return_dtype=pl.Int32)
    make_keyed_store(tmp_path, ratings.with_columns(item_id))
    at = places(tmp_path)
    assert main(["split", "create", "s", *at[:2]]) == 0
    assert main(["train", "matrix-factorization", "--epochs", "1", "--split", "s", "--run", "mf",
                 *at]) == 0  # fmt: skip
    listed = json_of(capsys, "recommend", "mf", "007", "--top", "2", *at)
    assert listed["user_id"] == "007"
    assert all(isinstance(item["item_id"], int) for item in listed["items"])
    pairs: list[tuple[Any, Any]] = [("007", 7), ("7", 0), ("0007", 7)]
    scored = predicted(at, pairs, tmp_path / "scored.parquet")
    assert scored.select("user_id", "item_id").rows() == pairs
    assert scored["is_fallback"].to_list() == [False, True, True]
    assert main(["export", "mf", "--output", str(tmp_path / "served"), *at]) == 0
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "served"))
    users, items = zip(*pairs, strict=True)
    for kind in (tf.int64, tf.int32):
        found = served(tf.constant(users), tf.constant(items, kind))
        assert found["score"].numpy() == pytest.approx(scored["score"].to_numpy(), abs=1e-5)


def test_the_report_calls_users_and_items_by_their_keys(homes: Homes, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert main(["report", "--output", str(page), *homes.keyed]) == 0
    text = page.read_text(encoding="utf-8")
    assert ">item " not in text
    most_rated, *_ = re.findall("Items like “(.+?)”", text)
    assert html.unescape(most_rated) in homes.numbers["item_id"]
    most = homes.ratings["item_id"].value_counts()["count"].max()
    by_ratings = homes.ratings.group_by("item_id").len().filter(pl.col("len") == most)
    assert any(html.escape(key) in text for key in by_ratings["item_id"])
    assert "bigrec recommend RUN A0" in text


def test_queries_show_keys(homes: Homes, capsys: Capture) -> None:
    capsys.readouterr()
    query = "SELECT key, n_ratings FROM users ORDER BY key"
    assert main(["sql", query, "--format", "json", *homes.keyed[:2]]) == 0
    rows = json.loads(capsys.readouterr().out)
    expected = homes.ratings.group_by("user_id").len()
    assert {row["key"]: row["n_ratings"] for row in rows} == dict(expected.iter_rows())
