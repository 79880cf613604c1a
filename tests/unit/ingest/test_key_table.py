"""Keys are numbered in the order of their first appearance, held against a dictionary."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from bigrec.ingest.key_file import KeyReader
from bigrec.ingest.key_table import KeyTable, Memory
from bigrec.sources.keys import KEY_PADDING, MAX_KEY_BYTES, Keys
from bigrec.workspace import Workspace

# On both sides of a word, of two words, and of the longest.
LENGTHS = (1, 2, 7, 8, 9, 15, 16, 17, 23, 24, 25, MAX_KEY_BYTES)


def keys_of(texts: list[str]) -> Keys:
    encoded = [text.encode() for text in texts]
    lengths = np.array([len(text) for text in encoded], np.int32)
    starts = (np.cumsum(lengths) - lengths).astype(np.int64)
    return Keys(np.frombuffer(b"".join(encoded) + bytes(KEY_PADDING), np.uint8), starts, lengths)


def texts_of(rng: random.Random, n: int) -> list[str]:
    return ["".join(rng.choices("ab0é", k=rng.choice(LENGTHS)))[:500] for _ in range(n)]


def test_ids_are_those_of_a_dictionary_and_keys_come_back(tmp_path: Path) -> None:
    rng = random.Random(1)
    pool = texts_of(rng, 9000)
    table, workspace = KeyTable(tmp_path / "keys", Memory(64 << 20)), Workspace()
    expected: dict[str, int] = {}
    for _ in range(12):
        texts = rng.choices(pool, k=4000)
        keys = keys_of(texts)
        ids = table.find(keys, workspace, "ids")
        known = [expected.get(text, 0) for text in texts]
        assert ids.tolist() == known
        table.add(keys, ids)
        for text in texts:
            expected.setdefault(text, len(expected) + 1)
        assert ids.tolist() == [expected[text] for text in texts]
    assert table.n_keys == len(expected)
    reader = KeyReader([table.file])
    assert reader.read(100).to_pylist() + reader.read(10**6).to_pylist() == list(expected)
    reader.close()
    table.file.close()
    assert not list(tmp_path.iterdir())


def test_keys_that_differ_in_one_byte_anywhere_are_not_the_same(tmp_path: Path) -> None:
    table, workspace = KeyTable(tmp_path / "keys", Memory(64 << 20)), Workspace()
    texts = [
        "a" * at + other + "a" * (length - at - 1)
        for length in LENGTHS
        for at in range(length)
        for other in "ab"
    ]
    keys = keys_of(texts)
    ids = table.find(keys, workspace, "ids")
    table.add(keys, ids)
    assert len(set(ids.tolist())) == len(set(texts))
    table.file.close()


@pytest.mark.parametrize("length", [5, 40])
def test_a_full_table_knows_what_it_has_and_takes_no_more(length: int, tmp_path: Path) -> None:
    table, workspace = KeyTable(tmp_path / "keys", Memory(1 << 18)), Workspace()
    texts = [f"{number:0{length}}" for number in range(50_000)]
    keys = keys_of(texts)
    ids = table.find(keys, workspace, "ids")
    table.add(keys, ids)
    n = table.n_keys
    assert table.is_full
    assert 0 < n < len(texts)
    assert ids.tolist() == [*range(1, n + 1), *[0] * (len(texts) - n)]
    again = table.find(keys_of(texts[n - 5 : n + 5]), workspace, "ids")
    assert again.tolist() == [*range(n - 4, n + 1), 0, 0, 0, 0, 0]
    table.file.close()
