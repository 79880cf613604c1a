"""Stores by the second or the day, without times, and of implicit feedback: SQL, splits, report."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture
from tests.support.model_names import RATING_MODELS
from tests.support.table_source import make_store

import bigrec
from bigrec.cli.app import main
from bigrec.errors import SettingsError, SplitError
from bigrec.interactions import EXPLICIT, IMPLICIT, Scale
from bigrec.models import registry
from bigrec.models.registry import check_feedback, find_model
from bigrec.query.library import ANALYSIS, list_queries
from bigrec.query.session import open_session
from bigrec.report.page import write_report
from bigrec.report.rating_groups import group_starts
from bigrec.resources import Budget
from bigrec.run_groups import blend_trained
from bigrec.schema import BY_DAY, BY_SECOND, NO_TIME
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.splits.views import split_view_queries
from bigrec.store.catalog import Catalog, open_catalog

KINDS: Final = {
    "seconds": (BY_SECOND, EXPLICIT, Scale.even(1, 10, 10)),
    "days": (BY_DAY, EXPLICIT, Scale.even(-10, 10, 2001)),
    "no times": (NO_TIME, EXPLICIT, Scale.even(0, 100, 101)),
    "plays": (BY_SECOND, IMPLICIT, None),
    "bare pairs": (NO_TIME, IMPLICIT, None),
}
N_USERS, N_ITEMS = 70, 50
TIMELESS: Final = [kind for kind, (unit, _, _) in KINDS.items() if unit == NO_TIME]


def rows_of(kind: str, seed: int = 3) -> dict[str, Any]:
    """Made-up columns: half of all pairs, times around 1970 of which many fall on one second."""
    unit, _, scale = KINDS[kind]
    random = np.random.default_rng(seed)
    pair = np.flatnonzero(random.random(N_USERS * N_ITEMS) < 0.5)
    random.shuffle(pair)
    columns: dict[str, Any] = {"user_id": 1 + pair // N_ITEMS, "item_id": 1 + pair % N_ITEMS}
    if scale is not None:
        mean = random.normal(0, 0.15, N_USERS)[pair // N_ITEMS]
        mean += random.normal(0.5, 0.15, N_ITEMS)[pair % N_ITEMS]
        share = np.clip(mean + random.normal(0, 0.05, len(pair)), 0, 1)
        columns["rating"] = scale.table[np.rint(share * (len(scale.values) - 1)).astype(int)]
    elif kind == "plays":
        columns["rating"] = np.minimum(random.zipf(1.6, len(pair)), 352_698).astype(np.float64)
    if unit != NO_TIME:
        seconds = random.integers(-400, 400, len(pair)) * 3_601
        columns["date"] = np.datetime64("1970-01-01", "ms") + 1000 * seconds
    return columns


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders by kind, each with `store` and in it the splits `s` (random) and, of time, `last`."""
    home = tmp_path_factory.mktemp("times")
    for kind, (unit, feedback, scale) in KINDS.items():
        catalog = make_store(
            home / kind, rows_of(kind), time_unit=unit, feedback=feedback, scale=scale
        )
        create_split(catalog, "s", SplitSpec(validation_fraction=0.1))
        if unit != NO_TIME:
            create_split(catalog, "last", SplitSpec(method="leave-last", last=2))
            create_split(catalog, "late", SplitSpec(method="temporal", test_fraction=0.3))
    return home


def store_of(home: Path, kind: str) -> Catalog:
    return open_catalog(home / kind / "store")


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_passes(home: Path, kind: str, capsys: Capture) -> None:
    code = main(["check", "--deep", "--store", str(home / kind / "store")])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_every_query_of_the_library_runs(home: Path, kind: str) -> None:
    catalog = store_of(home, kind)
    views = split_view_queries(catalog.layout, "s")
    about_time = {
        "burst_users", "new_users_per_month", "rating_by_item_age", "rating_distribution_by_year",
        "ratings_by_weekday", "ratings_over_time", "ratings_per_day", "ratings_per_year",
    }  # fmt: skip
    with open_session(catalog.layout.root, budget=Budget(threads=2), views=views) as session:
        for query in list_queries(ANALYSIS):
            wanted = {"user_id", "item_id", "min_ratings"}
            values = {p.name: "1" for p in query.parameters if p.name in wanted}
            rows = session.run(query.sql, query.bind(values)).fetchall()
            if query.name in about_time:
                assert bool(rows) == (kind not in TIMELESS), query.name


@pytest.mark.parametrize("kind", KINDS)
def test_views_show_the_rows_that_were_ingested(home: Path, kind: str) -> None:
    unit, feedback, _ = KINDS[kind]
    given = pl.DataFrame(rows_of(kind)).sort("item_id", "user_id")
    with open_session(store_of(home, kind).layout.root, budget=Budget(threads=1)) as session:
        found = session.run("SELECT * FROM ratings ORDER BY item_id, user_id").pl()
        said = session.run("SELECT feedback, time_unit, first_date FROM manifest").fetchall()[0]
        users = session.run("SELECT first_date, last_date FROM users").pl()
    assert said[:2] == (feedback, unit)
    assert found["item_id"].to_list() == given["item_id"].to_list()
    assert found["user_id"].to_list() == given["user_id"].to_list()
    assert found["date"].dtype == pl.Date
    if "rating" in given:
        assert found["rating"].to_list() == given["rating"].cast(pl.Float32).to_list()
    if unit == NO_TIME:
        assert found["date"].null_count() == len(found)
        assert users["first_date"].null_count() == len(users)
        assert said[2] is None
    else:
        assert found["date"].to_list() == given["date"].dt.date().to_list()
        first = min(given["date"].dt.date().to_list())
        assert said[2] == first < dt.date(1970, 1, 1)
    assert ("time" in found.columns) == (unit == BY_SECOND)
    if unit == BY_SECOND:
        assert found["time"].to_list() == given["date"].to_list()


@pytest.mark.parametrize("kind", ["seconds", "plays"])
def test_the_last_rows_of_a_user_are_last_to_the_second(home: Path, kind: str) -> None:
    given = pl.DataFrame(rows_of(kind)).sort("user_id", "date", "item_id")
    expected = given.group_by("user_id").tail(2).select("user_id", "item_id")
    test = bigrec_split(home, kind, "last").test.collect()
    assert set(test.select("user_id", "item_id").rows()) == set(expected.rows())
    by_day = given.with_columns(pl.col("date").dt.date()).sort("user_id", "date", "item_id")
    other = by_day.group_by("user_id").tail(2).select("user_id", "item_id")
    assert set(other.rows()) != set(expected.rows())


def bigrec_split(home: Path, kind: str, name: str) -> Any:
    from bigrec.splits.splits import open_split

    return open_split(store_of(home, kind), name)


def test_a_fraction_falls_within_a_day(home: Path) -> None:
    split = bigrec_split(home, "seconds", "late")
    times = np.sort(rows_of("seconds")["date"])
    share = [(abs((times >= at).mean() - 0.3), at) for at in np.unique(times)[1:]]
    expected = str(min(share)[1].astype("datetime64[s]")).replace("T", " ")
    assert split.summary.test_from == expected
    assert not expected.endswith("00:00:00")
    assert split.test.collect()["time"].min() == dt.datetime.fromisoformat(expected)


@pytest.mark.parametrize("kind", TIMELESS)
@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"method": "leave-last", "last": 1}, "the split method leave-last"),
        ({"method": "temporal"}, "the split method temporal"),
        ({"method": "temporal", "test_from": "2001-01-01"}, "the split method temporal"),
        ({"first_date": "2001-01-01"}, "a filter by date"),
        ({"last_date": "2001-01-01"}, "a filter by date"),
    ],
)
def test_splits_in_time_are_refused_without_times(
    home: Path, kind: str, fields: dict[str, Any], what: str
) -> None:
    with pytest.raises(SplitError, match=f"{what} needs the times of ratings, and this") as caught:
        create_split(store_of(home, kind), "x", SplitSpec(**fields))
    assert "--method random" in caught.value.hint


def test_day_biases_are_refused_without_times(home: Path, capsys: Capture) -> None:
    split = bigrec_split(home, "no times", "s")
    with pytest.raises(SplitError, match="day biases needs the times of ratings"):
        materialize_split(split, with_days=True)
    assert not split.shards.exists()
    store = str(home / "no times" / "store")
    train = ["train", "matrix-factorization", "--split", "s", "--store", store]
    assert main([*train, "--set", "day_biases=true", "--runs", str(home / "runs")]) == 3
    assert "day biases needs the times" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("kind", ["plays", "bare pairs"])
def test_rating_models_are_refused_where_there_are_no_ratings(
    home: Path, kind: str, capsys: Capture
) -> None:
    at = ["--store", str(home / kind / "store"), "--runs", str(home / "runs")]
    store = bigrec.open(home / kind / "store")
    for model in RATING_MODELS:
        assert main(["train", model, "--split", "s", *at]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert f"{model} learns to tell ratings, and this store holds none" in said
        assert "models that rank are popularity, ease" in said
        with pytest.raises(SettingsError, match="its feedback is implicit"):
            bigrec.train(store.split("s"), model, runs=home / "runs")
    with pytest.raises(SettingsError, match="blend learns to tell ratings"):
        blend_trained(home / kind / "store", [], runs=home / "runs")
    assert not (home / "runs").exists()


def test_models_that_rank_are_named_and_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bias = find_model("cosine-knn")
    fields = {"name": "wmf", "objectives": ("ranking",)}
    ranks = type("Ranking", (type(bias),), fields)()
    monkeypatch.setattr(registry, "_registered", {"wmf": ranks})
    with pytest.raises(SettingsError) as caught:
        check_feedback(bias, IMPLICIT)
    assert caught.value.hint == "models that rank are popularity, ease, wmf"
    check_feedback(ranks, IMPLICIT)
    check_feedback(bias, EXPLICIT)


def _text_of(page: Path) -> str:
    """What a page says and draws, without its scripts of others."""
    text = page.read_text(encoding="utf-8")
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    specs = "".join(script for script in scripts if script.lstrip().startswith("{"))
    return re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL) + specs


def test_the_report_of_every_kind_speaks_of_what_is_there(home: Path, tmp_path: Path) -> None:
    for kind, (unit, feedback, scale) in KINDS.items():
        store = bigrec.open(home / kind / "store")
        runs = tmp_path / kind
        if feedback == EXPLICIT:
            for model in ("cosine-knn", "matrix-factorization"):
                bigrec.train(store.split("s"), model, runs=runs, run=model)
        output = tmp_path / f"{kind}.html"
        write_report(store.catalog, output, runs_folder=runs, split="s")
        text = _text_of(output)
        assert not re.search(r"\bstars?\b|\bfilms?\b|\bmovies?\b", text), kind
        assert ("ratings-per-day" in text) == (unit != NO_TIME)
        assert ("mean-rating-over-time" in text) == (unit != NO_TIME and feedback == EXPLICIT)
        assert ("train-and-test-months" in text) == (unit != NO_TIME)
        assert ("no times" in text) == (unit == NO_TIME)
        assert ("most-loved" in text) == (feedback == EXPLICIT)
        assert ("RMSE" in text) == (feedback == EXPLICIT)
        assert ("implicit feedback" in text) == (feedback == IMPLICIT)
        if feedback == EXPLICIT and scale is not None:
            assert f"RMSE, points on a scale of {scale.low:g} to {scale.high:g}" in text
            assert "Items like" in text


INFO: Final = {
    "seconds": ("mean rating", "1 to 10", "1970-01-17, to the second", "ratings by rating\n"),
    "days": ("mean rating", "-10 to 10", "1970-01-17, days", "ratings by rating, from\n"),
    "no times": ("mean rating", "0 to 100", "times        none\n", "no times\n"),
    "plays": ("mean count", "implicit, counts of 1 to ", "1970-01-17, to the second", "by count"),
    "bare pairs": ("feedback     implicit\n", "times        none\n", "ratings by count\n"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_info_says_what_ratings_are(home: Path, kind: str, capsys: Capture) -> None:
    assert main(["info", "--plot", "--store", str(home / kind / "store")]) == 0
    said = capsys.readouterr().out
    for words in INFO[kind]:
        assert words in said
    assert "star" not in said
    assert max(map(len, said.split("fingerprint")[1].splitlines())) <= 80


def test_commands_say_the_scale_of_errors(home: Path, capsys: Capture) -> None:
    at = ["--store", str(home / "days" / "store"), "--runs", str(home / "said")]
    unit = "points on a scale of -10 to 10"
    for run in ("one", "two"):
        assert main(["train", "cosine-knn", "--split", "s", "--run", run, *at]) == 0
        assert unit in capsys.readouterr().out
    for command in (["evaluate", "one"], ["compare"], ["blend", "one", "two", "--run", "b"]):
        assert main([*command, *at]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert unit in said
        assert "star" not in said
        assert ("relevant from 5" in said) == (command[0] == "evaluate")
    assert main(["evaluate", "one", "--relevant", "-2.5", *at]) == 0
    assert "relevant from -2.5" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", "one", "--relevant", "11", *at]) == 6
    assert "has a rating of 11 or more" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("ratings", "is_count", "expected"),
    [
        ((1, 2.5, 7), False, (1, 2.5, 7)),
        ([number / 100 for number in range(-1000, 1001)], False, range(-10, 11)),
        (range(101), False, range(0, 101, 5)),
        (range(1, 1000), True, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)),
        ([0.5, *range(1, 60)], True, (0, 1, 2, 4, 8, 16, 32)),
    ],
)
def test_many_ratings_stand_in_groups(
    ratings: Sequence[float], is_count: bool, expected: Sequence[float]
) -> None:
    starts = group_starts(ratings, is_count=is_count)
    assert sorted({*starts.values()}) == list(expected)
    assert all(start <= rating for rating, start in starts.items())
