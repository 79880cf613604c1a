"""The toolkit from Python, beside what the commands print with --json."""

from __future__ import annotations

import dataclasses
import json
import pydoc
import shutil
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.commands import Capture, json_of, places

import bigrec
from bigrec.api.store import SplitFields
from bigrec.errors import DataError, RunError, SettingsError, SplitError

MF = "mf"


@pytest.fixture(scope="module")
def place(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has the split `s`, and two runs of it."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copytree(store_small, folder / "store")
    with bigrec.open(folder / "store") as store:
        split = store.split("s", min_item_ratings=20, min_user_ratings=5, validation_fraction=0.1)
        runs = folder / "runs"
        bigrec.train(split, "matrix-factorization", runs=runs, run=MF, options={"epochs": 1})
        bigrec.train(split, "cosine-knn", runs=runs, run="knn")
    return folder


@pytest.fixture(scope="module")
def split(place: Path) -> bigrec.Split:
    return bigrec.open(place / "store").split("s")


@pytest.fixture(scope="module")
def run(place: Path, split: bigrec.Split) -> bigrec.Run:
    return split.run(place / "runs", MF)


def as_json(value: Any) -> Any:
    """What is left of a value that is written as JSON and read again."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", [MF, "knn"])
def test_lists_are_those_of_the_commands(
    name: str, place: Path, split: bigrec.Split, tmp_path: Path, capsys: Capture
) -> None:
    run, at = split.run(place / "runs", name), places(place)
    user = str(split.training_data.user_ids[3])
    found = run.recommend(int(user), top=4)
    assert as_json(found.to_json()) == json_of(capsys, "recommend", name, user, "--top", "4", *at)
    why = run.recommend(int(user), top=4, explain=True)
    assert as_json(why.to_json()) == json_of(
        capsys, "recommend", name, user, "--top", "4", "--explain", *at
    )
    assert list(found) == list(found.items)
    assert [item.item_id for item in found] == [item.item_id for item in why]

    items = split.training_data.item_ids[:3].tolist()
    ratings = {items[0]: 5, items[1]: 2.5, items[2]: 1, 999_999: 3}
    file = tmp_path / "my.csv"
    rows = [f"{item},{stars}" for item, stars in ratings.items()]
    file.write_text("\n".join(["item_id,rating", *rows]))
    printed = json_of(capsys, "recommend", name, "--ratings", str(file), "--explain", *at)
    assert as_json(run.recommend_to_person(file, explain=True).to_json()) == printed
    given = run.recommend_to_person(ratings, explain=True)
    assert as_json(given.to_json()) == printed | {"ratings": None}
    assert given.left_out == ("999999",)

    near = run.similar(items[1], top=5, min_ratings=1)
    assert as_json(near.to_json()) == json_of(
        capsys, "similar", name, str(items[1]), "--top", "5", "--min-ratings", "1", *at
    )


def test_what_is_costly_is_loaded_once(run: bigrec.Run) -> None:
    user = int(run.split.training_data.user_ids[0])
    run.recommend(user, explain=True)
    run.similar(int(run.split.training_data.item_ids[0]), min_ratings=1)
    opened = run.opened
    kept = [opened.scorer, opened.similarity, opened.items, opened.biases]
    run.recommend(user, explain=True)
    assert run.opened is opened
    again = [opened.scorer, opened.similarity, opened.items, opened.biases]
    assert all(one is other for one, other in zip(kept, again, strict=True))


def test_a_run_that_is_not_there_is_told_in_words_of_python(
    split: bigrec.Split, place: Path
) -> None:
    with pytest.raises(RunError) as missing:
        split.run(place / "runs", "none")
    assert "bigrec.train(" in missing.value.hint
    assert MF in missing.value.hint


def test_titles_stand_for_items(run: bigrec.Run) -> None:
    title = next(title for title in run.opened.items.titles if title)
    name = run.opened.items.name(run.opened.items.require(title))
    assert run.recommend_to_person({name: 4.0}).n_ratings == 1
    assert run.similar(name).title == title


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        ({}, "at least one rating"),
        ({10**30: 3.0}, "none of the 1 rated items"),
        ({1: 9.0}, "as a number from 1 to 5"),
        ({1: "4"}, "as a number"),
        ({1.5: 4}, "id or title"),
        ({"": 4}, "id or title"),
    ],
)
def test_ratings_that_mean_nothing_are_refused(
    ratings: dict[Any, Any], words: str, run: bigrec.Run
) -> None:
    with pytest.raises(DataError, match=words):
        run.recommend_to_person(ratings)


def test_lists_of_all_users_are_written(
    run: bigrec.Run, place: Path, tmp_path: Path, capsys: Capture
) -> None:
    mine, theirs = tmp_path / "mine.parquet", tmp_path / "theirs.parquet"
    summary = run.recommend_to_all(mine, top=3)
    printed = json_of(
        capsys, "recommend", MF, "--all", "--output", str(theirs), "--top", "3", *places(place)
    )
    assert summary.n_rows == printed["n_rows"]
    assert pl.read_parquet(mine).equals(pl.read_parquet(theirs))


def test_scores_are_those_of_predict(
    run: bigrec.Run, place: Path, tmp_path: Path, capsys: Capture
) -> None:
    pairs = run.split.test.select("user_id", "item_id").head(50).collect()
    file, output = tmp_path / "pairs.csv", tmp_path / "scores.parquet"
    pairs.write_csv(file)
    printed = json_of(
        capsys, "predict", MF, "--pairs", str(file), "--output", str(output), *places(place)
    )
    scored = run.score(pairs)
    assert scored.equals(pl.read_parquet(output))
    assert scored.equals(run.score(str(file)))
    assert as_json(run.predict(pairs, output)) == printed
    assert as_json(run.predict_probe()) == json_of(capsys, "predict", MF, "--probe", *places(place))
    assert run.predict_qualifying(tmp_path / "q.txt").output == str(tmp_path / "q.txt")
    for wrong in (
        pairs.drop("item_id"),
        pairs.cast(pl.String),
        pairs.with_columns(date=pl.lit("2005")),
        pl.DataFrame({"user_id": [1, None], "item_id": [1, 2]}),
    ):
        with pytest.raises(DataError, match="expected"):
            run.score(wrong)


def test_measures_are_those_of_the_commands(
    run: bigrec.Run, split: bigrec.Split, place: Path, capsys: Capture
) -> None:
    at = places(place)
    found = run.evaluate(top=5, n_users=50, seed=3)
    assert as_json(found.to_json()) == json_of(
        capsys, "evaluate", MF, "--top", "5", "--users", "50", "--seed", "3", *at
    )
    assert found.errors is not None
    assert found.errors.rmse == pytest.approx(run.test["rmse"], abs=1e-6)
    both = [split.run(place / "runs", name) for name in (MF, "knn")]
    assert as_json(bigrec.compare(both)) == json_of(capsys, "compare", MF, "knn", *at)
    assert {one.name for one in split.runs(place / "runs")} >= {MF, "knn"}


def test_runs_are_blended_and_exported(
    split: bigrec.Split, place: Path, tmp_path: Path, capsys: Capture
) -> None:
    both = [split.run(place / "runs", name) for name in (MF, "knn")]
    blended = bigrec.blend(both, run="both")
    printed = json_of(capsys, "blend", MF, "knn", "--run", "again", *places(place))
    assert blended.test["rmse"] == printed["test"]["rmse"]
    assert len(blended.recommend(int(split.training_data.user_ids[0]), top=2)) == 2
    summary = both[0].export(tmp_path / "model", format="keras")
    assert (tmp_path / "model" / "model.keras").exists()
    assert summary.format == "keras"
    with pytest.raises(RunError, match="at least one run"):
        bigrec.blend([])
    with pytest.raises(SettingsError, match=r"runs\[1\]"):
        bigrec.compare([both[0], "knn"])  # type: ignore[list-item]


def test_a_store_says_what_it_is(place: Path, capsys: Capture) -> None:
    with bigrec.open(place / "store") as store:
        at = places(place)[:2]
        assert as_json(store.info()) == json_of(capsys, "info", *at)
        checks = store.check()
        assert all(check.passed for check in checks)
        printed = json_of(capsys, "check", *at)["checks"]
        assert [check.name for check in checks] == [check["name"] for check in printed]
    assert all(check.passed for check in bigrec.check_runs(place / "runs"))
    with pytest.raises(RunError, match="no folder"):
        bigrec.check_runs(place / "none")


def test_a_report_is_written(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("altair")
    store = bigrec.open(place / "store")
    assert store.report(tmp_path / "page.html").n_figures > 0
    assert (tmp_path / "page.html").exists()


def test_one_session_serves_all_queries_until_the_store_is_closed(store_small: Path) -> None:
    with bigrec.open(store_small) as store:
        store.sql("SELECT 1").fetchall()
        session = store._session
        store.sql("SELECT 2").fetchall()
        assert store._session is session
    assert "_session" not in vars(store)


def test_splits_are_made_and_opened_by_name(store_small: Path, tmp_path: Path) -> None:
    shutil.copytree(store_small, tmp_path / "store")
    store = bigrec.open(tmp_path / "store")
    with pytest.raises(SplitError) as missing:
        store.split("plain")
    assert "store.split('plain', bigrec.SplitSpec())" in missing.value.hint
    assert "bigrec split" not in missing.value.hint
    made = store.split("plain", bigrec.SplitSpec())
    assert made.saved.spec == store.split("plain").saved.spec == bigrec.SplitSpec()
    with pytest.raises(SettingsError, match="min_item_rating") as wrong:
        store.split("new", min_item_rating=3)  # type: ignore[call-arg]
    assert "min_item_ratings" in wrong.value.hint
    with pytest.raises(SettingsError, match="found both"):
        store.split("new", bigrec.SplitSpec(), seed=3)
    with pytest.raises(SplitError, match="exists"):
        store.split("plain", seed=3)


def test_the_fields_of_a_split_are_those_of_its_spec() -> None:
    of_spec = typing.get_type_hints(bigrec.SplitSpec)
    of_call = typing.get_type_hints(SplitFields)
    assert list(of_call) == [field.name for field in dataclasses.fields(bigrec.SplitSpec)]
    for name, kind in of_call.items():
        if name not in ("item_ids", "user_ids"):  # any sequence of ids serves
            assert kind == of_spec[name], name


def test_public_names_are_seen_and_hide_no_module() -> None:
    assert set(bigrec.__all__) <= set(dir(bigrec))
    page = pydoc.plain(pydoc.render_doc(bigrec))
    for name in set(bigrec.__all__) - {"__version__"}:
        assert name in page, name
    code = (
        "import bigrec, inspect; before = bigrec.train\n"
        "import bigrec.train.schedule, bigrec.ingest.options\n"
        "assert bigrec.train is before and bigrec.train.schedule.__name__\n"
        "assert bigrec.ingest.options\n"
        "assert 'options' in inspect.signature(bigrec.train).parameters\n"
        "assert 'flags' in inspect.signature(bigrec.ingest).parameters\n"
        "from bigrec import train, open, Run\n"
        "try: bigrec.nothing\n"
        "except AttributeError: pass\n"
        "else: raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_method_says_what_it_takes_and_shows_an_example() -> None:
    from bigrec.api import ingesting, store, training

    methods = [ingesting.ingest, ingesting.recognise, store.open, store.check_runs]
    methods += [training.train, training.blend, training.compare]
    properties = {"ratings", "items", "users", "close"}  # no arguments, nothing to refuse
    for kind in (bigrec.Store, bigrec.Split, bigrec.Run):
        methods += [
            value for name, value in vars(kind).items()
            if callable(value) and not name.startswith("_") and name not in properties
        ]  # fmt: skip
    for method in methods:
        text = method.__doc__ or ""
        assert "Raises:" in text, method
        assert "Examples:" in text, method
        takes = [name for name in method.__annotations__ if name not in ("return", "self")]
        assert "Args:" in text or not takes, method
