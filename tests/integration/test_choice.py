"""Lists of chosen items, held against the whole list, filtered by what the raw tables say.

The whole list of a user has every item that can be listed at all; a list of chosen items has to be
what is left of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars import col
from tests.support.commands import Capture, json_of, places, refusal
from tests.support.keyed_stores import keyed_ratings

import bigrec
from bigrec.cli.app import main
from bigrec.errors import BigrecError, DataError, QueryError, SettingsError, SplitError

N_ITEMS = 100
"""More than there are: a list of so many is whole."""
RARE = [f"rare {number}" for number in range(12)]
"""Items with one rating, so that some of them have none in the train subset."""
UNRATED = ["dust", "web"]

CONDITIONS: list[tuple[str, pl.Expr]] = [
    ("true", pl.lit(value=True)),
    ("genres LIKE '%Drama%'", col("genres").str.contains("Drama")),
    ("year >= 1990 AND genres LIKE '%Drama%'",
     (col("year") >= 1990) & col("genres").str.contains("Drama")),
    ("price < 10 OR items.year IS NULL", (col("price") < 10) | col("year").is_null()),
    # NULL is no, whatever it comes from.
    ("NOT (price < 10)", ~(col("price") < 10)),
    ("price + NULL > 3 OR genres = 'Comedy'", col("genres") == "Comedy"),
    # Brackets, quotes and comments are part of the condition.
    ("price < 10 -- )", col("price") < 10),
    ("/* ) OR true */ year = 1990 OR\n year = 1991 --", col("year").is_in([1990, 1991])),
    ("title = 'it''s (the -- 3rd)' OR title = $$Item (4)$$",
     col("title").is_in(["it's (the -- 3rd)", "Item (4)"])),
    ('"two words" = 1', col("two words") == 1),
    ("n_ratings >= 50", col("n_ratings") >= 50),
    ("item_id IN (SELECT item_id FROM ratings GROUP BY item_id HAVING avg(rating) > 5.5)",
     col("mean_rating") > 5.5),
]  # fmt: skip

ESCAPES = [
    "true) UNION SELECT item_id FROM items --",
    "true) UNION ALL (SELECT 1",
    "false) OR (true",
    "true); DROP VIEW items; --",
    "true; SELECT 1",
    "true;",
    "true -- \n) UNION SELECT (1",
    "true /*",
    "'",
    "year >",
    "true, false",
    "true AS yes",
    "year y",
    "*",
    "true FROM ratings",
    "true ORDER BY 1",
    "true LIMIT 0",
    "SELECT true",
    "FROM items",
    "EXISTS (FROM read_csv('items.parquet'))",
    "EXISTS (FROM 'items.parquet')",
    "EXISTS (FROM query('SELECT 1'))",
    "getenv('HOME') IS NOT NULL",
    "setseed(0.5) IS NULL",
    "(INSERT INTO items VALUES (1)) IS NULL",
    "year > $x",
    "year > ?",
    "",
    " ",
    "-- nothing",
    "year > '\udcff'",
    "(" * 5_000 + "true" + ")" * 5_000,
]


class Home:
    """A store of items with attributes, and a run."""

    def __init__(self, folder: Path, *, has_keys: bool) -> None:
        ratings = keyed_ratings().drop("date").with_columns(col("rating").cast(pl.Int32))
        users = ratings["user_id"].unique().sort()
        once = pl.DataFrame(
            {"user_id": users[: len(RARE)], "item_id": RARE, "rating": [5] * len(RARE)},
            schema=ratings.schema,
        )
        ratings = pl.concat([ratings, once])
        keys = [*ratings["item_id"].unique().sort(), *UNRATED]
        chance = random.Random(5)
        items = pl.DataFrame(
            {
                "item_id": keys,
                "title": [
                    "it's (the -- 3rd)" if number == 3 else f"Item ({number})"
                    for number in range(len(keys))
                ],
                "year": [chance.choice([None, *range(1985, 2000)]) for _ in keys],
                "genres": [chance.choice(["Drama", "Drama|War", "Comedy", None]) for _ in keys],
                "price": [chance.choice([None, 2.5, 9.75, 10.0, 20.0]) for _ in keys],
                "two words": [chance.randrange(3) for _ in keys],
            },
            schema_overrides={"year": pl.Int32, "price": pl.Float64},
        )
        if not has_keys:
            numbers = {key: 3 * number + 1 for number, key in enumerate(keys)}
            ratings, items = (
                frame.with_columns(
                    col("item_id").replace_strict(numbers, return_dtype=pl.Int32)
                )
                for frame in (ratings, items)
            )  # fmt: skip
        counts = ratings.group_by("item_id").agg(
            n_ratings=pl.len(), mean_rating=col("rating").mean()
        )
        self.items = items.join(counts, on="item_id", how="left").with_columns(
            col("n_ratings").fill_null(0)
        )
        folder.mkdir()
        ratings.write_parquet(folder / "ratings.parquet")
        items.write_parquet(folder / "items.parquet")
        self.at = places(folder)
        tables = [str(folder / "ratings.parquet"), "--items", str(folder / "items.parquet")]
        assert main(["ingest", *tables, *self.at[:2]]) == 0
        assert main(["split", "create", "s", *self.at[:2]]) == 0
        assert main(["train", "cosine-knn", "--split", "s", "--run", "near", *self.at]) == 0
        self.run = bigrec.open(folder / "store").split("s").run(folder / "runs", "near")
        self.users: list[str] = users[[5, 30, 77]].to_list()
        everything = {item.item_id for user in users for item in self.run.recommend(user, top=99)}
        self.in_split = {
            key for key, n in self.items.select("item_id", "n_ratings").iter_rows() if n
        }
        self.listable = everything
        self.untrained = self.in_split - everything
        assert self.untrained
        self.keys: list[Any] = self.items["item_id"].to_list()

    def fulfilling(self, condition: pl.Expr) -> set[Any]:
        """The keys of the items, of the split or not, for which a condition is true."""
        return set(self.items.filter(condition)["item_id"])

    def write(self, path: Path, keys: Collection[Any]) -> Path:
        """A list of keys in a file, as `bigrec sql --format csv` writes it."""
        pl.DataFrame({"item_id": list(keys)}).write_csv(path)
        return path


@pytest.fixture(scope="module", params=["keys", "numbers"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("choice") / "home"
    return Home(folder, has_keys=request.param == "keys")


Listed = list[dict[str, Any]]


def kept(whole: Listed, chosen: Collection[Any], top: int) -> Listed:
    """What is left of the whole list."""
    return [item for item in whole if item["item_id"] in chosen][:top]


@pytest.mark.parametrize(("where", "condition"), CONDITIONS)
def test_a_condition_keeps_the_items_for_which_it_is_true(
    where: str, condition: pl.Expr, home: Home
) -> None:
    chosen = home.fulfilling(condition)
    for user in home.users:
        whole = home.run.recommend(user, top=N_ITEMS).to_json()["items"]
        for top in (3, N_ITEMS):
            found = home.run.recommend(user, top=top, where=where).to_json()["items"]
            assert found == kept(whole, chosen, top)
    assert kept(whole, chosen, top) or where.startswith("title")


@pytest.mark.parametrize("seed", range(12))
def test_conditions_and_lists_together_keep_what_all_of_them_do(seed: int, home: Home) -> None:
    chance = random.Random(seed)
    where, condition = chance.choice(CONDITIONS)
    only, exclude = (chance.sample(home.keys, chance.choice([20, 50])) for _ in range(2))
    chosen = home.fulfilling(condition) & set(only) - set(exclude)
    user = chance.choice(home.users)
    person = {key: chance.randint(1, 10) for key in chance.sample(home.keys[:50], 6)}
    choice: dict[str, Any] = {"where": where, "only": only, "exclude": exclude}
    if not chosen & home.listable:
        with pytest.raises(DataError, match="no item is left"):
            home.run.recommend(user, **choice)
        return
    whole = home.run.recommend(user, top=N_ITEMS).to_json()["items"]
    found = home.run.recommend(user, **choice).to_json()["items"]
    assert found == kept(whole, chosen, 10)
    whole = home.run.recommend_to_person(person, top=N_ITEMS).to_json()["items"]
    found = home.run.recommend_to_person(person, **choice).to_json()["items"]
    assert found == kept(whole, chosen, 10)
    assert not {item["item_id"] for item in found} & set(person)


def test_the_command_chooses_as_python_does(home: Home, tmp_path: Path, capsys: Capture) -> None:
    only = home.write(tmp_path / "only.csv", home.keys[::2])
    exclude = home.write(tmp_path / "not.csv", home.keys[::5])
    user = home.users[0]
    flags = ["--where", "price < 15", "--only", str(only), "--not", str(exclude), "--top", "4"]
    chosen = home.fulfilling(col("price") < 15) & set(home.keys[::2]) - set(home.keys[::5])

    answer = json_of(capsys, "recommend", "near", user, *flags, "--explain", *home.at)
    whole = json_of(capsys, "recommend", "near", user, "--explain", "--top", "99", *home.at)
    assert answer["items"] == kept(whole["items"], chosen, 4)
    assert len(answer["items"]) == 4
    mine = home.run.recommend(user, top=4, where="price < 15", only=only, exclude=str(exclude))
    assert [item.item_id for item in mine] == [item["item_id"] for item in answer["items"]]

    rated = pl.DataFrame({"item_id": home.keys[7:10], "rating": [9, 2, 5]})
    rated.write_csv(tmp_path / "mine.csv")
    person = ["recommend", "near", "--ratings", str(tmp_path / "mine.csv"), *home.at]
    answer = json_of(capsys, *person, *flags)
    whole = json_of(capsys, *person, "--top", "99")
    assert answer["items"] == kept(whole["items"], chosen, 4)
    assert len(answer["items"]) == 4


def test_lists_of_all_users_are_chosen_likewise(
    home: Home, tmp_path: Path, capsys: Capture
) -> None:
    path = {name: tmp_path / f"{name}.parquet" for name in ("whole", "chosen", "mine")}
    few = home.keys[14:34:4]
    only = home.write(tmp_path / "only.csv", few)
    every = ["recommend", "near", "--all", *home.at, "--output"]
    json_of(capsys, *every, str(path["whole"]), "--top", "99")
    flags = ["--where", "year > 1988", "--only", str(only), "--top", "2"]
    summary = json_of(capsys, *every, str(path["chosen"]), *flags)
    chosen = home.fulfilling(col("year") > 1988).intersection(few)
    assert 2 <= len(chosen) <= 4  # so few that some user has rated them all
    whole = pl.read_parquet(path["whole"])
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id")
    expected = (
        whole.filter(col("item_id").cast(whole.schema["item_id"]).is_in(list(chosen)))
        .with_columns(rank=rank)
        .filter(col("rank") <= 2)
    )
    found = pl.read_parquet(path["chosen"])
    assert found.rows() == expected.rows()
    assert found["rank"].max() == 2
    # Who has rated all of them has no list, and is counted so.
    assert summary["n_users"] == found["user_id"].n_unique() < whole["user_id"].n_unique()
    n_users = home.run.split.training_data.spec.n_users
    assert summary["n_users"] + summary["n_left_out"] == n_users
    assert summary["n_rows"] == len(found)
    home.run.recommend_to_all(path["mine"], top=2, where="year > 1988", only=few)
    assert pl.read_parquet(path["mine"]).equals(found)


def test_a_list_of_rated_items_is_empty_and_says_so(
    home: Home, tmp_path: Path, capsys: Capture
) -> None:
    user = home.users[0]
    whole = {item.item_id for item in home.run.recommend(user, top=N_ITEMS)}
    rated = home.listable - whole
    assert len(home.run.recommend(user, only=rated)) == 0
    argv = ["recommend", "near", user, "--only", str(home.write(tmp_path / "rated.csv", rated))]
    assert json_of(capsys, *argv, *home.at)["items"] == []
    assert main([*argv, *home.at]) == 0
    assert "All items that the list may hold are rated already" in capsys.readouterr().err


def test_an_empty_choice_says_which_option_left_none(
    home: Home, tmp_path: Path, capsys: Capture
) -> None:
    def leaves_none(*flags: str) -> str:
        said = refusal(capsys, "recommend", "near", home.users[0], *flags, *home.at, code=3)
        assert "Traceback" not in said
        return said

    unknown = home.write(tmp_path / "unrated.csv", home.keys[-2:])  # in the store, not in the split
    untrained = home.write(tmp_path / "untrained.csv", home.untrained)
    everything = home.write(tmp_path / "everything.csv", home.keys)
    n_known = len(home.listable)
    assert f"of {n_known} items with a train rating --where leaves 0" in leaves_none(
        "--where", "year < 1900"
    )
    assert "rating --only leaves 0" in leaves_none("--only", str(unknown))
    assert "rating --only leaves 0" in leaves_none("--only", str(untrained))
    n_comedies = len(home.fulfilling(col("genres") == "Comedy") & home.listable)
    comedies = ["--where", "genres = 'Comedy'"]
    assert f"--where leaves {n_comedies}, --not leaves 0" in leaves_none(
        *comedies, "--not", str(everything)
    )
    output = tmp_path / "top.parquet"
    every = ["recommend", "near", "--all", "--output", str(output), "--where", "NULL", *home.at]
    assert "--where leaves 0" in refusal(capsys, *every, code=3)
    assert not output.exists()
    with pytest.raises(DataError, match="--only leaves 0"):
        home.run.recommend(home.users[0], only=[])
    assert len(home.run.recommend(home.users[0], exclude=[])) == 10


@pytest.mark.parametrize("where", ESCAPES)
def test_what_is_more_or_less_than_a_condition_is_refused(
    where: str, home: Home, tmp_path: Path
) -> None:
    output = tmp_path / "top.parquet"
    calls: list[Callable[[], object]] = [
        lambda: home.run.recommend(home.users[0], where=where),
        lambda: home.run.recommend_to_all(output, where=where),
    ]
    for call in calls:
        with pytest.raises(QueryError):
            call()
    assert not output.exists()


def test_bad_conditions_have_the_exit_code_of_refused_sql(home: Home, capsys: Capture) -> None:
    ask = ["recommend", "near", home.users[0], *home.at]
    said = refusal(capsys, *ask, "--where", ESCAPES[0], code=4)
    assert "expected one condition" in said
    said = refusal(capsys, *ask, "--where", "genre = 'Drama'", code=4)
    assert '"genre" not found' in said
    for column in ("did you mean genres?", *home.items.columns, "key"):
        assert column in said
    assert "first_date" not in said  # of users
    endless = "(SELECT sum(a.range * b.range) FROM range(9000000) a, range(9000000) b) > year"
    said = refusal(capsys, *ask, "--where", endless, "--timeout", "0.5", code=4)
    assert "longer than 0.5 seconds" in said
    assert "is for --where" in refusal(capsys, *ask, "--timeout", "3", code=2)


def test_ids_that_the_store_does_not_have_are_named(
    home: Home, tmp_path: Path, capsys: Capture
) -> None:
    unknown = "9999" if isinstance(home.keys[0], int) else "nobody's"
    path = tmp_path / "items.txt"
    path.write_text(f"item_id\n{home.keys[20]}\n{unknown}\n")
    words = f"1 of 2 listed ids are no item_id of the store: {unknown}"
    for option in ("--only", "--not"):
        argv = ["recommend", "near", home.users[0], option, str(path), *home.at]
        assert f"{path}: {words}" in refusal(capsys, *argv, code=3).replace("\n", " ")
    for name in ("only", "exclude"):
        lists: dict[str, Any] = {name: [home.keys[20], unknown]}
        with pytest.raises(SplitError, match=words):
            home.run.recommend(home.users[0], **lists)


@pytest.mark.parametrize(
    "arguments",
    [{"where": 3}, {"only": 3}, {"exclude": iter([1])}, {"only": [""]}, {"only": ["\udcff"]}],
)
def test_arguments_of_other_types_are_refused(arguments: dict[str, Any], home: Home) -> None:
    with pytest.raises(SettingsError, match="expected"):
        home.run.recommend(home.users[0], **arguments)


@pytest.mark.parametrize("key", [1.5, 1.0, True, None, "x", 10**30, -(10**30)])
def test_what_is_no_key_is_no_item(key: Any, home: Home) -> None:
    with pytest.raises(BigrecError, match=r"expected the item_id|no item_id of the store"):
        home.run.recommend(home.users[0], exclude=[key])


def test_without_a_choice_nothing_of_sql_is_loaded(home: Home) -> None:
    from tests.support.processes import loaded_by

    user = ["recommend", "near", home.users[0], *home.at]
    assert "duckdb" not in loaded_by(user)
    assert "duckdb" in loaded_by([*user, "--where", "true"])
