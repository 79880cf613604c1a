"""Which column is what, by names and by shapes; and how times are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigrec.errors import BigrecError, DataError, SettingsError
from bigrec.sources.table.columns import Columns, choose_columns, find_column
from bigrec.sources.table.plan import (
    ISO,
    ITEM,
    MICROSECONDS,
    MILLISECONDS,
    RATING,
    SECONDS,
    TIME,
    USER,
    TableOptions,
)

LABEL = Path("made-up.csv")


def _by_names(names: str, *rows: str, **said: object) -> Columns:
    options = TableOptions(**said)  # type: ignore[arg-type]
    return choose_columns(
        names.split(","), [row.split(",") for row in rows], options, has_names=True, label=LABEL
    )


def _by_shapes(*rows: str, **said: object) -> Columns:
    fields = [row.split(",") for row in rows]
    names = [f"{position + 1}" for position in range(len(fields[0]))]
    options = TableOptions(**said)  # type: ignore[arg-type]
    return choose_columns(names, fields, options, has_names=False, label=LABEL)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (USER, "user USER user_id userId User-ID userID uid reviewerID customer_id Customer"),
        (USER, "member memberId client_id account_id visitorid username user.id review/userId"),
        (USER, "user_idx id_user Kunde usuario email steamid"),
        (ITEM, "item item_id itemId iid asin parent_asin ISBN isbn13 book_id movieId MovieID"),
        (ITEM, "movie business_id placeID place artistID artist song_id track track_id app"),
        (ITEM, "game anime_id article_id sku product/productId ProductId StockCode"),
        (ITEM, "recipe_id venue_id gmap_id"),
        (RATING, "rating Rating RATING stars overall score Score Book-Rating points star_rating"),
        (RATING, "review/score user_rating review_overall ratings liked"),
        (TIME, "timestamp Timestamp unixReviewTime time ts date Date review_date reviewTime"),
        (TIME, "created_at event_time submitted date_added rating_timestamp InvoiceDate"),
    ],
)  # fmt: skip
def test_common_names_are_known_however_they_are_written(role: str, names: str) -> None:
    usual = {USER: "user_id", ITEM: "item_id", RATING: "rating", TIME: "timestamp"}
    example = {USER: "u1", ITEM: "i1", RATING: "3", TIME: "1365811200"}
    for name in names.split():
        for order in (1, -1):
            columns = [name if key == role else usual[key] for key in usual][::order]
            found = _by_names(",".join(columns), ",".join([*example.values()][::order]))
            assert found.positions[role] == columns.index(name), name
            assert len(found.positions) == 4


@pytest.mark.parametrize(
    ("names", "row", "expected"),
    [
        ("user_id,asin,parent_asin,rating", "a,b,c,4", {ITEM: 2}),
        ("user,asin,overall,reviewTime,unixReviewTime", "a,b,4,03 6 2014,1394064000", {TIME: 4}),
        ("user,asin,overall,unixReviewTime,reviewTime", "a,b,4,1394064000,2014-03-06", {TIME: 3}),
        ("UserId,ProfileName,ProductId,Score", "a,b,c,4", {USER: 0, ITEM: 2}),
        ("userID,placeID,rating,food_rating,service_rating", "a,b,0,1,2", {RATING: 2}),
        ("user_id,movie_id,movie,rating", "a,b,c,4", {ITEM: 1}),
        ("user,kdrama,rating", "a,b,4", {ITEM: 1}),
        ("who,item,rating,date", "a,b,4,2020-01-02", {USER: 0}),
        ("user_id,item_id,mood,timestamp", "1,2,4,978300760", {RATING: 2}),
        ("user_id,item_id,plays,rating", "1,2,400,4", {RATING: 3}),
        ("user,item,rating,date,created_at", "1,2,3,10/04/2005,2005-10-04", {TIME: 4}),
        ("u,i,r", "1,2,3", {USER: 0, ITEM: 1, RATING: 2}),
    ],
)  # fmt: skip
def test_the_better_name_wins(names: str, row: str, expected: Mapping[str, int]) -> None:
    found = _by_names(names, row)
    assert {role: found.positions[role] for role in expected} == expected
    assert not found.implicit


@pytest.mark.parametrize(
    ("names", "row", "rating"),
    [
        ("user,item", "1,2", None),
        ("user,item,timestamp", "1,2,978300760", None),
        ("user,item,plays", "1,2,352698", 2),
        ("user,item,playCount", "1,2,3", 2),
        ("userID,artistID,weight", "1,2,3", 2),
        ("user,item,count", "1,2,3", 2),
        ("user,item,quantity,price", "1,2,3,9.99", 2),
        ("user,item,title,price,session_id", "1,2,words,9.99,7", None),
        ("timestamp,visitorid,event,itemid,transactionid", "1433221332117,1,view,2,5", None),
    ],
)
def test_counts_and_pairs_alone_are_no_ratings(names: str, row: str, rating: int | None) -> None:
    found = _by_names(names, row)
    assert found.implicit
    assert found.positions.get(RATING) == rating


@pytest.mark.parametrize(
    ("rows", "roles"),
    [
        (["u1,i1", "u2,i2"], "user item"),
        (["0,48,1", "0,49,5"], "user item rating"),
        (["1,2,-9.75", "1,3,10.00"], "user item rating"),
        (["1,2,978300760", "1,3,978300761"], "user item time"),
        (["1,2,1588687728923,4"], "user item time rating"),
        (["1,2,4,978300760"], "user item rating time"),
        (["151603712,978300760,4,978300760"], "user item rating time"),
        (["a,b,4,2005-10-04", "c,d,4,2005-10-05"], "user item rating time"),
        (["1,2,4,2018-07-07 22:09:11"], "user item rating time"),
        (["A3XYZ00000001,0132793040,5.0,1365811200"], "user item rating time"),
        (["B00005N7P0,A3XYZ00000001,5.0,1005177600"], "item user rating time"),
        (["B00005N7P0,A3XYZ0000001,5.0", "0132793040,A3XYZ00000001AB,4.0"], "item user rating"),
        (["tt0073486,17,5"], "item user rating"),
        (["item_7,user_9"], "item user"),
        (["9780306406157,17,5"], "item user rating"),
        (["9234567890,17,5", "9234567891,18,4"], "user item rating"),
        (["0306406152,17,5", "080442957X,18,4"], "item user rating"),
    ],
)
def test_without_names_shapes_tell(rows: Sequence[str], roles: str) -> None:
    found = _by_shapes(*rows)
    expected = {role: position for position, role in enumerate(roles.split())}
    assert dict(found.positions) == expected
    assert found.implicit == (RATING not in expected)


@pytest.mark.parametrize(
    ("call", "question", "hint"),
    [
        (lambda: _by_names("user,item,food_rating,service_rating", "1,2,3,4"), "food_rating",
         "--columns user=user,item=item,rating=food_rating"),
        (lambda: _by_names("customer_id,member_id,item_id", "1,2,3"), "customer_id",
         "--columns user=customer_id,item=item_id"),
        (lambda: _by_names("a,b,c", "1,2,3"), "which column is the user and which the item",
         "--columns user=a,item=b"),
        (lambda: _by_names("user,x,y,rating", "1,2,3,4"), "which column is the item",
         "--columns user=user,item=x,rating=rating"),
        (lambda: _by_names("user,item,size", "1,2,3000"), "is the rating 'size', or is there none",
         "rating=size"),
        (lambda: _by_names("user,item,my mood?,x", "1,2,3,4"), "is the rating", "rating=3"),
        (lambda: _by_shapes("8764,9,4,2005-10-04"), "Netflix", "--columns user=1,item=2"),
        (lambda: _by_shapes("u,i,3000"), "which column is the rating", "rating=3"),
        (lambda: _by_shapes("1,2,3,4,5"), "which column is the rating", "user=1,item=2,rating=3"),
        (lambda: _by_shapes("1,3.5,42"), "which column is the user", "user=1,item=2"),
        (lambda: _by_shapes("2005-10-04,7,42"), "which the time", "--columns user=1,item=2"),
        (lambda: _by_shapes("1,2,978300760,978300761"), "time in column 3 or 4", "time=3"),
        (lambda: _by_shapes("B00005N7P0,B00005N7P1,4"), "which column is the user", "user=1"),
        (lambda: _by_shapes("1"), "which column", "user=1"),
        (lambda: _by_shapes(",".join(["1.5"] * 101)), "which column", "--source jester"),
    ],
)  # fmt: skip
def test_what_is_not_sure_is_a_question_with_its_answer(
    call: object, question: str, hint: str
) -> None:
    assert callable(call)
    with pytest.raises(DataError) as caught:
        call()
    assert question in caught.value.message
    assert hint in caught.value.hint
    assert " | " in caught.value.message or "is 1" in caught.value.message


def test_what_somebody_says_decides_and_the_rest_is_recognized() -> None:
    names, row = "user,item,rating,score,date", "1,2,3,4,2020-01-02"
    assert _by_names(names, row, columns={"rating": "score"}).positions[RATING] == 3
    assert _by_names(names, row, columns={"rating": "4"}).positions[RATING] == 3
    assert _by_names(names, row, columns={"rating": "SCORE"}).positions[RATING] == 3
    found = _by_names(names, row, columns={"rating": "none", "time": "none"})
    assert dict(found.positions) == {USER: 0, ITEM: 1}
    assert found.implicit
    swapped = _by_shapes("8764,9,4,2005-10-04", columns={"item": "1", "user": "2"})
    assert dict(swapped.positions) == {USER: 1, ITEM: 0, RATING: 2, TIME: 3}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": "usr_ident"}, "unknown column 'usr_ident'"),
        ({"user": "9"}, "there is no column 9: the table has 3"),
        ({"user": "0"}, "there is no column 0"),
        ({"user": "item"}, "is given for"),
        ({"user": "none"}, "every table has a column of users"),
        ({"author": "user"}, "unknown role of a column 'author'"),
    ],
)
def test_columns_that_cannot_be_are_refused(columns: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        _by_names("user,item,rating", "1,2,3", columns={"item": "item", **columns})
    assert caught.value.hint


def test_a_name_comes_before_a_position_and_must_be_the_only_one() -> None:
    assert find_column(["2", "1"], "1") == 1
    assert find_column(["a", "A"], "A") == 1
    with pytest.raises(SettingsError, match="2 columns are called 'x'") as caught:
        find_column(["x", "y", "x"], "x")
    assert "1 or 3" in caught.value.hint


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        ("1365811200", SECONDS), ("1365811200.0", SECONDS), ("-1365811200", SECONDS),
        ("1588687728923", MILLISECONDS), ("1588687728923000", MICROSECONDS),
        ("2005-10-04", ISO), ("2018-07-07 22:09:11", ISO), ("2018-07-07T22:09:11Z", ISO),
        ("2018-07-07T22:09:11.123456+02:00", ISO),
        ("2019-10-01 00:00:00 UTC", ISO), ("1066-10-14", ISO), ("2018-07-07 22:09", ISO),
    ],
)  # fmt: skip
def test_how_times_are_written_is_seen(time: str, unit: str) -> None:
    assert _by_names("user,item,rating,time", f"1,2,3,{time}").time_unit == unit


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("03 6 2014", "'03 6 2014'"), ("10/04/2005", "'10/04/2005'"), ("04.10.2005", "04.10.2005"),
        ("20051004", "a day in digits"), ("12345", "may be days or seconds"),
        ("1588687728923000000", "too large"), ("2005-13-04", "'2005-13-04'"), ("", "nothing"),
    ],
)  # fmt: skip
def test_times_that_may_be_anything_are_a_question(time: str, why: str) -> None:
    with pytest.raises(DataError, match="how are times written") as caught:
        _by_names("user,item,rating,time", f"1,2,3,{time}")
    assert why in caught.value.message
    assert "--columns time=none" in caught.value.hint
    said = _by_names("user,item,rating,time", f"1,2,3,{time}", time_unit="days")
    assert said.time_unit == "days"


@given(st.datetimes(dt.datetime(1973, 4, 1), dt.datetime(2099, 1, 1)), st.data())
def test_units_are_those_in_which_a_time_was_written(
    time: dt.datetime, data: st.DataObject
) -> None:
    seconds = int(time.replace(tzinfo=dt.UTC).timestamp())
    unit, factor = data.draw(
        st.sampled_from([(SECONDS, 1), (MILLISECONDS, 10**3), (MICROSECONDS, 10**6)])
    )
    assert _by_shapes(f"a,b,3,{seconds * factor}").time_unit == unit
    assert _by_shapes(f"a,b,3,{time.isoformat()}").time_unit == ISO


@given(
    rows=st.lists(
        st.lists(st.text(st.sampled_from("1909.-: ab")), min_size=3, max_size=3), max_size=4
    ),
    names=st.lists(
        st.sampled_from(["user", "item", "x", "date", "", "rating"]), min_size=3, max_size=3
    ),
    has_names=st.booleans(),
)
def test_any_table_has_columns_or_is_a_question(
    rows: list[list[str]], names: list[str], has_names: bool
) -> None:
    try:
        found = choose_columns(names, rows, TableOptions(), has_names=has_names, label=LABEL)
    except BigrecError as error:
        assert error.hint  # noqa: PT017 - either is right
    else:
        assert {USER, ITEM} <= set(found.positions)
        assert len(set(found.positions.values())) == len(found.positions)
