"""Scans, lazy frames and a naive reference agree on every split; no row is in two subsets."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import table_source

from bigrec.errors import SplitError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.splits.materialize import materialize_split
from bigrec.splits.random_key import PRIME, random_key, second_seed, threshold
from bigrec.splits.spec import METHODS, SplitSpec
from bigrec.splits.splits import create_folds, create_split
from bigrec.splits.views import split_view_queries
from bigrec.store.catalog import Catalog, open_catalog

pairs = st.sets(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=20, max_size=200)


def make_store(folder: Path, rated: set[tuple[int, int]]) -> Catalog:
    raw = folder / "raw"
    raw.mkdir()
    lines = []
    for item in sorted({item for item, _ in rated}):
        lines.append(f"{item}:")
        users = [user for m, user in rated if m == item]
        lines += [f"{user},{1 + (user * item) % 5},2005-01-{1 + user % 28:02d}" for user in users]
    (raw / "combined_data_1.txt").write_text("\n".join(lines) + "\n")
    (raw / "movie_titles.csv").write_text("".join(f"{m},1990,Title {m}\n" for m in range(1, 13)))
    ingest_ratings(raw, folder / "store")
    return open_catalog(folder / "store")


def notebook_filter(df: pd.DataFrame, min_item: int, min_user: int) -> pd.DataFrame:
    """The notebook's cell, as written."""
    filter_items = df["item_id"].value_counts() > min_item
    filter_items = filter_items[filter_items].index.tolist()
    filter_users = df["user_id"].value_counts() > min_user
    filter_users = filter_users[filter_users].index.tolist()
    return df[(df["item_id"].isin(filter_items)) & (df["user_id"].isin(filter_users))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rated=pairs, min_item=st.integers(0, 8), min_user=st.integers(0, 5), seed=st.integers(0, 9))
def test_split_agrees_with_the_notebook(
    rated: set[tuple[int, int]], min_item: int, min_user: int, seed: int
) -> None:
    spec = SplitSpec(min_item + 1, min_user + 1, test_fraction=0.3, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        catalog = make_store(Path(folder), rated)
        df = pd.DataFrame(sorted(rated), columns=["item_id", "user_id"])
        kept = notebook_filter(df, min_item, min_user)
        expected = {tuple(row) for row in kept.to_numpy().tolist()}
        expected_test = {
            (item, user) for item, user in expected if random_key(user, item, seed) < threshold(0.3)
        }
        if not expected_test or expected_test == expected:
            with pytest.raises(SplitError, match="would have"):
                create_split(catalog, "s", spec)
            return
        split = create_split(catalog, "s", spec)
        train = split.train.select("item_id", "user_id").collect().rows()
        test = split.test.select("item_id", "user_id").collect().rows()
        assert len(train) + len(test) == len(expected)
        assert set(test) == expected_test
        assert set(train) == expected - expected_test
        assert (split.summary.n_train, split.summary.n_test) == (len(train), len(test))
        assert split.summary.n_users == len({user for _, user in expected})
        assert split.summary.n_items == len({item for item, _ in expected})
        per_user = split.users().collect()
        for user, n_train, n_test in per_user.select("user_id", "n_train", "n_test").rows():
            assert n_train == sum(u == user for _, u in train)
            assert n_test == sum(u == user for _, u in test)


Row = tuple[int, int, dt.date]  # item_id, user_id, date

N_DAY_STORES, N_STORES = 3, 5
"""Stores from N_DAY_STORES on keep seconds; the last begins before 1970."""
FIRST_DAYS = {3: dt.date(2005, 1, 1), 4: dt.date(1969, 12, 29)}
TIMES = (0, 1, 36_000, 45_000, 45_001, 86_399)
ONE_SECOND = dt.timedelta(seconds=1)
ONE_DAY = dt.timedelta(days=1)


def random_rows(number: int) -> tuple[list[Row], list[tuple[int, int]]]:
    """Rows of a small store, few days and so many ties, and the pairs of its probe."""
    rng = random.Random(number)
    density = (0.15, 0.4, 0.8, 0.3, 0.6)[number]
    rows = [
        (item, user, dt.date(2005, 1, 1) + rng.randrange(12) * ONE_DAY)
        for item in range(1, 13)
        for user in (*range(1, 25), 70_000_000)
        if rng.random() < density
    ]
    if number >= N_DAY_STORES:  # to the second, in four days of which two have several times
        rows = [
            (item, user, dt.datetime.combine(FIRST_DAYS[number], dt.time()) + moment)
            for item, user, _ in rows
            for moment in [rng.randrange(4) * ONE_DAY + rng.choice(TIMES) * ONE_SECOND]
        ]
    return rows, [(item, user) for item, user, _ in rows if rng.random() < 0.1]


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> list[Catalog]:
    made = []
    for number in range(N_DAY_STORES):
        folder = tmp_path_factory.mktemp(f"store{number}")
        rows, probe = random_rows(number)
        (folder / "raw").mkdir()
        write_grouped(folder / "raw/combined_data_1.txt", [(m, f"{u},3,{d}") for m, u, d in rows])
        write_grouped(folder / "raw/probe.txt", [(m, str(u)) for m, u in probe])
        titles = "".join(f"{m},1990,Title {m}\n" for m in range(1, 13))
        (folder / "raw/movie_titles.csv").write_text(titles)
        ingest_ratings(folder / "raw", folder / "store")
        made.append(open_catalog(folder / "store"))
    for number in range(N_DAY_STORES, N_STORES):
        rows, probe = random_rows(number)
        items, users, times = zip(*rows, strict=True)
        columns = {"item_id": items, "user_id": users, "rating": [3.0] * len(rows), "date": times}
        folder = tmp_path_factory.mktemp(f"store{number}")
        made.append(table_source.make_store(folder, columns, probe=tuple(probe)))
    return made


def write_grouped(path: Path, lines: list[tuple[int, str]]) -> None:
    """Lines below the header of their item."""
    text, last = [], None
    for item, line in lines:
        text += [*([] if item == last else [f"{item}:"]), line]
        last = item
    path.write_text("\n".join(text) + "\n")


def naive_filter(rows: list[Row], spec: SplitSpec) -> list[Row]:
    per_item, per_user = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
    kept = [
        row
        for row in rows
        if per_item[row[0]] >= spec.min_item_ratings
        and per_user[row[1]] >= spec.min_user_ratings
        and (spec.item_ids is None or row[0] in spec.item_ids)
        and (spec.user_ids is None or row[1] in spec.user_ids)
        and (spec.first_date is None or row[2].isoformat()[:10] >= spec.first_date)
        and (spec.last_date is None or row[2].isoformat()[:10] <= spec.last_date)
    ]
    while True:
        per_item, per_user = Counter(r[0] for r in kept), Counter(r[1] for r in kept)
        core = [r for r in kept if min(per_item[r[0]], per_user[r[1]]) >= spec.k_core]
        if len(core) == len(kept):
            return kept
        kept = core


def naive_test(kept: list[Row], spec: SplitSpec, probe: list[tuple[int, int]]) -> set[Row]:
    if spec.method == "temporal":
        test_from = spec.test_from
        if test_from is None:
            days = sorted({row[2] for row in kept})[1:]
            wanted = spec.test_fraction * len(kept)
            distance = {day: abs(sum(r[2] >= day for r in kept) - wanted) for day in days}
            test_from = str(min(days, key=lambda day: (distance[day], day)))
        return {row for row in kept if str(row[2]) >= test_from}
    if spec.method == "leave-last":
        by_user: dict[int, list[Row]] = {}
        for row in sorted(kept, key=lambda row: (row[2], row[0])):
            by_user.setdefault(row[1], []).append(row)
        return {row for rows in by_user.values() for row in rows[-spec.last :]}
    if spec.method == "probe":
        return {row for row in kept if row[:2] in probe}
    if spec.method == "folds":
        return {
            row
            for row in kept
            if random_key(row[1], row[0], spec.seed) * spec.folds // PRIME == spec.fold - 1
        }
    return {
        row for row in kept if random_key(row[1], row[0], spec.seed) < threshold(spec.test_fraction)
    }


def naive_subsets(
    kept: list[Row], spec: SplitSpec, probe: list[tuple[int, int]]
) -> dict[str, set[Row]]:
    test = naive_test(kept, spec, probe)
    bound = threshold(spec.validation_fraction)
    validation = {
        row
        for row in set(kept) - test
        if random_key(row[1], row[0], second_seed(spec.seed)) < bound
    }
    train = set(kept) - test - validation
    if spec.warm:
        items, users = {row[0] for row in train}, {row[1] for row in train}
        test = {row for row in test if row[0] in items and row[1] in users}
        validation = {row for row in validation if row[0] in items and row[1] in users}
    return {"train": train, "validation": validation, "test": test}


@st.composite
def specs(draw: st.DrawFn) -> SplitSpec:
    day = st.integers(1, 12).map(lambda day: f"2005-01-{day:02d}")
    moment = st.builds(lambda day, hour: f"{day} {hour:02d}:30:00", day, st.integers(0, 23))
    first, last = sorted((draw(day), draw(day)))
    method = draw(st.sampled_from(METHODS))
    of_method: dict[str, dict[str, Any]] = {
        "temporal": {"test_from": draw(st.none() | day | moment)},
        "leave-last": {"last": draw(st.integers(1, 3))},
        "folds": {"folds": 3, "fold": draw(st.integers(1, 3))},
    }
    return SplitSpec(
        method=method,
        min_item_ratings=draw(st.sampled_from([0, 0, 5])),
        min_user_ratings=draw(st.sampled_from([0, 0, 4])),
        k_core=draw(st.sampled_from([0, 0, 2, 4])),
        first_date=draw(st.none() | st.just(first)),
        last_date=draw(st.none() | st.just(last)),
        item_ids=draw(st.none() | st.just((1, 2, 3, 5, 8))),
        user_ids=draw(st.none() | st.just(tuple(range(3, 20)))),
        test_fraction=draw(st.sampled_from([0.2, 0.5])),
        seed=draw(st.integers(0, 3)),
        validation_fraction=draw(st.sampled_from([0.0, 0.3])),
        warm=draw(st.booleans()),
        **of_method.get(method, {}),
    )


def rows_of(frame: pl.LazyFrame) -> list[Row]:
    time = time_of(frame.collect_schema().names())
    return frame.select("item_id", "user_id", time).collect().rows()


def time_of(columns: list[str]) -> str:
    return "time" if "time" in columns else "date"


def moved(spec: SplitSpec, number: int) -> SplitSpec:
    """A spec whose days lie as those of a store do: four days are as good as twelve."""
    if number < N_DAY_STORES:
        return spec

    def move(text: str | None) -> str | None:
        if text is None:
            return None
        day = FIRST_DAYS[number] + (int(text[8:10]) - 1) // 3 * ONE_DAY
        return f"{day}{text[10:]}"

    return dataclasses.replace(
        spec,
        first_date=move(spec.first_date),
        last_date=move(spec.last_date),
        test_from=move(spec.test_from),
    )


def sql_rows(catalog: Catalog, name: str) -> dict[str, list[Row]]:
    views = split_view_queries(catalog.layout, name)
    with open_session(catalog.layout.root, budget=Budget(threads=1), views=views) as session:
        time = time_of(session.run("FROM ratings").columns)
        return {
            subset: session.run(f"SELECT item_id, user_id, {time} FROM {subset}").fetchall()
            for subset in ("train", "validation", "test")
        }


def materialized_rows(shards: Path, subset: str) -> set[tuple[int, int]]:
    folder = shards / subset
    users, items = np.load(shards / "users.npy"), np.load(shards / "items.npy")
    user_id = np.repeat(users, np.diff(np.load(folder / "indptr.npy")))
    item_id = items[np.load(folder / "item_index.npy")]
    return set(zip(item_id.tolist(), user_id.tolist(), strict=True))


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(number=st.integers(0, N_STORES - 1), spec=specs())
def test_every_method_and_filter_is_the_same_in_polars_sql_shards_and_plain_python(
    number: int, spec: SplitSpec, catalogs: list[Catalog]
) -> None:
    catalog, spec = catalogs[number], moved(spec, number)
    rows, probe = random_rows(number)
    if number < N_DAY_STORES and ":" in (spec.test_from or ""):
        with pytest.raises(SplitError, match="expected a day to test from"):
            create_split(catalog, "s", spec)
        return
    try:
        kept = naive_filter(rows, spec)
        expected = naive_subsets(kept, spec, probe)
    except ValueError:  # no second day to begin a test subset with
        expected = {"train": set(), "validation": set(), "test": set()}
    has_validation = spec.validation_fraction > 0
    if not set(spec.user_ids or ()) <= {row[1] for row in rows}:
        with pytest.raises(SplitError, match="no user_id of the store"):
            create_split(catalog, "s", spec)
        return
    needed = ("train", "test", *(["validation"] if has_validation else []))
    if not all(expected[subset] for subset in needed):
        with pytest.raises(SplitError):
            create_split(catalog, "s", spec)
        return
    try:
        split = create_split(catalog, "s", spec)
        subsets = {"train": split.train, "validation": split.validation, "test": split.test}
        in_sql = sql_rows(catalog, "s")
        for subset, frame in subsets.items():
            found = rows_of(frame)
            assert len(found) == len(set(found))
            assert sorted(in_sql[subset]) == sorted(found)
            assert set(found) == expected[subset]
            counted = split.users().select(pl.col(f"n_{subset}").sum()).collect().item()
            assert counted == getattr(split.summary, f"n_{subset}") == len(found)
        union = set().union(*expected.values())
        assert split.summary.n_dropped == len(kept) - len(union)
        assert spec.warm or not split.summary.n_dropped
        assert split.users().collect()["user_id"].to_list() == sorted({r[1] for r in union})
        assert split.items().collect()["item_id"].to_list() == sorted({r[0] for r in union})
        shards = materialize_split(split)
        for subset in needed:
            assert materialized_rows(shards, subset) == {row[:2] for row in expected[subset]}
        assert SplitSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    finally:
        shutil.rmtree(catalog.layout.split("s"), ignore_errors=True)


def test_folds_are_one_partition(catalogs: list[Catalog]) -> None:
    spec = SplitSpec(method="folds", folds=4, fold=1, seed=2)
    splits = create_folds(catalogs[2], "f", spec)
    assert [split.name for split in splits] == ["f-1", "f-2", "f-3", "f-4"]
    tests = [rows_of(split.test) for split in splits]
    assert sorted(row for rows in tests for row in rows) == sorted(random_rows(2)[0])
