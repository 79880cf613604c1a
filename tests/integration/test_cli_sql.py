"""`bigrec sql`, `check`, `shell` and `catalog` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.support.sealing import seal_again

from bigrec.cli.app import main
from bigrec.store.layout import StoreLayout

Capture = pytest.CaptureFixture[str]
# Hours of work, so that only an interrupt ends it.
ENDLESS = "SELECT sum(sin(a.range) * b.range) FROM range(100000000) a, range(1000000) b"


def run_bigrec(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        bigrec_command(*argv),
        input=stdin.encode(),
        capture_output=True,
        check=False,
    )


def bigrec_command(*argv: str) -> list[str]:
    return [sys.executable, "-c", "from bigrec.cli.app import run; run()", *argv]


def test_a_query_prints_a_table(store_small: Path, capsys: Capture) -> None:
    assert main(["sql", "--store", str(store_small), "SELECT count(*) AS n FROM ratings"]) == 0
    assert capsys.readouterr().out == "    n\n-----\n20000\n(1 row)\n"


def test_parameters_and_files(store_small: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "question.sql"
    file.write_text(
        "-- param: low DOUBLE = 4\nSELECT count(*) AS n FROM ratings WHERE rating >= $low"
    )
    counts = []
    for arguments in (
        ["--file", str(file)],
        ["--file", str(file), "--param", "low=5"],
        ["SELECT count(*) AS n FROM ratings WHERE rating >= $low", "--param", "low=5"],
    ):
        assert main(["sql", "--store", str(store_small), "--format", "csv", *arguments]) == 0
        counts.append(int(capsys.readouterr().out.splitlines()[1]))
    assert counts[0] > counts[1] == counts[2] > 0


def test_a_query_of_the_library(store_small: Path, capsys: Capture) -> None:
    argv = ["sql", "--store", str(store_small), "--name", "most_rated_items", "--param", "top=3"]
    assert main([*argv, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 3
    assert list(rows[0]) == ["item_id", "title", "year", "n_ratings", "mean_rating"]


def test_the_library_is_listed(capsys: Capture) -> None:
    assert main(["sql", "--list"]) == 0
    assert "user_history" in capsys.readouterr().out
    assert main(["sql", "--list", "--json"]) == 0
    queries = json.loads(capsys.readouterr().out)["queries"]
    by_name = {query["name"]: query for query in queries}
    assert by_name["user_history"]["parameters"][0]["type"] == "USER"
    assert by_name["values_in_range"]["kind"] == "checks"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["SELECT * FROM ratngs"], 4, "did you mean ratings?"),
        (["DROP VIEW ratings"], 4, "DROP is not allowed"),
        (["COPY ratings TO 'x.csv'"], 4, "COPY is not allowed"),
        (["SELECT * FROM '/etc/passwd.csv'"], 4, "the store and nothing else"),
        ([], 2, "expected one query"),
        (["SELECT 1", "--name", "density"], 2, "expected one query"),
        (["--name", "densty"], 2, "density"),
        (["--name", "user_history"], 2, "needs a value for user_id"),
        (["SELECT 1", "--format", "xls"], 2, "unknown format"),
        (["SELECT 1", "--param", "x"], 2, "NAME=VALUE"),
        (["--file", "no-such-file.sql"], 2, "cannot be read"),
        (["SELECT 1", "--output", "/no/such/folder/x.csv"], 2, "cannot be written"),
    ],
)
def test_mistakes_are_explained(
    store_small: Path, capsys: Capture, arguments: list[str], code: int, words: str
) -> None:
    assert main(["sql", "--store", str(store_small), *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err.replace("\n", " ")


def test_output_files_take_their_format_from_their_name(store_small: Path, tmp_path: Path) -> None:
    ask = ["sql", "--store", str(store_small), "SELECT * FROM items ORDER BY item_id"]
    for suffix in ("csv", "ndjson", "parquet"):
        assert main([*ask, "--output", str(tmp_path / f"items.{suffix}")]) == 0
    n_items = len(pl.read_parquet(store_small / "items.parquet"))
    assert len(pl.read_csv(tmp_path / "items.csv")) == n_items
    assert len(pl.read_ndjson(tmp_path / "items.ndjson")) == n_items
    assert len(pl.read_parquet(tmp_path / "items.parquet")) == n_items
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".ndjson", ".parquet"]


def test_a_query_that_fails_leaves_the_output_as_it_was(store_small: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.csv"
    output.write_text("before")
    ask = ["sql", "--store", str(store_small), "--output", str(output)]
    assert main([*ask, "SELECT CAST(title AS INTEGER) FROM items"]) == 4
    assert output.read_text() == "before"
    assert list(tmp_path.iterdir()) == [output]


def test_output_into_the_store_is_refused(store_small: Path, capsys: Capture) -> None:
    inside = store_small / "ratings" / "part-99999.parquet"
    ask = ["sql", "--store", str(store_small), "FROM ratings", "--output", str(inside)]
    assert main(ask) == 2
    assert "lies in the store" in capsys.readouterr().err
    assert not inside.exists()


def test_stdout_is_clean_for_programs(store_small: Path) -> None:
    ask = ["sql", "--store", str(store_small), "FROM ratings", "--limit", "1000"]
    parquet = run_bigrec(*ask, "--format", "parquet")
    assert (parquet.returncode, parquet.stderr) == (0, b"")
    assert len(pq.read_table(io.BytesIO(parquet.stdout))) == 1000
    text = run_bigrec(*ask, "--format", "csv").stdout.decode()
    assert len(list(csv.DictReader(io.StringIO(text)))) == 1000
    failed = run_bigrec("sql", "--store", str(store_small), "SELEC 1")
    assert (failed.returncode, failed.stdout) == (4, b"")
    assert b"syntax error" in failed.stderr


@pytest.mark.parametrize("output_format", ["table", "csv", "parquet"])
def test_ctrl_c_stops_a_running_query(store_small: Path, output_format: str) -> None:
    argv = ["sql", "--store", str(store_small), ENDLESS, "--format", output_format]
    process = subprocess.Popen(
        bigrec_command(*argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until_busy(process)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=120)  # a busy machine takes its time
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == b""
    assert b"Traceback" not in err


def wait_until_busy(process: subprocess.Popen[bytes]) -> None:
    """Return when a process has used three seconds of CPU: far more than starting up takes."""
    ticks = os.sysconf("SC_CLK_TCK")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        if (int(fields[11]) + int(fields[12])) / ticks > 3:
            return
        time.sleep(0.05)
    pytest.fail("the query never got going")


def test_asking_loads_no_heavy_library(store_small: Path) -> None:
    argv = ["sql", "--store", str(store_small), "FROM ratings_by_user WHERE user_id = 7"]
    code = (
        "import sys; from bigrec.cli.app import main\n"
        f"assert main({argv!r}) == 0\n"
        "heavy = 'polars numba tensorflow keras altair numpy pyarrow pandas'.split()\n"
        "assert not set(heavy) & set(sys.modules), set(heavy) & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_check_passes_and_fails(store_small: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--store", str(store_small), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"]
    assert all(check["passed"] for check in report["checks"])

    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    part = StoreLayout(store).parts(store / "ratings")[0]
    rows = pl.read_parquet(part)
    rows[1:].write_parquet(part)
    assert main(["check", "--store", str(store)]) == 3
    assert "store_files_are_whole" in capsys.readouterr().err
    seal_again(store)  # a fault of the writer, not of the disk
    assert main(["check", "--store", str(store), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    failed = {check["name"]: check for check in report["checks"] if not check["passed"]}
    assert "counts_agree_with_manifest" in failed
    assert failed["items_agree_with_ratings"]["rows"][0]["item_id"] == rows["item_id"][0]
    assert main(["check", "--store", str(store)]) == 3
    printed = capsys.readouterr()
    assert "FAILED" in printed.out
    assert "checks failed" in printed.err


def test_check_finds_a_damaged_shard(store_small: Path, tmp_path: Path, capsys: Capture) -> None:
    store = tmp_path / "store"
    shutil.copytree(store_small, store)
    where = ["--store", str(store)]
    assert main(["split", "create", "s", "--materialize", *where]) == 0
    assert main(["check", *where]) == 0
    (store / "splits" / "s" / "shards" / "items.npy").unlink()
    capsys.readouterr()
    assert main(["check", *where]) == 3
    printed = capsys.readouterr()
    assert "s: shards_files_are_whole" in printed.err
    assert "items.npy" in printed.out


def test_a_catalog_opens_anywhere(store_small: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "ratings.duckdb"
    ask = ["catalog", "--store", str(store_small), "--output", str(output)]
    assert main([*ask, "--json"]) == 0
    assert "ratings_by_user" in json.loads(capsys.readouterr().out)["views"]
    with duckdb.connect(str(output), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM ratings").fetchall() == [(20_000,)]
        assert connection.execute("SELECT n_ratings FROM manifest").fetchall() == [(20_000,)]
    assert main(ask) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*ask, "--overwrite"]) == 0
    assert list(tmp_path.iterdir()) == [output]


def test_a_shell_answers_one_statement_after_the_other(store_small: Path) -> None:
    typed = "SELECT count(*) AS n\nFROM ratings;\nFROM ratngs;\nDROP VIEW items;\nSELECT 7 AS x"
    done = run_bigrec("shell", "--store", str(store_small), "--client", "plain", stdin=typed)
    assert done.returncode == 4  # of those that failed
    assert [line for line in done.stdout.decode().splitlines() if line.strip().isdigit()] == [
        "20000", "7",
    ]  # fmt: skip
    assert b"did you mean ratings?" in done.stderr
    assert b"DROP is not allowed" in done.stderr


def test_a_shell_of_an_unknown_client(store_small: Path, capsys: Capture) -> None:
    assert main(["shell", "--store", str(store_small), "--client", "psql"]) == 2
    assert "harlequin" in capsys.readouterr().err


SCRIPTS = {
    "several on a line": (b"SELECT 41 AS x; SELECT 42 AS x;\n", 0, ["41", "42"]),
    "the last without an end": (b"SELECT 41 AS x;\nSELECT 42 AS x", 0, ["41", "42"]),
    "lone semicolons": (b";\n;;\n -- ;\n/* ; */ ;\nSELECT 41 AS x;;", 0, ["41"]),
    "nothing": (b"", 0, []),
    "comments alone": (b"-- SELECT 1;\n/* SELECT 2; */", 0, []),
    "semicolons in text and names": (b"SELECT ';' AS \";\", 41 AS x;", 0, ["41"]),
    "semicolons in dollars": (b"SELECT $$;$$ AS t, 41 AS x; SELECT $a$;$a$, 42;", 0, ["41", "42"]),
    "semicolons in escaped text": (b"SELECT E'\\';' AS t, 41 AS x;", 0, ["41"]),
    "comments in comments": (b"SELECT /* ; /* ; */ ; */ 41 AS x; SELECT 42", 0, ["41", "42"]),
    "text over lines": (b"SELECT 'a;\nb' AS t, 41 AS x;\nSELECT 42", 0, ["41", "42"]),
    "CRLF": (b"SELECT 41 AS x;\r\n-- ;\r\nSELECT\r\n42 AS x;\r\n", 0, ["41", "42"]),
    "CR": (b"SELECT 41 AS x; -- one\rSELECT 42 AS x;", 0, ["41", "42"]),
    "a byte order mark": (b"\xef\xbb\xbfSELECT 41 AS x;\n", 0, ["41"]),
    "a NUL byte": (b"SELECT 40 \0;\nSELECT 41;", 4, ["41"]),
    "no UTF-8": (b"SELECT '\xe9;', 40;\nSELECT 41;", 4, ["41"]),
    "an open text": (b"SELECT 41; SELECT 'open; SELECT 40;", 4, ["41"]),
    "an open comment": (b"SELECT 41; SELECT 40 /* ;", 4, ["41"]),
    "a failure at the start": (b"SELEC 1; SELECT 41; SELECT 42;", 4, ["41", "42"]),
    "a failure at the end": (b"SELECT 41; DROP VIEW users", 4, ["41"]),
    "too long": (b"SELECT sum(hash(range)) FROM range(9000000000000);SELECT 41", 4, ["41"]),
    "left": (b"SELECT 41;\n.quit\nSELECT 42;", 0, ["41"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_run_to_its_end(name: str, store_small: Path) -> None:
    script, code, numbers = SCRIPTS[name]
    done = subprocess.run(
        bigrec_command("shell", "--client", "plain", "--store", str(store_small), "--timeout", "2"),
        input=script,
        capture_output=True,
        check=False,
    )
    words = dict.fromkeys(done.stdout.decode().split())  # a column is named as its value
    assert [word for word in words if word in ("40", "41", "42")] == numbers
    assert done.returncode == code, done.stderr
    assert (b"statement " in done.stderr) == bool(code)
    assert b"Traceback" not in done.stderr


def test_text_of_a_script_stays_as_it_is(store_small: Path) -> None:
    script = "\ufeffSELECT length('a\r\n\ufeffb') AS n;"
    done = run_bigrec("shell", "--client", "plain", "--store", str(store_small), stdin=script)
    assert "5" in done.stdout.decode().split()
