"""A rating keeps its value from the parser to the model, whatever the scale."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bigrec.datasets.pairs import unpack
from bigrec.errors import SettingsError, SplitError
from bigrec.interactions import MAX_VALUES, Packing, Scale
from bigrec.splits.kernels import Codes, _encode, code_of, item_of, user_of

SCALES = {
    "stars": Scale.even(1, 5, 5),
    "half stars": Scale.even(0.5, 5, 10),
    "tenths": Scale.even(0, 10, 101),
    "percent": Scale.even(0, 100, 101),
    "one value": Scale((1.0,)),
    "uneven": Scale((-10.0, -1.5, 0.0, 0.1, 7.25, 1000.0)),
    "the most": Scale(tuple(float(value) ** 2 for value in range(4000))),
}
floats = st.floats(-1e6, 1e6, width=32)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_every_value_is_found_again(scale: Scale) -> None:
    codes = np.arange(len(scale.values))
    assert scale.codes(scale.table).tolist() == codes.tolist()
    compiled = Codes.of_scale(scale)
    assert [_encode(value, compiled) for value in scale.table] == codes.tolist()
    packing = Packing.for_counts(10, 10, len(scale.values))
    pairs = tf.constant((7 << packing.user_shift) | (3 << packing.item_shift) | codes)
    user, item, rating = unpack(pairs, packing, scale)
    assert set(user.numpy().tolist()) == {7}
    assert set(item.numpy().tolist()) == {3}
    np.testing.assert_allclose(rating.numpy(), scale.table, rtol=1e-6, atol=1e-6)


@settings(deadline=None)
@given(values=st.lists(floats, min_size=1, max_size=200, unique=True))
def test_any_distinct_values_are_a_scale(values: list[float]) -> None:
    scale = Scale(tuple(sorted(values)))
    compiled = Codes.of_scale(scale)
    for code, value in enumerate(scale.table):
        assert _encode(value, compiled) == code
        assert scale.codes(value) == code


@pytest.mark.parametrize(
    "values",
    [
        (1e6, 1e6 + 0.5, 1e6 + 0.625),  # nearly even for their size, not for their steps
        (1000.0, 1000.001, 1000.003),
        tuple(1e6 + 0.08 * code for code in range(50)),  # less than two float32 apart
    ],
)
def test_values_far_from_zero_keep_their_codes_and_their_value(values: tuple[float, ...]) -> None:
    scale = Scale(values)
    compiled = Codes.of_scale(scale)
    codes = [_encode(value, compiled) for value in scale.table]
    assert codes == list(range(len(values)))
    packing = Packing.for_counts(1, 1, len(values))
    _, _, rating = unpack(tf.constant(codes, tf.int64), packing, scale)
    np.testing.assert_array_equal(rating.numpy(), scale.table)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_what_is_off_the_scale_is_told_and_reaches_beyond_no_table(scale: Scale) -> None:
    n_values = len(scale.values)
    off = np.array([scale.low - 1, scale.high + 1, np.nan, np.inf, -np.inf, 1e30], np.float32)
    assert scale.codes(off).tolist() == [n_values] * len(off)
    compiled = Codes.of_scale(scale)
    assert all(0 <= _encode(value, compiled) < n_values for value in off)


def test_even_steps_need_no_table() -> None:
    assert {name: bool(scale.step) for name, scale in SCALES.items()} == {
        name: name not in {"uneven", "the most"} for name in SCALES
    }


@pytest.mark.parametrize(
    "values",
    [(), (2.0, 1.0), (1.0, 1.0), (float("nan"),), (1.0, float("inf")), (1.0, 1.0 + 1e-12)],
)
def test_what_is_no_scale_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match="expected a scale of 1 to 65,536 ascending ratings"):
        Scale(values)


def test_a_scale_has_as_many_values_as_16_bits_tell_apart() -> None:
    assert len(Scale.even(0, 1, MAX_VALUES).values) == MAX_VALUES
    with pytest.raises(SettingsError, match="65,537"):
        Scale.even(0, 1, MAX_VALUES + 1)


@settings(deadline=None)
@given(n_users=st.integers(1, 2**31), n_items=st.integers(1, 2**31), n_values=st.integers(1, 65536))
def test_a_pair_holds_the_last_of_everything_or_is_refused(
    n_users: int, n_items: int, n_values: int
) -> None:
    bits = sum((n - 1).bit_length() for n in (n_users, n_items)) + max(
        8, (n_values - 1).bit_length()
    )
    if bits > 63:
        with pytest.raises(SplitError, match="more than the 63 of a pair"):
            Packing.for_counts(n_users, n_items, n_values)
        return
    packing = Packing.for_counts(n_users, n_items, n_values)
    user, item, code = n_users - 1, n_items - 1, n_values - 1
    pair = (user << packing.user_shift) | (item << packing.item_shift) | code
    assert 0 <= pair < 2**63
    assert (pair >> packing.user_shift, pair & packing.code_mask) == (user, code)
    assert (pair >> packing.item_shift) & packing.item_mask == item
    assert user_of(np.int64(pair), packing) == user
    assert item_of(np.int64(pair), packing) == item
    assert code_of(np.int64(pair), packing) == code
