"""A flag beats a variable, which beats bigrec.toml, which beats the default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bigrec import resources
from bigrec.errors import SettingsError
from bigrec.resources import Budget
from bigrec.settings import KEYS, resolve_settings


def test_precedence(tmp_path: Path) -> None:
    config = tmp_path / "bigrec.toml"
    config.write_text('store = "from-file"\nmemory = "2GiB"\nthreads = 3\n')
    environment = {"BIGREC_STORE": "from-variable", "BIGREC_THREADS": "2"}
    settings = resolve_settings(environment={}, config_file=tmp_path / "none.toml")
    assert (settings.store, settings.runs) == (Path("store"), Path("runs"))
    assert settings.budget.memory_bytes == 1 << 30
    settings = resolve_settings(environment={}, config_file=config)
    assert (settings.store, settings.budget.threads) == (Path("from-file"), 3)
    settings = resolve_settings(environment=environment, config_file=config)
    assert (settings.store, settings.budget.threads) == (Path("from-variable"), 2)
    assert settings.budget.memory_bytes == 2 << 30
    settings = resolve_settings(store=Path("flag"), environment=environment, config_file=config)
    assert settings.store == Path("flag")


def test_unknown_keys_and_broken_files_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "bigrec.toml"
    config.write_text("stoer = 1")
    with pytest.raises(SettingsError) as error:
        resolve_settings(environment={}, config_file=config)
    assert "'store'" in error.value.hint
    config.write_text("store = ")
    with pytest.raises(SettingsError, match="cannot be read"):
        resolve_settings(environment={}, config_file=config)
    with pytest.raises(SettingsError, match="number of threads"):
        resolve_settings(environment={"BIGREC_THREADS": "x"}, config_file=tmp_path / "no.toml")


@pytest.mark.parametrize(
    "content",
    [
        b"store = 1",
        b"store = []",
        b"store = ''",
        b"runs = true",
        b"runs = 2020-01-01",
        b'store = "a\\u0000b"',
        b"[store]\npath = 'x'",
        b"memory = ''",
        b"memory = 0",
        b"memory = -1",
        b"memory = 1.5",
        b"memory = nan",
        b"memory = true",
        b"memory = ['1GiB']",
        b"memory = '99999999999999999999TiB'",
        b"threads = 0",
        b"threads = 2.0",
        b"threads = true",
        b"threads = 'two'",
        b"threads = [2]",
        b"threads = 100000",
        b"threads = 99999999999999999999999999",
        b"temp_dir = 1",
        b"temp_dir = ''",
        b"temp_dir = 2020-01-01T00:00:00Z",
        b"thread = 2",
        b"threads = 2\nthreads = 3",
        b"store =",
        b"store = '\xe9'",
        b"a = " + b"[" * 5000,
        b"\xff\xfes\x00",
    ],
)
def test_odd_lines_are_refused_with_the_name_of_the_file(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "bigrec.toml"
    config.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environment={}, config_file=config)
    assert str(config) in caught.value.message


@pytest.mark.parametrize("what", ["folder", "pipe", "link to nowhere", "link to itself"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, what: str) -> None:
    config = tmp_path / "bigrec.toml"
    if what == "folder":
        config.mkdir()
    elif what == "pipe":
        os.mkfifo(config)
    else:
        config.symlink_to(tmp_path / ("nothing" if what == "link to nowhere" else "bigrec.toml"))
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environment={}, config_file=config)
    assert str(config) in caught.value.message


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "bigrec.toml"
    config.write_bytes(b"\xef\xbb\xbfmemory = 536870912\r\nthreads = '2'\r\n")
    budget = resolve_settings(environment={}, config_file=config).budget
    assert (budget.memory_bytes, budget.threads) == (512 << 20, 2)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("threads", text)
            for text in ("0", "-1", "2.5", "nan", "²", "٣", "1_0", " ", "1025", "x")
        ),
        *(("memory", text) for text in ("0", "-1GiB", "nan", "1e400", "²GiB", "٣GiB", " ", "1XB")),
        *(("memory", text) for text in ("2EiB", "99999999999999999999TiB", "9" * 299)),
        *((key, " ") for key in ("store", "runs", "temp_dir")),
    ],
)
def test_odd_variables_are_refused_by_name(tmp_path: Path, key: str, value: str) -> None:
    variable = f"BIGREC_{key.upper()}"
    with pytest.raises(SettingsError) as caught:
        resolve_settings(environment={variable: value}, config_file=tmp_path / "none")
    assert variable in caught.value.message


def test_empty_variables_are_none(tmp_path: Path) -> None:
    empty = {f"BIGREC_{key.upper()}": "" for key in KEYS}
    found = resolve_settings(environment=empty, config_file=tmp_path / "none")
    assert found == resolve_settings(environment={}, config_file=tmp_path / "none")


def test_threads_beyond_what_helps_are_left_out_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resources, "available_cores", lambda: 3)
    for given, used in (("3", 3), ("12", 12), ("13", 12), ("1024", 12)):
        caplog.clear()
        found = resolve_settings(environment={}, threads=given, config_file=tmp_path / "none")
        assert found.budget.threads == used
        assert len(caplog.messages) == (int(given) > used)
    assert Budget(threads=1024).threads == 1024
