"""Whatever stands behind stdout and stderr, nothing is lost without a word, and nothing crashes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bigrec.cli import console

BIGREC = str(Path(sys.executable).with_name("bigrec"))


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which $B is bigrec."""
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, capture_output=True,
        env={**os.environ, "B": BIGREC, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "store").symlink_to(store_small)
    return folder


ASK = {
    "csv": 'sql "FROM ratings" --format csv',
    "table": 'sql "FROM items"',
    "json": "info --json",
    "fields": "info",
    "rich table": "sql --list",
    "help": "sql --help",
    "help of all": "--help",
    "checks": "check",
    "parquet": 'sql "FROM ratings" --format parquet',
    "shell": "shell --client plain <<< 'FROM items;'",
}


@pytest.mark.parametrize("ask", ASK.values(), ids=list(ASK))
def test_a_full_disk_behind_stdout_is_an_error(ask: str, place: Path) -> None:
    done = shell(f"$B {ask} > /dev/full", place)
    assert done.returncode == 5, done.stderr
    assert b"error: stdout takes no more" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("ask", ASK.values(), ids=list(ASK))
def test_a_reader_that_goes_away_ends_it_quietly(ask: str, place: Path) -> None:
    done = shell(f"$B {ask} | true; exit ${{PIPESTATUS[0]}}", place)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("ask", [ASK[name] for name in ("csv", "json", "rich table", "help")])
def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_none(ask: str, place: Path) -> None:
    done = shell(f"$B {ask} >&-", place)
    assert done.returncode == 5
    assert b"stdout takes no more" in done.stderr
    done = shell(f"$B {ask} 2>&- 0<&-", place)
    assert done.returncode == 0
    assert len(done.stdout) > 100


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_words_that_stderr_does_not_take_change_no_exit_code(stderr: str, place: Path) -> None:
    for ask, code in (
        ("info --store nope", 3), ("nope", 2), ("sql 'SELEC 1'", 4), ("sql 'SELECT 1'", 0),
        ("split list", 0), ("info --threads 0", 2),
    ):  # fmt: skip
        assert shell(f"$B {ask} {stderr}", place).returncode == code, ask


def test_a_working_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    for ask in ("info", "split list", "synth x --ratings 1000", "check", "ingest raw"):
        (tmp_path / "gone").mkdir()
        done = shell(f"rmdir $PWD; $B {ask}", tmp_path / "gone")
        assert done.returncode in (2, 3), done.stderr
        assert b"Traceback" not in done.stderr
        assert done.stderr.startswith(b"error: ")


def test_with_all_streams_closed_files_are_whole(place: Path, tmp_path: Path) -> None:
    output = tmp_path / "r.csv"
    ask = f'$B sql "FROM ratings" --output {shlex.quote(str(output))} 0<&- 1>&- 2>&-'
    assert shell(ask, place).returncode == 0
    assert len(output.read_text().splitlines()) == 20_001


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_text_of_any_kind_passes_streams_of_any_encoding(encoding: str, place: Path) -> None:
    ask = """SELECT 'Amélie 千と千尋 😀' AS "títle" """
    for form in ("table", "csv", "json"):
        done = shell(f"$B sql {shlex.quote(ask)} --format {form}", place, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        assert "Amélie 千と千尋 😀" in done.stdout.decode()
    done = shell(
        "$B sql \"SELECT '千' FROM nowhére\"", place, PYTHONIOENCODING=encoding, LC_ALL="C"
    )
    assert done.returncode == 4
    assert b"Traceback" not in done.stderr


def test_names_with_stray_bytes_are_shown_as_escapes(place: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"st\xffray")
    (tmp_path / name).symlink_to(place / "store")
    for ask in ("info --store", "sql 'FROM items' --store", "ingest raw --store"):
        done = shell(f"$B {ask} $'st\\xffray'", tmp_path)
        assert done.returncode in (2, 3), done.stderr
    done = shell("$B info --store $'st\\xffray'", tmp_path)
    assert done.returncode == 2
    assert b"st\\udcffray has bytes in its name that are no UTF-8" in done.stderr
    for ask in ("catalog", "sql 'FROM items'"):
        done = shell(f"$B {ask} --output $'c\\xff.csv'", place)
        assert done.returncode == 2, done.stderr


def test_control_characters_of_data_do_not_reach_a_terminal(place: Path) -> None:
    done = shell("$B sql \"SELECT chr(27) || '[31mred' || chr(10) || 'two' AS x\"", place)
    assert b"\x1b" not in done.stdout
    assert len(done.stdout.splitlines()) == 4  # heading, rule, row, count
    done = shell("$B info --store $'a\\n\\e[31mb'", place)
    assert b"\x1b" not in done.stderr


def test_lines_and_directions_of_unicode_do_not_break_a_row(place: Path) -> None:
    for number in (0x2028, 0x2029, 0x85, 0x0B, 0x0C, 0x1C, 0x202E):
        done = shell(f"$B sql \"SELECT 'a' || chr({number}) || 'b' AS x\"", place)
        assert len(done.stdout.decode().splitlines()) == 4, number


def test_a_title_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    title = "Like [war witch] [/b] :smile: \\ \u2028 " + "very " * 60 + "long"
    console.print_table(("a", "b"), [(1, "x"), (2, "y [bold]z")], title=title)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0] == title.replace("\u2028", "\\u2028")
    assert lines[3].split() == ["2", "y", "[bold]z"]


@pytest.mark.parametrize("columns", ["0", "1", "-5", "x", ""])
def test_words_do_not_depend_on_the_width_of_a_terminal(columns: str, place: Path) -> None:
    done = shell("$B info --store none", place, COLUMNS=columns)
    assert b"error: there is no store at none" in done.stderr


def test_a_query_and_its_parameters_are_text_in_any_language(place: Path) -> None:
    done = shell("$B sql 'SELECT $p AS \"ü\"' --param p=é --format csv", place,
                 LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")  # fmt: skip
    assert done.stdout.decode() == "ü\né\n", done.stderr


def test_what_begins_like_an_option_is_told_how_to_be_given(place: Path) -> None:
    for ask in ('sql "-1"', 'sql "- 1"', "recommend mf -5"):
        done = shell(f"$B {ask}", place)
        assert done.returncode == 2
        assert b"goes behind --" in done.stderr
    assert shell("$B sql -- -1", place).returncode == 4


@pytest.mark.parametrize("query", ["-- only words", "/* */", ";", " ; -- x", "", " "])
def test_a_query_of_comments_alone_is_no_query(query: str, place: Path) -> None:
    done = shell(f"$B sql {shlex.quote(query)}", place)
    assert done.returncode == 4
    assert b"found none" in done.stderr


def test_text_of_a_script_is_never_changed(place: Path) -> None:
    done = shell("printf \"SELECT '\\xe9';\\nSELECT 42;\\n\" | $B shell --client plain", place)
    assert done.returncode == 4
    assert b"no UTF-8" in done.stderr
    assert b"42" in done.stdout


def test_a_query_may_begin_with_a_comment(place: Path) -> None:
    done = shell("$B sql $'-- how many\\nSELECT 41 + 1 AS n' --format csv", place)
    assert done.stdout == b"n\n42\n", done.stderr
    for comment in ("--how many", "--", "--=", "--how-many", "---- x ----", "--é"):
        done = shell(f"$B sql $'{comment}\\nSELECT 41 + 1 AS n' --format csv", place)
        assert done.stdout == b"n\n42\n", (comment, done.stderr)
