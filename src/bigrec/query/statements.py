"""Cutting typed text into statements at the semicolons that are not in text, names or comments."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""
      (?P<blank>\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)
    | (?P<end>;)
    | [eE]'(?:\\.|''|[^'\\])*'              # text with escapes
    | '(?:''|[^'])*'                        # text
    | "(?:""|[^"])*"                        # a name
    | \$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)\$ | \$\$.*?\$\$
    | (?P<open>['"]|/\*|\$(?:[A-Za-z_]\w*)?\$)  # not closed yet
    | \w+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def split_statements(text: str) -> tuple[list[str], str]:
    """The complete statements of a text, and what follows the last semicolon.

    Statements come without their semicolons; those of blanks and comments alone are left out.

    Args:
        text: SQL, perhaps not all of it yet.
    """
    statements: list[str] = []
    start = position = 0
    is_blank = True
    while position < len(text):
        token = _TOKEN.match(text, position)
        assert token is not None  # noqa: S101 - the pattern ends with any character
        if token["open"]:
            return statements, text[start:]
        position = token.end()
        if token["end"]:
            if not is_blank:
                statements.append(text[start : token.start()].strip())
            start, is_blank = position, True
        elif not token["blank"]:
            is_blank = False
    return statements, "" if is_blank else text[start:]
