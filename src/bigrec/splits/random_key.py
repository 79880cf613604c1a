"""The pseudo-random number of a row: one integer formula for DuckDB, Polars, NumPy and Python.

It uses `+`, `*` and `%` on 64-bit integers only and never overflows, so every engine gives the same
bits. Ids and seeds are residues modulo the Mersenne prime P = 2^31 - 1; each round squares the
state, adds a linear term (as in a quadratic congruential generator, Knuth TAOCP 2, 3.2.2) and mixes
in one more input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

Operand = TypeVar("Operand")

PRIME: Final = 2**31 - 1
MAX_SEED: Final = PRIME // 2 - 1
_MULTIPLIERS: Final = (1_103_515_245, 747_796_405, 1_664_525_003, 1_812_433_253)


def key_formula(remainder: Callable[[Any], Any]) -> Callable[[Any, Any, int], Any]:
    """The formula of random_key, given how an engine takes a remainder modulo PRIME."""
    prime = PRIME
    one, two, three, four = _MULTIPLIERS

    def formula(user: Any, item: Any, seed: int) -> Any:
        start = (seed * 2 + 1) * 40_692 % prime
        # Each product is below 2^62 and each sum below 2^63.
        state = remainder(user * one + start)
        state = remainder(state * state + item * two)
        state = remainder(state * three + start)
        state = remainder(state * state + user * four)
        state = remainder(state * one + item)
        state = remainder(state * state + state * two)
        state = remainder(state * three + start)
        state = remainder(state * state + state * four)
        return remainder(state * two + user)

    return formula


_formula = key_formula(lambda value: value % PRIME)


def random_key(user_id: Operand, item_id: Operand, seed: int) -> Operand:
    """A uniform pseudo-random integer from 0 to 2^31 - 2 for each (user, item) pair.

    Args:
        user_id: ids as 64-bit integers: an int, a NumPy array, a Polars or a DuckDB expression.
        item_id: the same for items.
        seed: another seed gives independent numbers; taken modulo 2^31 - 1.

    Returns:
        The same kind of operand as the ids.
    """
    return _formula(user_id, item_id, seed)  # type: ignore[no-any-return]


def threshold(fraction: float) -> int:
    """The bound below which a random key falls with this probability."""
    return round(fraction * PRIME)


def second_seed(seed: int) -> int:
    """The seed of a second, independent key; it is no seed that a split may have."""
    return seed + MAX_SEED + 2
