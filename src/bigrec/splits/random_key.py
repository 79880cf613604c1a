"""The pseudo-random number of a row: one integer formula for DuckDB, Polars, NumPy and Python.

It uses `+`, `*` and `%` on 64-bit integers only and never overflows, so every engine gives the same
bits. Ids and seeds are residues modulo the Mersenne prime P = 2^31 - 1; each round squares the
state, adds a linear term (as in a quadratic congruential generator, Knuth TAOCP 2, 3.2.2) and mixes
in one more input.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

Operand = TypeVar("Operand")

PRIME: Final = 2**31 - 1
_MULTIPLIERS: Final = (1_103_515_245, 747_796_405, 1_664_525_003, 1_812_433_253)


def random_key(user_id: Operand, movie_id: Operand, seed: int) -> Operand:
    """A uniform pseudo-random integer from 0 to 2^31 - 2 for each (user, movie) pair.

    Args:
        user_id: ids as 64-bit integers: an int, a NumPy array, a Polars or a DuckDB expression.
        movie_id: the same for movies.
        seed: another seed gives independent numbers; taken modulo 2^31 - 1.

    Returns:
        The same kind of operand as the ids.
    """
    user: Any = user_id
    movie: Any = movie_id
    start = (seed * 2 + 1) * 40_692 % PRIME
    one, two, three, four = _MULTIPLIERS
    # Each product is below 2^62 and each sum below 2^63.
    state = (user * one + start) % PRIME
    state = (state * state + movie * two) % PRIME
    state = (state * three + start) % PRIME
    state = (state * state + user * four) % PRIME
    state = (state * one + movie) % PRIME
    state = (state * state + state * two) % PRIME
    state = (state * three + start) % PRIME
    state = (state * state + state * four) % PRIME
    return (state * two + user) % PRIME  # type: ignore[no-any-return]


def threshold(fraction: float) -> int:
    """The bound below which a random key falls with this probability."""
    return round(fraction * PRIME)
