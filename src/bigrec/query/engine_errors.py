"""The engine's errors as errors of bigrec, with its own text and the nearest valid name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

import duckdb

from bigrec.errors import BigrecError, QueryError, ResourceError, StoreError, is_full_disk

_NO_TABLE: Final = re.compile(
    r"Table with name \"?([^\s\"]+)\"? does not exist|Referenced table \"([^\"]+)\" not found"
)
_NO_COLUMN: Final = re.compile(
    r"Referenced column \"([^\"]+)\" not found|Values list .* does not have a column named"
    r" \"([^\"]+)\"|does not have a column named \"([^\"]+)\""
)
# What its Parquet reader says of damage, in errors of many classes.
_OF_A_FILE: Final = re.compile(
    r"\.parquet['\"]|No magic bytes|TProtocol|ZSTD Decompression|Snappy|Corrupt|Invalid thrift"
    r"|don't know what type|TType|page offset|Out of buffer",
    re.IGNORECASE,
)
_NO_ROOM_TO_SPILL: Final = re.compile(r"bigrec-scratch-|max_temp_directory_size")
# The engine's own guesses name internal tables or list only part of the columns.
_GUESS: Final = re.compile(
    r"^(?:Did you mean|Candidate bindings|Candidate tables).*\n*", re.MULTILINE
)


def translate_error(error: duckdb.Error, columns: Mapping[str, Iterable[str]]) -> BigrecError:
    """Make the error that bigrec raises in place of one of the engine.

    Args:
        error: what the engine raised.
        columns: the columns of every view, for the nearest name.
    """
    text = str(error).strip().expandtabs(4)
    if is_full_disk(error) or _NO_ROOM_TO_SPILL.search(text):
        return ResourceError(
            f"the query found no room to spill: {text.splitlines()[0]}",
            hint="name a folder with room: BIGREC_TEMP_DIR, or temp_dir in bigrec.toml",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return ResourceError(
            f"the query does not fit its memory budget: {text}",
            hint="give more with --memory, or ask for less: fewer columns, groups or rows",
        )
    if isinstance(error, duckdb.PermissionException):
        return QueryError(text, hint="a query can read the store and nothing else")
    if isinstance(error, duckdb.IOException | duckdb.SerializationException) or (
        _OF_A_FILE.search(text)
    ):
        return StoreError(text, hint="bigrec check tells whether the store is whole")
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return QueryError(
            f"the engine failed: {text}", hint="this is a fault of the engine; ask otherwise"
        )
    if found := _NO_TABLE.search(text):
        name = next(filter(None, found.groups()))
        return QueryError(_without_guess(text), hint=_nearest(name, columns))
    if found := _NO_COLUMN.search(text):
        name = next(filter(None, found.groups()))
        every_column = dict.fromkeys(column for table in columns.values() for column in table)
        return QueryError(_without_guess(text), hint=_nearest(name, every_column))
    return QueryError(text)


def _without_guess(text: str) -> str:
    return _GUESS.sub("", text).strip()


def _nearest(found: str, valid: Iterable[str]) -> str:
    names = sorted(valid)
    nearest = difflib.get_close_matches(found.lower(), names, n=1)
    guess = f"did you mean {nearest[0]}? " if nearest else ""
    return f"{guess}there are: {', '.join(names)}"
