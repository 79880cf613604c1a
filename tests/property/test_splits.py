"""A split selects the rows that the notebook's pandas code selects, each on exactly one side."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bigrec.errors import SplitError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.splits.random_key import random_key, threshold
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.store.catalog import Catalog, open_catalog

pairs = st.sets(st.tuples(st.integers(1, 12), st.integers(1, 30)), min_size=20, max_size=200)


def make_store(folder: Path, rated: set[tuple[int, int]]) -> Catalog:
    raw = folder / "raw"
    raw.mkdir()
    lines = []
    for movie in sorted({movie for movie, _ in rated}):
        lines.append(f"{movie}:")
        users = [user for m, user in rated if m == movie]
        lines += [f"{user},{1 + (user * movie) % 5},2005-01-{1 + user % 28:02d}" for user in users]
    (raw / "combined_data_1.txt").write_text("\n".join(lines) + "\n")
    (raw / "movie_titles.csv").write_text("".join(f"{m},1990,Title {m}\n" for m in range(1, 13)))
    ingest_ratings(raw, folder / "store")
    return open_catalog(folder / "store")


def notebook_filter(df: pd.DataFrame, min_movie: int, min_user: int) -> pd.DataFrame:
    """The notebook's cell, as written."""
    filter_movies = df["movie_id"].value_counts() > min_movie
    filter_movies = filter_movies[filter_movies].index.tolist()
    filter_users = df["user_id"].value_counts() > min_user
    filter_users = filter_users[filter_users].index.tolist()
    return df[(df["movie_id"].isin(filter_movies)) & (df["user_id"].isin(filter_users))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rated=pairs, min_movie=st.integers(0, 8), min_user=st.integers(0, 5), seed=st.integers(0, 9))
def test_split_agrees_with_the_notebook(
    rated: set[tuple[int, int]], min_movie: int, min_user: int, seed: int
) -> None:
    spec = SplitSpec(min_movie, min_user, test_fraction=0.3, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        catalog = make_store(Path(folder), rated)
        df = pd.DataFrame(sorted(rated), columns=["movie_id", "user_id"])
        kept = notebook_filter(df, min_movie, min_user)
        expected = {tuple(row) for row in kept.to_numpy().tolist()}
        expected_test = {
            (movie, user)
            for movie, user in expected
            if random_key(user, movie, seed) < threshold(0.3)
        }
        if not expected_test or expected_test == expected:
            with pytest.raises(SplitError, match="would have"):
                create_split(catalog, "s", spec)
            return
        split = create_split(catalog, "s", spec)
        train = split.train.select("movie_id", "user_id").collect().rows()
        test = split.test.select("movie_id", "user_id").collect().rows()
        assert len(train) + len(test) == len(expected)
        assert set(test) == expected_test
        assert set(train) == expected - expected_test
        assert (split.summary.n_train, split.summary.n_test) == (len(train), len(test))
        assert split.summary.n_users == len({user for _, user in expected})
        assert split.summary.n_movies == len({movie for movie, _ in expected})
        per_user = split.users().collect()
        for user, n_train, n_test in per_user.rows():
            assert n_train == sum(u == user for _, u in train)
            assert n_test == sum(u == user for _, u in test)


def test_projection_and_predicate_reach_the_scan(store_small: Path) -> None:
    catalog = open_catalog(store_small)
    frame = catalog.ratings().filter(pl.col("date") > dt.date(2005, 1, 1)).select("rating")
    plan = frame.explain()
    assert "PROJECT 2/4 COLUMNS" in plan
    assert "SELECTION" in plan
