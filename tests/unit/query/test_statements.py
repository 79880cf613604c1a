"""Statements end at semicolons, but not at those in text, names and comments."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigrec.query.statements import split_statements


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("SELECT 1;", ["SELECT 1"], ""),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT 1; -- one\nSELECT 2", ["SELECT 1"], " -- one\nSELECT 2"),
        ("SELECT 1; -- x", ["SELECT 1"], ""),
        (";", [], ""),
        (" ; ;\n-- nothing\n; /* ; */ ;", [], ""),
        ("SELECT ';' AS a;", ["SELECT ';' AS a"], ""),
        ("SELECT 'it''s;' AS a;", ["SELECT 'it''s;' AS a"], ""),
        ('SELECT 1 AS ";";', ['SELECT 1 AS ";"'], ""),
        ("SELECT $$;$$; SELECT $a$;$$;$a$;", ["SELECT $$;$$", "SELECT $a$;$$;$a$"], ""),
        (r"SELECT E'\';';", [r"SELECT E'\';'"], ""),
        ("SELECT 1 -- ;\n;", ["SELECT 1 -- ;"], ""),
        ("SELECT 1 /* ;\n */ AS x;", ["SELECT 1 /* ;\n */ AS x"], ""),
        ("SELECT 1 /* ; /* ; */ ; */;", ["SELECT 1 /* ; /* ; */ ; */"], ""),
        ("SELECT 1; /* ; /* ; */", ["SELECT 1"], " /* ; /* ; */"),
        ("SELECT 1 --\r;", ["SELECT 1 --"], ""),
        ("SELECT 1\r\n;\r\nSELECT 2;\r\n", ["SELECT 1", "SELECT 2"], ""),
        ("SELECT a$b$;$;", ["SELECT a$b$", "$"], ""),
        ("SELECT 'é;' ; SELECT '\udce9;é';", ["SELECT 'é;'", "SELECT '\udce9;é'"], ""),
        ("SELECT 1 \0;", ["SELECT 1 \0"], ""),
        ("SELECT 'open;", [], "SELECT 'open;"),
        ('SELECT "open;', [], 'SELECT "open;'),
        ("SELECT 1; SELECT /* open;", ["SELECT 1"], " SELECT /* open;"),
        ("SELECT $1 + $name;", ["SELECT $1 + $name"], ""),
        ("", [], ""),
    ],
)
def test_texts(text: str, statements: list[str], rest: str) -> None:
    assert split_statements(text) == (statements, rest)


PIECES = st.sampled_from(
    [
        "SELECT 1",
        ";",
        " ",
        "\n",
        "';'",
        "''''",
        '";"',
        "-- ;\n",
        "/* ; */",
        "$$;$$",
        ", 2",
        " AS a",
        "\r",
        "/* /* ; */ ; */",
        "E'\\';'",
        "a$b$",
        "é",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_as_many_as_the_engine_finds(text: str) -> None:
    try:
        expected = len(duckdb.extract_statements(text))
    except duckdb.Error:
        return
    statements, rest = split_statements(text)
    assert len([*statements, *([rest] if rest.strip() else [])]) == expected
