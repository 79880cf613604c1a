"""Named queries about a user or an item: who it is, is said as the source says it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.commands import Capture
from tests.support.keyed_stores import ODD, keyed_ratings, make_keyed_store

from bigrec.cli.app import main
from bigrec.errors import SettingsError
from bigrec.query.library import find_query, list_queries, parse_query
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget

QUERIES = {
    "user_history": ("user_id", {}),
    "similar_users": ("user_id", {"min_together": "2"}),
    "item_profile": ("item_id", {}),
    "co_rated_items": ("item_id", {"min_ratings": "2"}),
}
NOBODY = ["0007", "nobody", " 007", "007 ", "1", "", "'; --"]


class Twins:
    """A store with keys, and one with numbers in their place, open for SQL."""

    def __init__(self, folder: Path) -> None:
        self.ratings = make_keyed_store(folder / "keyed", keyed_ratings())
        self.numbers = {
            name: dict(zip(self.ratings[name].unique(maintain_order=True), count(1), strict=False))
            for name in ("user_id", "item_id")
        }
        twin = self.ratings.with_columns(
            pl.col(name).replace_strict(numbers, return_dtype=pl.Int32)
            for name, numbers in self.numbers.items()
        )
        make_keyed_store(folder / "twin", twin)
        self.store = folder / "keyed" / "store"
        budget = Budget(threads=2)
        self.keyed = open_session(self.store, budget=budget)
        self.twin = open_session(folder / "twin" / "store", budget=budget)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    twins = Twins(tmp_path_factory.mktemp("twins"))
    with twins.keyed, twins.twin:
        yield twins


def answer(session: Session, name: str, **values: str) -> list[tuple[Any, ...]]:
    query = find_query(name)
    return session.run(query.sql, query.bind(values)).fetchall()


def test_every_query_that_asks_about_somebody_is_among_these() -> None:
    about = {
        query.name: parameter.name
        for query in list_queries()
        for parameter in query.parameters
        if parameter.type in ("USER", "ITEM")
    }
    assert about == {name: parameter for name, (parameter, _) in QUERIES.items()}
    asked = {p.name for query in list_queries() for p in query.parameters}
    assert {name for name in asked if name.endswith("_id")} == {"user_id", "item_id"}


@pytest.mark.parametrize("name", QUERIES)
def test_a_key_asks_about_its_user_or_item(name: str, twins: Twins) -> None:
    parameter, more = QUERIES[name]
    n_rows = 0
    for key in ODD:
        found = answer(twins.keyed, name, **{parameter: key}, **more)
        number = str(twins.numbers[parameter][key])
        assert found == answer(twins.twin, name, **{parameter: number}, **more), key
        n_rows += len(found)
    assert n_rows > len(ODD)


def test_a_key_that_looks_like_a_number_is_text(twins: Twins) -> None:
    own = {
        key: len(twins.ratings.filter(pl.col("user_id") == key)) for key in ("007", "7", " 7", "07")
    }
    assert len({*own.values()}) > 1
    for key, n_ratings in own.items():
        assert len(answer(twins.keyed, "user_history", user_id=key)) == n_ratings


@pytest.mark.parametrize("key", NOBODY)
@pytest.mark.parametrize("name", QUERIES)
def test_who_is_not_there_is_told(name: str, key: str, twins: Twins) -> None:
    parameter, more = QUERIES[name]
    role = parameter.removesuffix("_id")
    with pytest.raises(SettingsError) as caught:
        answer(twins.keyed, name, **{parameter: key}, **more)
    assert caught.value.message == f"the store has no {role} {key!r}"
    assert f"FROM {role}s" in caught.value.hint


def test_numbers_are_read_as_ever_where_there_are_no_keys(twins: Twins) -> None:
    expected = answer(twins.twin, "user_history", user_id="7")
    assert answer(twins.twin, "user_history", user_id=" 007 ") == expected
    for nobody in ("0", "-7", "90000", "anna.k", "7.0", "1_0", "9" * 30):
        with pytest.raises(SettingsError, match="the store has no user"):
            answer(twins.twin, "user_history", user_id=nobody)


def test_a_query_of_ones_own_may_ask_so_too(twins: Twins) -> None:
    text = "-- param: who USER  -- a user\nSELECT count(*) AS n FROM ratings WHERE user_id = $who"
    query = parse_query(text)
    [(n,)] = twins.keyed.run(query.sql, query.bind({"who": "a,b"})).fetchall()
    assert n == len(twins.ratings.filter(pl.col("user_id") == "a,b"))


def test_the_command_takes_keys(twins: Twins, tmp_path: Path, capsys: Capture) -> None:
    command = ["sql", "--name", "item_profile", "--format", "csv", "--store", str(twins.store)]
    assert main([*command, "--param", "item_id=007"]) == 0
    rows = pl.read_csv(capsys.readouterr().out.encode())
    of_item = twins.ratings.filter(pl.col("item_id") == "007")
    assert rows["n_ratings"].sum() == len(of_item) > 0
    assert main([*command, "--param", "item_id=0007"]) == 2
    assert "the store has no item '0007'" in capsys.readouterr().err
    assert main(command) == 2
    assert "item_profile needs a value for item_id (the item)" in capsys.readouterr().err
