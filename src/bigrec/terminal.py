"""Text of data for the eyes of people: nothing in it moves the cursor."""

from __future__ import annotations

import unicodedata
from typing import Final

_DIRECTIONS: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def visible(text: str, keep: str = "") -> str:
    """A text with its control characters as escapes, but for those to keep."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character in keep or not _is_control(character)
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def _is_control(character: str) -> bool:
    """Whether a character moves the cursor, ends a line, turns the writing, or is half of one."""
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
