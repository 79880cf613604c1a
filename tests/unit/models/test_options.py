"""Bounds of hyper-parameters and seeds, of every model."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bigrec.errors import SettingsError
from bigrec.models.options import MAX_SEED, check_seed, override
from bigrec.models.registry import MODELS

SETTINGS = [
    (name, field.name)
    for name, model in MODELS.items()
    for field in dataclasses.fields(next(iter(model.presets.values())))
]
NO_NUMBERS = (
    "",
    " ",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "²",
    "٣",
    "1_0",
    "0x10",
    "x",
    5000 * "9",
    "none/x",
)


@pytest.mark.parametrize(("model", "name"), SETTINGS)
def test_no_setting_takes_what_is_no_number_of_sense(model: str, name: str) -> None:
    for text in (*NO_NUMBERS, "-1" + 20 * "0", "1" + 40 * "0"):
        with pytest.raises(SettingsError, match=name) as caught:
            override(MODELS[model].presets["tuned"], {name: text})
        assert len(caught.value.message) < 200


@pytest.mark.parametrize(("model", "name"), SETTINGS)
def test_a_setting_of_another_type_is_no_type_error(model: str, name: str) -> None:
    others: tuple[Any, ...] = (None, "1", [1], {}, b"1", 1 + 0j)
    for value in others:
        if value is None and name == "positive":
            continue
        with pytest.raises(SettingsError, match=name):
            dataclasses.replace(MODELS[model].presets["tuned"], **{name: value})


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 10**20, 1.0, float("nan"), "1", None, True])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(SettingsError, match="expected a seed from 0 to 4294967295, found"):
        check_seed(seed)


def test_the_largest_seed_is_taken_by_all_who_draw() -> None:
    import keras
    import numpy as np

    check_seed(MAX_SEED)
    keras.utils.set_random_seed(MAX_SEED)
    np.random.default_rng([MAX_SEED, 1])
