"""What a query may be: exactly one statement that reads, and nothing that runs text as SQL.

The engine keeps files outside the store and the network out of reach (see `session`), but inside
the store it would also write: DuckDB takes COPY and INSERT inside a WITH clause and behind
EXPLAIN ANALYZE, and calls that behind a FROM start logs or run SQL from a string. So the statement
is taken apart by the engine's own parser, and only kinds of nodes and table functions known to read
pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import duckdb

from bigrec.errors import QueryError
from bigrec.query.statements import tokens

_READING_NODES: Final = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)
_READING_FUNCTIONS: Final = frozenset(
    {
        "duckdb_columns", "duckdb_functions", "duckdb_types", "duckdb_views", "generate_series",
        "histogram", "histogram_values", "json_each", "json_tree",
        "parquet_file_metadata", "parquet_metadata", "parquet_scan", "parquet_schema", "range",
        "read_parquet", "unnest",
    }
)  # fmt: skip
_ACTING_FUNCTIONS: Final = frozenset(
    {
        "currval", "current_setting", "getenv", "getvariable", "json_serialize_plan", "nextval",
        "pg_sleep", "query", "query_table", "setseed", "setval", "sleep_ms", "write_log",
    }
)  # fmt: skip
"""Functions of one value that do more than compute it, or tell of more than the store."""
_EXPLAIN_OPTIONS: Final = frozenset({"analyze", "format"})
_TELLING_VIEWS: Final = frozenset({"duckdb_logs", "pg_settings"})
"""Views of the engine's own over functions that do not pass."""
_READS_ONLY_HINT: Final = (
    "a query reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN"
)

_CONDITION_HINT: Final = "write it as behind the WHERE of a query: year >= 1990 AND title LIKE 'A%'"


def require_reading(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """Let a query pass that is exactly one reading statement.

    Returns:
        The SQL to run: the query, or what it explains behind an EXPLAIN of our own, so that
        nothing runs that was not looked at.

    Raises:
        QueryError: it is none, or more than one, or one that could do more than read.
        duckdb.Error: it is not SQL.
    """
    if "\0" in query:
        raise QueryError("the query has a NUL byte", hint="remove it")
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        found = "none" if not statements else str(len(statements))
        raise QueryError(
            f"expected exactly one statement, found {found}",
            hint="separate statements into commands of their own"
            if statements
            else "blanks, comments and semicolons alone ask nothing",
        )
    try:
        kind = statements[0].type
    except ValueError:  # a kind that the engine's Python side has no name for
        raise QueryError("this statement is not allowed here", hint=_READS_ONLY_HINT) from None
    explain, text = "", query
    if kind == duckdb.StatementType.EXPLAIN:
        explain, text = _split_explain(statements[0].query)
    (serialized,) = connection.execute(
        "SELECT json_serialize_sql($query)", {"query": text}
    ).fetchall()[0]
    tree = json.loads(serialized)
    if tree["error"]:
        if kind == duckdb.StatementType.MULTI:
            raise QueryError(
                "a PIVOT has to name its values", hint="PIVOT … ON column IN (value, …) USING …"
            )
        what = f"{kind.name} of this statement" if explain else kind.name
        raise QueryError(f"{what} is not allowed here", hint=_READS_ONLY_HINT)
    for node in _walk(tree["statements"]):
        _require_reading_node(node)
    return f"{explain}\n{text}" if explain else query


def require_condition(text: str) -> None:
    """Let a text pass that is one expression: in brackets, nothing of it is outside of them.

    Raises:
        QueryError: it is none.
    """
    try:
        text.encode()
        duckdb.SQLExpression(text)
    except UnicodeEncodeError as error:
        raise QueryError("the condition has bytes that are no UTF-8") from error
    except duckdb.Error as error:
        raise QueryError(
            f"expected one condition, found {text!r}: {error}", hint=_CONDITION_HINT
        ) from error


def _require_reading_node(node: Mapping[str, Any]) -> None:
    """Let a node of a statement pass that only reads.

    Raises:
        QueryError: it could do more.
    """
    node_type = str(node.get("type", ""))
    if node_type.endswith("_NODE") and node_type not in _READING_NODES:
        name = node_type.removesuffix("_NODE").removesuffix("_QUERY")
        raise QueryError(f"{name} is not allowed inside a query", hint=_READS_ONLY_HINT)
    name = str(node.get("function_name", "")).lower()
    if name in _ACTING_FUNCTIONS:
        raise QueryError(f"the function {name} is not allowed here", hint=_READS_ONLY_HINT)
    name = str(node.get("table_name", "")).lower()
    if name in _TELLING_VIEWS:
        raise QueryError(f"the view {name} is not allowed here", hint=_READS_ONLY_HINT)
    if node_type == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in _READING_FUNCTIONS:
            raise QueryError(
                f"the table function {name} is not allowed here",
                hint=f"allowed: {', '.join(sorted(_READING_FUNCTIONS))}",
            )


def _split_explain(query: str) -> tuple[str, str]:
    """EXPLAIN with its options, written anew word by word, and the statement that it is about."""
    words = [token for token in tokens(query) if not token.is_comment]
    texts = [word.text.lower() for word in words]
    if texts[:1] != ["explain"]:
        raise QueryError("this EXPLAIN is not understood", hint="put a space behind it")
    n_words = 1
    if texts[1:2] == ["analyze"]:
        n_words = 2
    if texts[n_words : n_words + 1] == ["("] and set(texts[n_words + 1 :][:1]) & _EXPLAIN_OPTIONS:
        n_words = texts.index(")", n_words) + 1 if ")" in texts[n_words:] else len(texts)
    text = query[words[n_words].start :] if n_words < len(words) else ""
    return " ".join(texts[:n_words]), text


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
