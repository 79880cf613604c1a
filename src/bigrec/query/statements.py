"""Cutting typed text into tokens and statements, as the engine's own tokenizer sees them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import duckdb


@dataclass(frozen=True)
class Token:
    """A word, number, text, name, operator or comment of SQL."""

    text: str
    """As it was typed, without the blanks around it."""
    start: int
    """Place of its first character in the SQL."""
    is_comment: bool


def tokens(sql: str) -> list[Token]:
    """The tokens of a text, perhaps not all of it yet: the last one may lack its end.

    A surrogate stands for a byte that is no UTF-8 and counts as one of any other character.
    """
    data = sql.encode("utf-8", "replace")
    found = duckdb.tokenize(data.decode())
    kinds = [kind for _, kind in found]
    positions = _positions(data, [offset for offset, _ in found])
    return [
        Token(sql[start:end].strip(), start, kind == duckdb.token_type.comment)
        for (start, end), kind in zip(pairwise([*positions, len(sql)]), kinds, strict=True)
    ]


def split_statements(text: str) -> tuple[list[str], str]:
    """The complete statements of a text, and what follows the last semicolon.

    Statements come without their semicolons; those of blanks and comments alone are left out.

    Args:
        text: SQL, perhaps not all of it yet.
    """
    statements: list[str] = []
    start = 0
    is_blank = True
    for token in tokens(text):
        if token.text == ";":
            if not is_blank:
                statements.append(text[start : token.start].strip())
            start, is_blank = token.start + 1, True
        elif not token.is_comment or _is_open(token.text):
            is_blank = False
    return statements, "" if is_blank else text[start:]


def _is_open(comment: str) -> bool:
    """Whether a comment has no end yet: those of blocks may stand in one another."""
    return comment.startswith("/*") and comment.count("/*") > comment.count("*/")


def _positions(data: bytes, offsets: list[int]) -> list[int]:
    """The number of characters before each offset in UTF-8."""
    positions = []
    position = last = 0
    for offset in offsets:
        position += len(data[last:offset].decode())
        last = offset
        positions.append(position)
    return positions
