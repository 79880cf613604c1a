"""Where paths and budgets come from: flag, else BIGREC_* variable, else bigrec.toml, else default.

Only the command line reads settings; the library is told everything by its caller.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from bigrec.errors import SettingsError
from bigrec.resources import Budget, helpful_threads, parse_bytes

CONFIG_FILE: Final = "bigrec.toml"
DEFAULTS: Final[Mapping[str, str]] = {"store": "store", "runs": "runs", "memory": "1GiB"}
KEYS: Final = (*DEFAULTS, "threads", "temp_dir")

_LOG: Final = logging.getLogger(__name__)  # what nobody handles is written to stderr

Value = TypeVar("Value")


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
    threads: str | None = None,
    environment: Mapping[str, str] | None = None,
    config_file: Path | None = None,
) -> Settings:
    """Merge flags, environment and bigrec.toml into settings.

    Threads beyond what helps on this machine are left out, which is said to people once.

    Args:
        store: the flag of this name; None where it is not given.
        runs: likewise.
        memory: likewise, a number with its unit.
        threads: likewise, a whole number.
        environment: variables, of which an empty one is none; the process's own if None.
        config_file: a TOML file with keys of KEYS; bigrec.toml of the working folder if None.

    Raises:
        SettingsError: a value or a key cannot be used.
        ResourceError: the memory is too little to work in.
    """
    environment = os.environ if environment is None else environment
    path = Path(CONFIG_FILE) if config_file is None else config_file
    config = _read_config(path)
    flags = {"store": store, "runs": runs, "memory": memory, "threads": threads}

    def find(key: str) -> _Found | None:
        variable = f"BIGREC_{key.upper()}"
        for value, source in (
            (flags.get(key), f"--{key}"),
            (environment.get(variable) or None, variable),
            (config.get(key), f"{key} in {path}"),
            (DEFAULTS.get(key), f"the default of {key}"),
        ):
            if value is not None:
                return _Found(value, source)
        return None

    budget = Budget()
    for key, take in _BUDGET_KEYS.items():
        if found := find(key):
            budget = found.read(partial(take, budget))
    folders = [found.read(_read_path) for key in ("store", "runs") if (found := find(key))]
    return Settings(folders[0], folders[1], budget)


@dataclass(frozen=True)
class _Found:
    """The value of a setting, and where it was found."""

    value: object
    source: str

    def read(self, reader: Callable[[object], Value]) -> Value:
        """What the value means; errors name where it was found."""
        try:
            return reader(self.value)
        except SettingsError as error:
            raise SettingsError(f"{self.source}: {error.message}", hint=error.hint) from error


def _take_memory(budget: Budget, value: object) -> Budget:
    return replace(budget, memory_bytes=parse_bytes(_read_text(value)))


def _take_threads(budget: Budget, value: object) -> Budget:
    text = "" if isinstance(value, bool) else str(value)
    if not re.fullmatch(r"[+-]?[0-9]{1,300}", text):
        raise SettingsError(f"expected a number of threads, found {value!r}")
    given = replace(budget, threads=int(text)).threads
    helpful = helpful_threads(given)
    if helpful < given:
        _LOG.warning("%d threads: %d are used, more do not help on this machine", given, helpful)
    return replace(budget, threads=helpful)


def _take_temp_dir(budget: Budget, value: object) -> Budget:
    return replace(budget, temp_dir=_read_path(value))


_BUDGET_KEYS: Final = {
    "memory": _take_memory,
    "threads": _take_threads,
    "temp_dir": _take_temp_dir,
}


def _read_text(value: object) -> str:
    """Text, or a number that stands for it.

    Raises:
        SettingsError: it is something else, or empty.
    """
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise SettingsError(f"expected text, found {value!r}")
    return str(value)


def _read_path(value: object) -> Path:
    text = str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise SettingsError(f"expected a path, found {value!r}")
    return Path(text)


def _read_config(path: Path) -> Mapping[str, object]:
    try:
        if not os.path.lexists(path):
            return {}
        if not path.is_file():
            raise SettingsError(
                f"{path} is no file, expected settings", hint="rename it, or mend the link"
            )
        config = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    for key in config:
        if key not in KEYS:
            raise SettingsError.unknown_name(f"key in {path}", key, KEYS)
    return config
