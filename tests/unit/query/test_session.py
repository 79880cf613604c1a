"""A session answers, says helpfully why it does not, and cannot be made to do anything else."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from tests.support.sealing import seal_again

from bigrec.errors import BigrecError, QueryError, ResourceError, StoreError
from bigrec.query.session import Session, open_session
from bigrec.resources import Budget
from bigrec.store.layout import StoreLayout
from bigrec.store.manifest import read_manifest


def files_of(store: Path) -> set[tuple[str, int, int]]:
    """Every file around a store with its size and time of change."""
    files = [path for path in store.parent.rglob("*") if path.is_file()]
    return {(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files}


class TestAnswers:
    def test_every_view_is_there(self, session: Session, store: Path) -> None:
        manifest = read_manifest(StoreLayout(store))
        for view, n_rows in {
            "ratings": manifest.n_ratings,
            "ratings_by_user": manifest.n_ratings,
            "users": manifest.n_users,
            "items": manifest.n_items,
            "probe": manifest.n_probe,
            "qualifying": manifest.n_qualifying,
            "manifest": 1,
        }.items():
            assert session.run(f"SELECT * FROM {view}").count() == n_rows, view

    def test_columns_and_types(self, session: Session) -> None:
        result = session.run("SELECT * FROM ratings")
        assert result.columns == ["item_id", "user_id", "rating", "date", "movie_id"]
        assert result.types == ["INTEGER", "INTEGER", "FLOAT", "DATE", "INTEGER"]

    def test_parameters_are_values_and_not_text(self, session: Session) -> None:
        query = "SELECT $text AS text, $number + 1 AS number"
        found = session.run(query, {"text": "'; DROP VIEW ratings; --", "number": 1}).fetchall()
        assert found == [("'; DROP VIEW ratings; --", 2)]

    def test_every_way_of_reading_gives_the_same_rows(self, session: Session) -> None:
        result = session.run("SELECT * FROM ratings ORDER BY user_id, item_id LIMIT 1000")
        rows = result.fetchall()
        assert [row for batch in result.row_batches() for row in batch] == rows
        assert result.pl().rows() == rows
        schema, batches = result.batches()
        assert schema.names == result.columns
        assert [tuple(row.values()) for batch in batches for row in batch.to_pylist()] == rows
        assert result.limit(7).fetchall() == rows[:7]
        assert result.count() == 1000

    def test_a_result_can_be_read_while_another_query_runs(self, session: Session) -> None:
        first = session.run("SELECT * FROM range(200000)").row_batches()
        n_rows = len(next(first))
        assert session.run("SELECT count(*) FROM items").fetchall()[0][0] > 0
        assert n_rows + sum(len(batch) for batch in first) == 200_000

    @pytest.mark.parametrize(
        "query",
        [
            "FROM items",
            "TABLE items",
            "VALUES (1), (2)",
            "WITH m AS (SELECT * FROM items) SELECT * FROM m",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9) FROM t",
            "SELECT 1 UNION SELECT 2",
            "DESCRIBE ratings",
            "SUMMARIZE items",
            "SHOW TABLES",
            "EXPLAIN SELECT * FROM ratings",
            "EXPLAIN ANALYZE SELECT * FROM items",
            "-- why\nEXPLAIN /* how */ (FORMAT json) SELECT 1;",
            "PIVOT items ON year IN (1999, 2000) USING count(*)",
            "SELECT unnest([1, 2, 3])",
            "SELECT 1; -- the end",
        ],
    )
    def test_reading_statements_pass(self, session: Session, query: str) -> None:
        assert session.run(query).fetchall()

    def test_a_store_whose_path_looks_like_a_pattern(self, store: Path, tmp_path: Path) -> None:
        odd = tmp_path / "it's [a] *store?"
        shutil.copytree(store, odd)
        with open_session(odd, budget=Budget()) as session:
            assert session.run("FROM ratings").count() == session.manifest.n_ratings

    def test_a_store_can_be_moved(self, store: Path, tmp_path: Path) -> None:
        shutil.copytree(store, tmp_path / "here")
        (tmp_path / "here").rename(tmp_path / "there")
        with open_session(tmp_path / "there", budget=Budget()) as session:
            assert session.run("FROM ratings").count() == session.manifest.n_ratings

    def test_tables_that_a_source_lacks_are_empty(self, store: Path, tmp_path: Path) -> None:
        shutil.copytree(store, tmp_path / "store")
        (tmp_path / "store" / "probe.parquet").unlink()
        seal_again(tmp_path / "store")
        with open_session(tmp_path / "store", budget=Budget()) as session:
            assert session.run("SELECT item_id, user_id FROM probe").fetchall() == []


class TestSafety:
    @pytest.mark.parametrize(
        "query",
        [
            "SELECT * FROM read_csv('{outside}/secret.csv')",
            "SELECT * FROM '{outside}/secret.csv'",
            "SELECT * FROM '{store}/../secret.csv'",
            "SELECT * FROM '{store}/way-out.csv'",
            "SELECT * FROM read_text('{outside}/secret.csv')",
            "SELECT * FROM read_blob('/etc/passwd')",
            "SELECT * FROM glob('{outside}/*')",
            "SELECT * FROM sniff_csv('{outside}/secret.csv')",
            "SELECT * FROM read_parquet('{outside}/store-of-others/items.parquet')",
            "SELECT * FROM parquet_metadata('{outside}/store-of-others/items.parquet')",
            "SELECT * FROM duckdb_secrets()",
            "SELECT getenv('HOME')",
        ],
    )
    def test_no_other_file_can_be_read(self, session: Session, store: Path, query: str) -> None:
        with pytest.raises(QueryError):
            session.run(query.format(outside=store.parent, store=store)).fetchall()

    @pytest.mark.parametrize("scheme", ["http", "https", "s3", "gcs", "hf"])
    def test_the_network_is_out_of_reach(self, session: Session, scheme: str) -> None:
        with pytest.raises(QueryError):
            session.run(f"SELECT * FROM '{scheme}://localhost/a.parquet'").fetchall()
        with pytest.raises(QueryError):
            session.run(f"SELECT * FROM read_parquet('{scheme}://localhost/a')").fetchall()

    @pytest.mark.parametrize(
        "query",
        [
            "COPY (SELECT 1) TO '{store}/x.csv'",
            "COPY (SELECT 1) TO '{outside}/x.csv'",
            "WITH x AS (COPY (SELECT 1) TO '{store}/x.csv') FROM x",
            "SELECT (WITH x AS (COPY (SELECT 1) TO '{store}/x.csv') SELECT 1)",
            "EXPLAIN ANALYZE COPY (SELECT 1) TO '{store}/x.csv'",
            "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{store}/x.csv'",
            "/* */ EXPLAIN -- x\n ANALYZE WITH x AS (COPY (SELECT 1) TO '{store}/x.csv') FROM x",
            "FROM query('WITH x AS (COPY (SELECT 1) TO ''{store}/x.csv'') FROM x')",
            "FROM enable_logging('QueryLog', storage = 'file', storage_path = '{store}/log')",
            "CALL enable_logging(storage = 'file', storage_path = '{store}/log')",
            "EXPORT DATABASE '{store}/x'",
            "ATTACH '{store}/x.duckdb'",
            "ATTACH '{outside}/x.duckdb'",
            "CREATE TABLE x AS SELECT 1",
            "CREATE OR REPLACE VIEW ratings AS SELECT 1",
            "DROP VIEW ratings",
            "INSERT INTO items VALUES (1)",
            "WITH x AS (DELETE FROM items RETURNING *) FROM x",
            "UPDATE items SET title = ''",
            "BEGIN",
            "CHECKPOINT",
            "FROM force_checkpoint()",
            "VACUUM",
            "PREPARE x AS SELECT 1",
            "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        ],
    )
    def test_nothing_can_be_written(self, session: Session, store: Path, query: str) -> None:
        before = files_of(store)
        with pytest.raises(QueryError) as caught:
            session.run(query.format(outside=store.parent, store=store)).fetchall()
        assert caught.value.exit_code == 4
        assert files_of(store) == before

    @pytest.mark.parametrize(
        "query",
        [
            "SET memory_limit = '100GB'",
            "SET enable_external_access = true",
            "RESET lock_configuration",
            "PRAGMA threads = 64",
            "PRAGMA enable_profiling",
            "USE memory",
            "LOAD httpfs",
            "INSTALL httpfs",
            "INSTALL httpfs FROM community",
        ],
    )
    def test_the_configuration_is_locked(self, session: Session, query: str) -> None:
        with pytest.raises(QueryError):
            session.run(query)

    def test_the_engine_itself_is_locked_too(self, session: Session, store: Path) -> None:
        connection = session._connection.cursor()
        for query in (
            "SET enable_external_access = true",
            "SET allowed_directories = ['/']",
            "SET threads = 64",
            "LOAD httpfs",
            "INSTALL httpfs",
            f"COPY (SELECT 1) TO '{store.parent}/x.csv'",
            f"ATTACH '{store.parent}/x.duckdb'",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)

    @pytest.mark.parametrize("query", ["", "  ", "-- nothing", "SELECT 1; SELECT 2"])
    def test_exactly_one_statement(self, session: Session, query: str) -> None:
        with pytest.raises(QueryError, match="exactly one statement"):
            session.run(query)

    def test_python_variables_are_no_tables(self, session: Session) -> None:
        numbers = [1, 2, 3]
        with pytest.raises(QueryError):
            session.run("SELECT * FROM numbers").fetchall()
        assert len(numbers) == 3

    def test_the_budget_is_the_limit(self, store: Path, tmp_path: Path) -> None:
        budget = Budget(memory_bytes=300 << 20, threads=1, temp_dir=tmp_path / "scratch")
        with open_session(store, budget=budget) as session:
            settings = dict(
                session._connection.execute(
                    "SELECT name, value FROM duckdb_settings() "
                    "WHERE name IN ('memory_limit', 'threads', 'temp_directory')"
                ).fetchall()
            )
        assert settings["memory_limit"] == "112.0 MiB"
        assert settings["threads"] == "1"
        assert settings["temp_directory"].startswith(str(tmp_path / "scratch" / "bigrec-scratch-"))

    def test_a_query_that_spills_uses_the_budgets_folder_and_cleans_up(
        self, store: Path, tmp_path: Path
    ) -> None:
        budget = Budget(memory_bytes=256 << 20, threads=2, temp_dir=tmp_path)
        query = "SELECT range, md5(range::VARCHAR) AS text FROM range(3000000) ORDER BY text"
        with open_session(store, budget=budget) as session:
            batches = session.run(query).row_batches()
            n_rows = len(next(batches))
            assert list(tmp_path.glob("bigrec-scratch-*/*"))
            assert n_rows + sum(len(batch) for batch in batches) == 3_000_000
        assert list(tmp_path.iterdir()) == []

    def test_a_query_beyond_the_budget_is_a_resource_error(self, store: Path) -> None:
        with (
            open_session(store, budget=Budget(memory_bytes=256 << 20)) as session,
            pytest.raises(ResourceError, match="memory") as caught,
        ):
            session.run("SELECT list(range || repeat('x', 100)) FROM range(10000000)").fetchall()
        assert "--memory" in caught.value.hint


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "nearest"),
        [
            ("SELECT * FROM ratngs", "did you mean ratings?"),
            ("SELECT * FROM Item", "did you mean items?"),
            ("SELECT titel FROM items", "did you mean title?"),
            ("SELECT item.title FROM items", "did you mean items?"),
            ("SELECT m.raitng FROM ratings m", "did you mean rating?"),
        ],
    )
    def test_a_misspelt_name_is_told_its_nearest(
        self, session: Session, query: str, nearest: str
    ) -> None:
        with pytest.raises(QueryError) as caught:
            session.run(query)
        assert nearest in caught.value.hint

    def test_the_engines_own_words_are_kept(self, session: Session) -> None:
        with pytest.raises(QueryError, match="syntax error") as caught:
            session.run("SELEC 1")
        assert "LINE 1: SELEC 1" in caught.value.message

    def test_errors_at_run_time_are_translated(self, session: Session) -> None:
        with pytest.raises(QueryError, match="Conversion"):
            session.run("SELECT CAST(title AS INTEGER) FROM items").fetchall()

    def test_a_missing_parameter(self, session: Session) -> None:
        with pytest.raises(QueryError, match="user"):
            session.run("SELECT * FROM users WHERE user_id = $user")

    def test_no_store(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no store"):
            open_session(tmp_path, budget=Budget())

    @pytest.mark.parametrize("lost", ["ratings", "items.parquet", "users.parquet"])
    def test_a_store_that_lost_a_file(self, store: Path, tmp_path: Path, lost: str) -> None:
        shutil.copytree(store, tmp_path / "store")
        path = tmp_path / "store" / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(StoreError, match="missing"):
            open_session(tmp_path / "store", budget=Budget())

    @pytest.mark.parametrize("moved", ["items.parquet", "ratings"])
    def test_a_store_that_links_to_files_elsewhere(
        self, store: Path, tmp_path: Path, moved: str
    ) -> None:
        copy = shutil.copytree(store, tmp_path / "store")
        elsewhere = (copy / moved).rename(tmp_path / moved)
        (copy / moved).symlink_to(elsewhere)
        with pytest.raises(StoreError, match=f"{copy / moved} to {elsewhere}"):
            open_session(copy, budget=Budget())
        whole = tmp_path / "whole"
        whole.symlink_to(store)
        with open_session(whole, budget=Budget()) as session:
            assert session.run("FROM items").count() > 0

    def test_a_store_with_a_broken_file(self, store: Path, tmp_path: Path) -> None:
        shutil.copytree(store, tmp_path / "store")
        (tmp_path / "store" / "items.parquet").write_bytes(b"no parquet")
        with pytest.raises(BigrecError) as caught:
            open_session(tmp_path / "store", budget=Budget())
        assert caught.value.exit_code == 3
