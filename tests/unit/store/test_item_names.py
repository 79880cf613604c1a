"""Below the sources the word is item; in SQL the source's own word stands beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.support.sealing import seal_again

from bigrec.errors import StoreError
from bigrec.query.session import open_session
from bigrec.resources import Budget
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.splits.views import split_view_queries
from bigrec.store.catalog import open_catalog
from bigrec.store.item_names import add_item_names
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import read_manifest


@pytest.fixture
def store(store_small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store_small, tmp_path / "store"))


SRC = Path(__file__).parents[3] / "src" / "bigrec"


def test_every_view_with_item_id_has_the_films_word_too(store: Path) -> None:
    create_split(open_catalog(store), "s", SplitSpec(validation_fraction=0.1))
    views = split_view_queries(StoreLayout(store), "s")
    with open_session(store, budget=Budget(threads=1), views=views) as session:
        names = [row[0] for row in session.run("SHOW TABLES").fetchall()]
        columns = {name: session.run(f"SELECT * FROM {name}").columns for name in names}
        for view, own in columns.items():
            assert ("item_id" in own) == ("movie_id" in own), view
            assert ("n_items" in own) == ("n_movies" in own), view
        assert {"items", "movies", "split_items", "split_movies"} <= set(names)
        for old, new in (
            ("SELECT movie_id, n_ratings FROM movies", "SELECT item_id, n_ratings FROM items"),
            ("SELECT movie_id, user_id FROM test", "SELECT item_id, user_id FROM test"),
            ("SELECT n_movies FROM manifest", "SELECT n_items FROM manifest"),
            ("SELECT title FROM ratings JOIN movies USING (movie_id)",
             "SELECT title FROM ratings JOIN items USING (item_id)"),
        ):  # fmt: skip
            assert sorted(session.run(old).fetchall(), key=str) == sorted(
                session.run(new).fetchall(), key=str
            )


def test_items_without_a_better_name_have_one() -> None:
    queries = {"ratings": "SELECT 1 AS item_id", "items": "SELECT 1 AS item_id"}
    assert add_item_names(queries, "item") == queries
    assert set(add_item_names(queries, "book")) == {"ratings", "items", "books"}


def test_no_module_but_the_sources_and_the_names_speaks_of_movies() -> None:
    told = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        if re.search(r"\bmovies?\b|movie_id|n_movies", path.read_text(), re.IGNORECASE)
    }
    sources = {path for path in told if re.search(r"(netflix|movielens)\w*\.py|units", path)}
    # Names that people give columns and sets, and titles that are invented.
    names = {f"sources/table/{name}.py" for name in ("column_names", "named_sets", "value_shapes")}
    assert told - sources == {"store/item_names.py", "synthetic.py", *names}


def test_a_store_of_another_schema_is_refused_with_what_to_do(store: Path) -> None:
    path = StoreLayout(store).manifest
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "schema_version": 1}))
    seal_again(store)
    with pytest.raises(StoreError, match="has schema version 1, this bigrec reads 3") as caught:
        read_manifest(StoreLayout(store))
    assert "ingest the raw files again with --overwrite" in caught.value.hint


def test_the_presets_keep_what_the_notebooks_filters_keep() -> None:
    from bigrec.splits.filters import _frequent_ids
    from bigrec.splits.spec import PRESETS

    notebook = {"notebook-small": (53_000, 830), "notebook-large": (10_000, 230)}
    assert set(notebook) == set(PRESETS)
    for name, (item, user) in notebook.items():
        spec = SplitSpec.from_json(dict(PRESETS[name]))
        for border, least in ((item, spec.min_item_ratings), (user, spec.min_user_ratings)):
            counts = [border + step for step in (-2, -1, 0, 1, 2)]
            frame = pl.DataFrame({"id": range(1, 6), "n_ratings": counts}).lazy()
            kept = list(_frequent_ids(frame, "id", least, None))
            assert kept == [n for n, count in enumerate(counts, 1) if count > border]


@pytest.mark.parametrize("name", ["movie; DROP VIEW users", "Movie", "", "user", "a" * 40, None, 5])
def test_a_name_for_items_that_is_no_word_never_reaches_sql(name: object, store: Path) -> None:
    path = StoreLayout(store).manifest
    path.write_text(json.dumps({**json.loads(path.read_text()), "item_name": name}))
    seal_again(store)
    with pytest.raises(StoreError, match="item_name is"):
        open_session(store, budget=Budget(threads=1))
