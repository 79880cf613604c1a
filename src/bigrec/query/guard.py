"""What a query may be: exactly one statement that reads, and nothing that runs text as SQL.

The engine keeps files outside the store and the network out of reach (see `session`), but inside
the store it would also write: DuckDB takes COPY and INSERT inside a WITH clause and behind
EXPLAIN ANALYZE, and calls that behind a FROM start logs or run SQL from a string. So the statement
is taken apart by the engine's own parser, and only kinds of nodes and table functions known to read
pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import duckdb

from bigrec.errors import QueryError

_READING_NODES: Final = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)
_READING_FUNCTIONS: Final = frozenset(
    {
        "duckdb_columns", "duckdb_functions", "duckdb_settings", "duckdb_types", "duckdb_views",
        "generate_series", "histogram", "histogram_values", "json_each", "json_tree",
        "parquet_file_metadata", "parquet_metadata", "parquet_scan", "parquet_schema", "range",
        "read_parquet", "unnest",
    }
)  # fmt: skip
_ACTING_FUNCTIONS: Final = frozenset(
    {
        "currval", "current_setting", "getenv", "getvariable", "nextval", "query", "query_table",
        "setseed", "setval", "sleep_ms", "write_log",
    }
)  # fmt: skip
"""Functions of one value that do more than compute it, or tell of more than the store."""
_READS_ONLY_HINT: Final = (
    "a query reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN"
)

_BLANK: Final = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN: Final = re.compile(
    rf"{_BLANK}explain\b(?:{_BLANK}analyze\b)?(?:{_BLANK}\([^()]*\))?", re.IGNORECASE | re.DOTALL
)
"""EXPLAIN with its options; what follows is the statement that it explains or runs."""


def require_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Let a query pass that is exactly one reading statement.

    Raises:
        QueryError: it is none, or more than one, or one that could do more than read.
        duckdb.Error: it is not SQL.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        found = "none" if not statements else str(len(statements))
        raise QueryError(
            f"expected exactly one statement, found {found}",
            hint="separate statements into commands of their own" if statements else "",
        )
    try:
        kind = statements[0].type
    except ValueError:  # a kind that the engine's Python side has no name for
        raise QueryError("this statement is not allowed here", hint=_READS_ONLY_HINT) from None
    explained = _EXPLAIN.match(query) if kind == duckdb.StatementType.EXPLAIN else None
    text = query[explained.end() :] if explained else query
    (serialized,) = connection.execute(
        "SELECT json_serialize_sql($query)", {"query": text}
    ).fetchall()[0]
    tree = json.loads(serialized)
    if tree["error"]:
        if kind == duckdb.StatementType.MULTI:
            raise QueryError(
                "a PIVOT has to name its values", hint="PIVOT … ON column IN (value, …) USING …"
            )
        what = f"{kind.name} of this statement" if explained else kind.name
        raise QueryError(f"{what} is not allowed here", hint=_READS_ONLY_HINT)
    for node in _walk(tree["statements"]):
        node_type = str(node.get("type", ""))
        if node_type.endswith("_NODE") and node_type not in _READING_NODES:
            name = node_type.removesuffix("_NODE").removesuffix("_QUERY")
            raise QueryError(f"{name} is not allowed inside a query", hint=_READS_ONLY_HINT)
        name = str(node.get("function_name", "")).lower()
        if name in _ACTING_FUNCTIONS:
            raise QueryError(f"the function {name} is not allowed here", hint=_READS_ONLY_HINT)
        if node_type == "TABLE_FUNCTION":
            name = str(node["function"]["function_name"]).lower()
            if name not in _READING_FUNCTIONS:
                raise QueryError(
                    f"the table function {name} is not allowed here",
                    hint=f"allowed: {', '.join(sorted(_READING_FUNCTIONS))}",
                )


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
