"""Where paths and budgets come from: flag, else BIGREC_* variable, else bigrec.toml, else default.

Only the command line reads settings; the library is told everything by its caller.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bigrec.errors import SettingsError
from bigrec.resources import Budget, parse_bytes

CONFIG_FILE: Final = "bigrec.toml"
DEFAULTS: Final[Mapping[str, str]] = {"store": "store", "runs": "runs", "memory": "1GiB"}
KEYS: Final = (*DEFAULTS, "threads", "temp_dir")


@dataclass(frozen=True)
class Settings:
    """The resolved settings of one command."""

    store: Path
    """The store's folder."""
    runs: Path
    """The folder that holds one folder a run."""
    budget: Budget
    """Memory, threads and scratch space."""


def resolve_settings(
    *,
    store: Path | None = None,
    runs: Path | None = None,
    memory: str | None = None,
    threads: int | None = None,
    environment: Mapping[str, str] | None = None,
    config_file: Path | None = None,
) -> Settings:
    """Merge flags, environment and bigrec.toml into settings.

    Args:
        store: the flag of this name; None where it is not given.
        runs: likewise.
        memory: likewise, a number with its unit.
        threads: likewise.
        environment: variables; the process's own if None.
        config_file: a TOML file with keys of KEYS; bigrec.toml of the working folder if None.

    Raises:
        SettingsError: a value or a key cannot be used.
    """
    environment = os.environ if environment is None else environment
    path = Path(CONFIG_FILE) if config_file is None else config_file
    config = _read_config(path)
    flags = {"store": store, "runs": runs, "memory": memory, "threads": threads}

    def value(key: str) -> object | None:
        variable = environment.get(f"BIGREC_{key.upper()}") or None  # an empty one is none
        for found in (flags.get(key), variable, config.get(key)):
            if found is not None:
                return found
        return DEFAULTS.get(key)

    temp_dir = value("temp_dir")
    options: dict[str, Any] = {"memory_bytes": parse_bytes(_text("memory", value("memory")))}
    if (n_threads := value("threads")) is not None:
        options["threads"] = _whole_number(n_threads)
    if temp_dir is not None:
        options["temp_dir"] = Path(_text("temp_dir", temp_dir))
    folders = (Path(_text(key, value(key))) for key in ("store", "runs"))
    store_folder, runs_folder = folders
    return Settings(store_folder, runs_folder, Budget(**options))


def _read_config(path: Path) -> Mapping[str, object]:
    try:
        if not os.path.lexists(path):
            return {}
        if not path.is_file():
            raise SettingsError(f"{path} is no file, expected settings", hint="rename it")
        config = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for key in config:
        if key not in KEYS:
            raise SettingsError.unknown_name(f"key in {path}", key, KEYS)
    return config


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", str(value)):
        raise SettingsError(f"expected a number of threads, found {value!r}")
    return int(str(value))


def _text(key: str, value: object) -> str:
    """A setting that is text, or a number with its unit.

    Raises:
        SettingsError: it is something else, or empty.
    """
    if not isinstance(value, str | int | Path) or isinstance(value, bool) or not str(value).strip():
        raise SettingsError(f"expected text as {key}, found {value!r}")
    return str(value)
