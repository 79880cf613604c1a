"""Ids that are texts, looked up in a graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bigrec.models import serving

KEYS = [
    "007",
    "7",
    " 7",
    "a\nb",
    "Zo\u00eb",
    "Zoe\u0308",
    "",
    *(f"A{number}" for number in range(40)),
]


@pytest.mark.parametrize("n_hashes", [1500, (1 << 63) - 1])
def test_texts_are_found_whatever_hash_they_share(
    n_hashes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_HASHES", n_hashes)
    n = len(KEYS)
    count = np.arange(n) % 3
    table = serving._id_table(np.array(KEYS, object), np.arange(n, dtype=np.float32) + 1, count)
    strangers = [f"B{number}" for number in range(3 * 1500)]
    asked = [*strangers, *reversed(KEYS)]
    index, bias, is_warm = (found.numpy() for found in table.look_up(tf.constant(asked)))
    known = np.arange(n)[::-1]
    assert index.tolist() == [0] * len(strangers) + known.tolist()
    assert bias.tolist() == [0.0] * len(strangers) + (known + 1.0).tolist()
    assert is_warm.tolist() == [False] * len(strangers) + (count[known] > 0).tolist()


def test_numbers_are_looked_up_as_numbers() -> None:
    table = serving._id_table(np.array([3, 9], np.int32), np.ones(2, np.float32), np.ones(2))
    assert table.types == (tf.int64, tf.int32)
    index, _, is_warm = table.look_up(tf.constant([9, 4, 3, 2**40], tf.int64))
    assert index.numpy().tolist() == [1, 0, 0, 0]
    assert is_warm.numpy().tolist() == [True, False, True, False]
