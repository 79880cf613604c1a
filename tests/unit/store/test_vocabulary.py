"""Keys to ids and back, held against a dictionary."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigrec.store.vocabulary import UNKNOWN, Vocabulary, parse_whole

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
NUMBERS = Vocabulary(pl.LazyFrame({"item_id": [3, 7]}), "item_id", has_keys=False)


def vocabulary_of(keys: list[str]) -> Vocabulary:
    ids = pl.Series("user_id", range(1, len(keys) + 1), pl.Int32)
    frame = pl.DataFrame([ids, pl.Series("key", keys, pl.String)])
    return Vocabulary(frame.lazy(), "user_id", has_keys=True)


@given(st.lists(TEXTS, unique=True, min_size=1), st.lists(TEXTS), st.randoms())
def test_keys_are_found_letter_by_letter(
    keys: list[str], others: list[str], random: np.random.RandomState
) -> None:
    vocabulary = vocabulary_of(keys)
    expected = {key: number for number, key in enumerate(keys, start=1)}
    asked = [*keys, *others, *(f" {key}" for key in keys), *keys[:1]]
    random.shuffle(asked)
    ids = vocabulary.ids_of(asked)
    assert ids.tolist() == [expected.get(key, UNKNOWN) for key in asked]
    known = ids[ids != UNKNOWN]
    assert vocabulary.keys_of(known).to_list() == [key for key in asked if key in expected]
    assert vocabulary.key_of(int(known[0])) in expected


def test_a_number_is_a_key_by_its_digits() -> None:
    vocabulary = vocabulary_of(["007", "7", "-1"])
    assert [vocabulary.id_of(key) for key in (7, "7", "007", -1, 1, "07", " 7")] == [
        2, 2, 1, 3, UNKNOWN, UNKNOWN, UNKNOWN
    ]  # fmt: skip
    assert vocabulary.ids_of(pl.Series([7, -1, 1])).tolist() == [2, 3, UNKNOWN]
    assert [vocabulary.parse(text) for text in ("007", " 7 ", "")] == ["007", " 7 ", None]


def test_what_is_no_text_is_nobody() -> None:
    vocabulary = vocabulary_of(["a", "\ufffd"])
    assert vocabulary.ids_of(["a", "\udcff", ""]).tolist() == [1, UNKNOWN, UNKNOWN]
    assert vocabulary.parse("\udcff") is None


def test_nothing_asked_is_nothing_answered() -> None:
    for vocabulary in (vocabulary_of(["a"]), NUMBERS):
        assert vocabulary.ids_of([]).tolist() == []
        keys = vocabulary.keys_of(np.empty(0, np.int32))
        assert keys.dtype == (pl.String if vocabulary.has_keys else pl.Int32)
        assert len(keys) == 0


def test_without_keys_ids_are_what_they_are_called() -> None:
    assert NUMBERS.ids_of([7, 12, -5]).tolist() == [7, 12, -5]
    assert NUMBERS.keys_of(np.array([7, 3, 7])).to_list() == [7, 3, 7]
    assert (NUMBERS.id_of(7), NUMBERS.key_of(3)) == (7, 3)
    assert NUMBERS.id_of(1 << 70) == 1 << 70


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" 7 ", 7), ("007", 7), ("-5", -5), ("+5", 5), ("7.0", None), ("", None),
     ("9" * 19, None), ("seven", None), ("1_0", None)],
)  # fmt: skip
def test_a_number_is_read_as_a_whole_one(text: str, number: int | None) -> None:
    assert parse_whole(text) == number
    assert NUMBERS.parse(text) == number
