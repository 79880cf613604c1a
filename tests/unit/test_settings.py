"""A flag beats a variable, which beats bigrec.toml, which beats the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from bigrec.errors import SettingsError
from bigrec.settings import resolve_settings


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
