"""Lists of users or items as people give them: by the keys of the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from bigrec.errors import RawFormatError, SplitError, StoreError
from bigrec.magic import HEAD_BYTES, TEXT, UNKNOWN, kind_of
from bigrec.schema import KEY
from bigrec.splits.spec import read_id_list
from bigrec.store.catalog import Catalog
from bigrec.store.vocabulary import UNKNOWN as UNKNOWN_ID
from bigrec.store.vocabulary import Key, Vocabulary, items_of

_SHOWN_IDS: Final = 5


def read_key_list(path: Path, vocabulary: Vocabulary, *headers: str) -> tuple[int, ...]:
    """The ids of the keys in a text file: one a line, after an optional header.

    Where keys are numbers, see `read_id_list`. Where they are texts nothing is trimmed; one that
    begins with a quote is written as in csv, as `bigrec sql --format csv` does. A byte order mark,
    empty lines, CR LF and repeated keys are forgiven.

    Args:
        path: the file.
        vocabulary: of the users or items of the store.
        headers: what else than the name of the column the header may say.

    Raises:
        RawFormatError: a line is no key.
        SplitError: the store does not have a key.
        StoreError: the file cannot be read, is no text, or holds no key.
    """
    keys: Sequence[Key]
    if vocabulary.has_keys:
        keys = _read_texts(path, vocabulary.id_column, headers)
    else:
        keys = read_id_list(path, vocabulary.id_column, *headers)
    try:
        return require_ids(vocabulary, keys)
    except SplitError as error:
        raise SplitError(f"{path}: {error.message}", hint=error.hint) from error


def read_item_list(path: Path, catalog: Catalog) -> tuple[int, ...]:
    """`read_key_list` for items; a header may have the name that the source has for them.

    Args:
        path: the file.
        catalog: the store.

    Raises:
        DataError: as there.
    """
    return read_key_list(path, items_of(catalog), f"{catalog.manifest.item_name}_id")


def _read_texts(path: Path, column: str, headers: Sequence[str]) -> list[str]:
    """The keys in a file, each once."""
    hint = f"write one {column} a line, as bigrec sql with --format csv does"
    try:
        with path.open("rb") as raw:
            kind = kind_of(raw.read(HEAD_BYTES))
        if kind not in (TEXT, UNKNOWN):
            raise StoreError(f"{path} is {kind}, expected text", hint=hint)
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            keys = dict.fromkeys(_read_keys(file, path, (column, KEY, *headers), hint))
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{path} is no text in UTF-8", hint=hint) from error
    if not keys:
        raise StoreError(f"{path} lists no {column}", hint=hint)
    return list(keys)


def _read_keys(file: TextIO, path: Path, headers: Sequence[str], hint: str) -> Iterator[str]:
    number = 0
    for line in file:
        number += 1
        first, text = number, line
        if text.startswith('"'):
            while text.count('"') % 2 and (more := file.readline()):  # a key may hold line ends
                number += 1
                text += more
            inside = _without_end(text)[1:]
            if not inside.endswith('"') or '"' in inside[:-1].replace('""', ""):
                expected = f"one {headers[0]} a line, with its quotes closed"
                raise RawFormatError(path, first, line.rstrip("\n"), expected, hint=hint)
            yield inside[:-1].replace('""', '"')
        elif (text := _without_end(text)) and not (first == 1 and text in headers):
            yield text


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def require_ids(vocabulary: Vocabulary, keys: Sequence[Key]) -> tuple[int, ...]:
    """The ids of keys that must be there, ascending.

    Args:
        vocabulary: of the users or items of a store.
        keys: each of another user or item.

    Raises:
        SplitError: the store does not have one of them.
    """
    ids = vocabulary.ids_of(keys)
    known = ids != UNKNOWN_ID if vocabulary.has_keys else vocabulary.has(ids)
    if not known.all():
        unknown = [keys[index] for index in np.flatnonzero(~known).tolist()]
        raise unknown_ids(unknown, len(keys), vocabulary.id_column)
    return tuple(np.unique(ids).tolist())


def unknown_ids(unknown: Sequence[Key], n_listed: int, column: str) -> SplitError:
    """The error for ids on a list that the store does not have.

    Args:
        unknown: as in the source.
        n_listed: how many the list has.
        column: user_id or item_id.
    """
    shown = ", ".join(map(str, unknown[:_SHOWN_IDS]))
    return SplitError(
        f"{len(unknown):,} of {n_listed:,} listed ids are no {column} of the store: "
        f"{shown}{', …' if len(unknown) > _SHOWN_IDS else ''}",
        hint="take them off the list",
    )
