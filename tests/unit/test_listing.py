"""Listed items as columns."""

from __future__ import annotations

from bigrec.cli.listing import item_columns
from bigrec.recommend.similar import SimilarItem


def listed(key: int | str, title: str | None, year: int | None = None) -> SimilarItem:
    return SimilarItem(key, title, year, 0.5, 9)


def test_without_a_title_the_key_is_shown_in_its_place() -> None:
    assert item_columns([listed("007", "Alien", 1979), listed("7", None)]) == (
        ["item_id", "title", "year"], [["007", "Alien", "1979"], ["7", "7", None]]
    )  # fmt: skip


def test_keys_alone_need_one_column() -> None:
    assert item_columns([listed("007", None), listed("7", None)]) == (["item_id"], [["007"], ["7"]])


def test_numbers_keep_their_columns() -> None:
    rows = [["7", None, None], ["8", "Brazil", "1985"]]
    assert item_columns([listed(7, None), listed(8, "Brazil", 1985)])[1] == rows
    assert item_columns([listed(7, None)]) == (["item_id", "title", "year"], rows[:1])
    assert item_columns([]) == (["item_id", "title", "year"], [])
