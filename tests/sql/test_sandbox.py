"""The sandbox of SQL: nothing but the store is read, nothing at all is written.

Each escape is an attempt by name. It has to end as an error of bigrec, or as an answer without the
canary; no file may appear anywhere, and the session must answer afterwards.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bigrec.errors import BigrecError
from bigrec.query.guard import _ACTING_FUNCTIONS
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget

CANARY = "k4narienvogel"

FILES = {
    "read_csv": "SELECT * FROM read_csv('{canary}')",
    "read_csv_auto": "SELECT * FROM read_csv_auto('{canary}')",
    "read_text": "SELECT * FROM read_text('{canary}')",
    "read_blob": "SELECT * FROM read_blob('{canary}')",
    "read_json": "SELECT * FROM read_json('{canary}')",
    "read_json_objects": "SELECT * FROM read_json_objects('{canary}')",
    "read_ndjson": "SELECT * FROM read_ndjson('{canary}')",
    "read_parquet elsewhere": "SELECT * FROM read_parquet('{folder}/canary.parquet')",
    "parquet_scan elsewhere": "SELECT * FROM parquet_scan('{folder}/canary.parquet')",
    "parquet_metadata elsewhere": "SELECT * FROM parquet_metadata('{folder}/canary.parquet')",
    "parquet_schema elsewhere": "SELECT * FROM parquet_schema('{folder}/canary.parquet')",
    "parquet_kv_metadata": "SELECT * FROM parquet_kv_metadata('{folder}/canary.parquet')",
    "parquet above the store": "SELECT * FROM read_parquet('{store}/../canary.parquet')",
    "glob": "SELECT * FROM glob('{folder}/*')",
    "sniff_csv": "SELECT * FROM sniff_csv('{canary}')",
    "read_duckdb": "SELECT * FROM read_duckdb('{folder}/canary.duckdb')",
    "a file by its name": "SELECT * FROM '{canary}'",
    "a parquet file by its name": "FROM '{folder}/canary.parquet'",
    "a pattern": "SELECT * FROM read_parquet('{folder}/*.parquet')",
    "a link in the store": "SELECT * FROM read_parquet('{store}/link.parquet')",
    "a csv in the store": "SELECT * FROM read_csv('{store}/manifest.json')",
    "proc": "SELECT * FROM read_text('/proc/self/environ')",
    "proc by parquet": "SELECT * FROM read_parquet('/proc/self/environ')",
    "file url": "SELECT * FROM read_parquet('file://{folder}/canary.parquet')",
    "http": "SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')",
    "s3": "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "huggingface": "SELECT * FROM 'hf://datasets/x/y.parquet'",
    "a scalar subquery": "SELECT (SELECT content FROM read_text('{canary}'))",
    "a lateral join": "SELECT * FROM users, LATERAL (SELECT * FROM read_text('{canary}'))",
    "a CTE": "WITH c AS (FROM read_text('{canary}')) FROM c",
    "a recursive CTE": "WITH RECURSIVE c AS (SELECT 1 AS x UNION ALL SELECT x FROM c, "
    "read_text('{canary}')) FROM c",
    "a set operation": "SELECT 'a' UNION ALL SELECT content FROM read_text('{canary}')",
    "an ordering": "SELECT 1 ORDER BY (SELECT content FROM read_text('{canary}'))",
    "describe": "DESCRIBE SELECT * FROM read_csv('{canary}')",
    "summarize": "SUMMARIZE SELECT * FROM read_csv('{canary}')",
    "explain": "EXPLAIN SELECT * FROM read_csv('{canary}')",
    "explain analyze": "EXPLAIN ANALYZE SELECT * FROM read_text('{canary}')",
    "pivot": "PIVOT (FROM read_csv('{canary}')) ON column0 IN ('a') USING count(*)",
}

WRITING = {
    "copy to": "COPY users TO '{folder}/out.csv'",
    "copy to in the store": "COPY users TO '{store}/out.parquet'",
    "copy from": "COPY users FROM '{canary}'",
    "copy a query": "COPY (SELECT 1) TO '{folder}/out.csv'",
    "copy from database": "COPY FROM DATABASE memory TO other",
    "explain analyze copy": "EXPLAIN ANALYZE COPY users TO '{store}/out.parquet'",
    "copy behind a comment that ends at a carriage return": "EXPLAIN --\rANALYZE WITH x AS "
    "(COPY (SELECT 1 AS x) TO '{store}/out.csv') FROM\n(FROM x) SELECT 1",
    "copy in a comment inside a comment": "EXPLAIN /* /* */ SELECT 1 -- */ ANALYZE "
    "WITH x AS (COPY (SELECT 1) TO '{store}/out.csv') FROM x",
    "copy behind the option analyze": "EXPLAIN (ANALYZE, FORMAT json) "
    "COPY (SELECT 1) TO '{store}/out.csv'",
    "copy in a CTE": "WITH c AS (COPY users TO '{store}/out.csv') FROM c",
    "export": "EXPORT DATABASE '{folder}/exported'",
    "import": "IMPORT DATABASE '{folder}'",
    "attach": "ATTACH '{folder}/new.duckdb' AS other",
    "attach in the store": "ATTACH '{store}/new.duckdb' AS other",
    "attach memory": "ATTACH ':memory:' AS other",
    "detach": "DETACH memory",
    "use": "USE memory",
    "create table": "CREATE TABLE t AS SELECT 1",
    "create temp table": "CREATE TEMP TABLE t AS SELECT 1",
    "create view": "CREATE OR REPLACE VIEW ratings AS SELECT 1",
    "create macro": "CREATE MACRO f(x) AS x + 1",
    "create table macro": "CREATE MACRO f() AS TABLE FROM read_text('{canary}')",
    "create type": "CREATE TYPE mood AS ENUM ('a')",
    "create schema": "CREATE SCHEMA s",
    "create sequence": "CREATE SEQUENCE s",
    "create index": "CREATE INDEX i ON ratings (user_id)",
    "create secret": "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "create persistent secret": "CREATE PERSISTENT SECRET p (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "drop view": "DROP VIEW ratings",
    "drop secret": "DROP SECRET s",
    "alter view": "ALTER VIEW ratings RENAME TO r",
    "insert": "INSERT INTO users VALUES (1)",
    "insert in a CTE": "WITH c AS (INSERT INTO users VALUES (1) RETURNING *) FROM c",
    "update": "UPDATE users SET n_ratings = 1",
    "delete": "DELETE FROM users",
    "truncate": "TRUNCATE users",
    "merge": "MERGE INTO users USING users AS o ON false WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "comment on": "COMMENT ON VIEW users IS 'x'",
    "vacuum": "VACUUM",
    "analyze": "ANALYZE",
    "checkpoint": "CHECKPOINT",
    "call checkpoint": "CALL checkpoint()",
    "from checkpoint": "FROM checkpoint()",
    "begin": "BEGIN",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "write_log": "SELECT write_log('{folder}')",
    "write_log deep inside": "SELECT * FROM users WHERE list_transform([1], x -> write_log('a')) "
    "IS NULL",
    "enable_logging": "CALL enable_logging(storage = 'file')",
    "from enable_logging": "FROM enable_logging()",
    "enable_profiling": "CALL enable_profiling(save_location = '{folder}/profile.json')",
    "truncate logs": "FROM truncate_duckdb_logs()",
}

SETTINGS = {
    "set": "SET memory_limit = '100GB'",
    "set access": "SET enable_external_access = true",
    "set directories": "SET allowed_directories = ['/']",
    "set variable": "SET VARIABLE x = 1",
    "reset": "RESET memory_limit",
    "reset lock": "RESET lock_configuration",
    "pragma": "PRAGMA memory_limit = '100GB'",
    "pragma profiling": "PRAGMA enable_profiling = 'json'",
    "pragma table": "PRAGMA show_tables",
    "pragma functions": "FROM pragma_database_size()",
    "current_setting": "SELECT current_setting('secret_directory')",
    "settings": "FROM duckdb_settings()",
    "settings by a view": "FROM pg_catalog.pg_settings",
    "settings by a quoted view": 'SELECT * FROM "PG_SETTINGS"',
    "profiling settings": "FROM duckdb_profiling_settings()",
    "pragma call": "CALL pragma_database_size()",
    "secrets": "FROM duckdb_secrets()",
    "which_secret": "FROM which_secret('s3://x', 's3')",
    "getenv": "SELECT getenv('CANARY_OF_BIGREC')",
    "getvariable": "SELECT getvariable('x')",
    "load": "LOAD httpfs",
    "load a path": "LOAD '{folder}/evil.duckdb_extension'",
    "install": "INSTALL httpfs",
    "force install": "FORCE INSTALL httpfs FROM community",
    "update extensions": "UPDATE EXTENSIONS",
    "extensions": "FROM duckdb_extensions()",
    "logs": "FROM duckdb_logs()",
    "logs by a view": "SELECT * FROM main.duckdb_logs",
    "parsed logs": "FROM duckdb_logs_parsed('QueryLog')",
    "temporary files": "FROM duckdb_temporary_files()",
    "prepare": "PREPARE p AS SELECT 1",
    "execute": "EXECUTE p",
    "deallocate": "DEALLOCATE p",
    "two statements": "SELECT 1; SELECT 2",
    "two, the second writes": "SELECT 1; COPY users TO '{folder}/out.csv'",
    "query()": "FROM query('COPY users TO ''{folder}/out.csv''')",
    "query_table": "FROM query_table('ratings')",
    "serialized sql": "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "serialized pragma": "PRAGMA json_execute_serialized_sql('x')",
    "substrait": "CALL from_substrait('x')",
    "a Python variable": "SELECT * FROM canary_frame",
    "pandas_scan": "FROM pandas_scan(1)",
    "python_map": "FROM python_map_function(1)",
    "arrow_scan": "FROM arrow_scan(1, 2, 3)",
    "seq_scan": "FROM seq_scan('ratings')",
    "sleep_ms": "SELECT sleep_ms(100000)",
    "sleep_ms by its schema": "SELECT system.main.sleep_ms(100000)",
    "sleep_ms of a value": "SELECT (100000).SLEEP_MS()",
    "sleep_ms in an order": "SELECT 1 ORDER BY sleep_ms(100000)",
    "pg_sleep": "SELECT pg_sleep(100)",
    "a plan of a text": "SELECT json_serialize_plan('SELECT * FROM read_text(''{canary}'')')",
    "a NUL byte": "SELECT 1 \0",
    "half a character": "SELECT '\udce9'",
    "nextval": "SELECT nextval('s')",
    "setseed": "SELECT setseed(0.5)",
    "show all settings by show": "SHOW ALL TABLES; SET threads = 1",
    "test_all_types": "FROM test_all_types()",
    "external resources": "FROM register_external_resource_type('x')",
    "a statement in a comment's shadow": "SELECT 1 /* ; */; DROP VIEW users",
}

ESCAPES = {**FILES, **WRITING, **SETTINGS}

BOMBS = {
    "endless recursion": "WITH RECURSIVE c AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) FROM c",
    "a long range": "SELECT sum(hash(range)) FROM range(1000000000000)",
    "a cross join": "SELECT count(*) FROM ratings a, ratings b, ratings c WHERE a.date > b.date",
    "long text": "SELECT length(repeat('x', 100000000000))",
    "growing text": "WITH RECURSIVE c AS (SELECT 'x' AS t UNION ALL SELECT t || t FROM c) "
    "SELECT max(length(t)) FROM c",
    "a long list": "SELECT len(range(100000000000))",
    "a list of all": "SELECT len(list(a.rating)) FROM ratings a, ratings b, range(100)",
    "deep nesting": "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "a sort of a cross join": "SELECT a.rating FROM ratings a, ratings b ORDER BY "
    "hash(a.user_id + b.user_id) LIMIT 1 OFFSET 300000000",
    "factorial": "SELECT factorial(100000)",
}


@pytest.fixture
def place(store_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store, a link in it that leads out, and canaries beside it."""
    monkeypatch.setenv("CANARY_OF_BIGREC", CANARY)
    shutil.copytree(store_small, tmp_path / "store")
    (tmp_path / "canary.csv").write_text(f"column0\n{CANARY}\n")
    shutil.copy(tmp_path / "store" / "items.parquet", tmp_path / "canary.parquet")
    (tmp_path / "spill").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def session(place: Path) -> Iterator[Session]:
    budget = Budget(memory_bytes=256 << 20, threads=2, temp_dir=place / "spill")
    with open_session(place / "store", budget=budget, timeout=2) as opened:
        (place / "store" / "link.parquet").symlink_to(place / "canary.parquet")
        yield opened


def files(folder: Path) -> set[str]:
    return {
        str(path) for path in folder.rglob("*") if not path.is_relative_to(folder / "spill")
    } | {str(path) for path in Path("/tmp").glob("*duckdb*")}


def test_there_are_enough_of_them() -> None:
    assert len(ESCAPES) >= 120


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_fails(name: str, place: Path, session: Session) -> None:
    canary_frame = [CANARY]
    before = files(place)
    query = ESCAPES[name].format(canary=place / "canary.csv", folder=place, store=place / "store")
    with pytest.raises(BigrecError) as caught:
        session.run(query).fetchall()
    assert caught.value.exit_code in (3, 4, 5)
    assert CANARY not in caught.value.message + caught.value.hint
    assert files(place) == before
    assert session.run("SELECT count(*) FROM ratings").fetchall() == [(20_000,)]
    del canary_frame


def test_no_macro_of_the_engine_hides_a_function_that_acts(session: Session) -> None:
    acting = "|".join(sorted(_ACTING_FUNCTIONS))
    macros = session.run(
        "SELECT function_name, macro_definition FROM duckdb_functions() "
        "WHERE function_type = 'macro' AND regexp_matches(macro_definition, $p) ORDER BY 1",
        {"p": rf"\b({acting})\("},
    ).fetchall()
    assert [name for name, _ in macros if name not in _ACTING_FUNCTIONS] == []


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_and_the_session_lives(name: str, place: Path, session: Session) -> None:
    before = files(place)
    with pytest.raises(BigrecError) as caught:
        session.run(BOMBS[name]).fetchall()
    assert caught.value.exit_code in (3, 4, 5)
    assert files(place) == before
    assert session.run("SELECT count(*) FROM ratings").fetchall() == [(20_000,)]


def test_every_function_with_side_effects_has_been_thought_of(session: Session) -> None:
    harmless = {
        "current_connection_id", "current_query", "current_query_id", "current_transaction_id",
        "error", "gen_random_uuid", "random", "stats", "uuid", "uuidv4", "uuidv7", "vector_type",
    }  # fmt: skip
    found = session._connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE has_side_effects"
    ).fetchall()
    assert {name for (name,) in found} - harmless <= _ACTING_FUNCTIONS


def test_no_macro_or_view_of_the_engine_leads_to_what_is_refused(session: Session) -> None:
    # query_table reads a table or view by its name, as the histograms do with it.
    refused = {
        *_ACTING_FUNCTIONS - {"query_table"},
        "duckdb_logs",
        "duckdb_settings",
        "duckdb_secrets",
    }
    calls = re.compile(rf"\b(?:{'|'.join(sorted(refused))})\(")
    defined = session._connection.execute(
        "SELECT function_name, macro_definition, function_type FROM duckdb_functions() "
        "WHERE macro_definition IS NOT NULL UNION "
        "SELECT view_name, sql, 'view' FROM duckdb_views() WHERE internal"
    ).fetchall()
    dangerous = {(name, kind) for name, text, kind in defined if calls.search(text)}
    assert {name for name, _ in dangerous} == {
        "pg_sleep", "duckdb_logs", "duckdb_logs_parsed", "pg_settings", "duckdb_profiling_settings",
    }  # fmt: skip
    for name, kind in dangerous:
        query = f"SELECT {name}(1)" if kind == "macro" else f"FROM {name}"
        query += "('a')" if kind == "table_macro" else ""
        with pytest.raises(BigrecError, match="not allowed"):
            session.run(query)


def test_no_setting_tells_where_secrets_are(session: Session) -> None:
    found = session.run("SELECT bin FROM histogram_values(pg_settings, setting, bin_count := 500)")
    assert not [value for (value,) in found.fetchall() if str(Path.home()) in value]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e10])
def test_a_timeout_is_a_time(timeout: float, store_small: Path) -> None:
    with pytest.raises(BigrecError, match="timeout"):
        open_session(store_small, budget=Budget(), timeout=timeout)


def test_the_command_ends_in_time_even_where_the_engine_does_not_listen(store_small: Path) -> None:
    """One call over two long texts takes a minute, and nothing interrupts it."""
    ask = "SELECT levenshtein(repeat('a', 150000), repeat('b', 150000))"
    code = "from bigrec.cli.app import run; run()"
    command = [sys.executable, "-c", code, "sql", ask, "--timeout", "1", "--store"]
    done = subprocess.run([*command, str(store_small)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 4
    assert "took longer than 1 seconds" in done.stderr
