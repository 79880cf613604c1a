"""Raw Netflix Prize files of any size from a seed, with a known latent truth.

The files have the exact form of the Kaggle set (ids with gaps, titles with commas and Latin-1
letters, missing years, probe, qualifying) and its shape: item popularity and user activity are
log-normal, fitted to the published medians and tails. Every rating is drawn from

    score = mean + user bias + item bias + user factors · item factors,

plus normal noise, rounded to whole stars. The truth's own prediction is the expected star given
that score; its RMSE, `noise_rmse`, is a floor that no model can beat. Items are drawn
independently, each from its own random state, so the result does not depend on threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import ndtr, ndtri

from bigrec.compiled import compiled, inlined_part
from bigrec.errors import ResourceError, SettingsError
from bigrec.resources import SILENT, Budget, Progress, format_bytes, map_in_order
from bigrec.store.publish import publishing

Array = np.ndarray[Any, Any]

_NETFLIX_RATINGS = 100_480_507
_NETFLIX_USERS = 480_189
_NETFLIX_ITEMS = 17_770
_NETFLIX_FILES_END = (4499, 9210, 13367, 17770)  # last item of each combined_data file
_MIN_RATINGS, _MAX_RATINGS = 1000, 10**11  # more would need more users than there are ids
_MAX_SEED = 2**63 - 1
_USER_BYTES = 170  # memory that the truth takes for each user

_USER_SIGMA = 1.25  # of log counts: mean 209 and median 96 ratings a user
_ITEM_SIGMA = 2.15  # mean 5654 and median 561 ratings an item
_LARGEST_AUDIENCE = 0.485  # the most rated item has a rating from this share of all users
_PROBE_SHARE = 1_408_395 / _NETFLIX_RATINGS
_QUALIFYING_SHARE = 2_817_131 / _NETFLIX_RATINGS

_FACTORS = 8
_MEAN, _USER_BIAS, _ITEM_BIAS, _FACTOR_SCALE, _NOISE = 3.65, 0.42, 0.48, 0.6, 0.75
_STEPS = 64  # a score is rounded to 1/64 star, so its distribution over stars is a table
_LOWEST, _HIGHEST = -4.0, 11.0
_FIRST_DAY = int(np.datetime64("1999-11-11").astype(int))
_LAST_DAY = int(np.datetime64("2005-12-31").astype(int))

_ADJECTIVES: Final = (
    "Silent Crimson Lost Golden Broken Hidden Électric Midnight Last Wild Final Frozen Burning "
    "Secret Perfect Distant Rising Savage Quiet Café Señor Über Little Great Invisible Strange"
).split()
_NOUNS: Final = (
    "River Garden Empire Letter Señorita Voyage Mirror Winter Promise Harbor Kingdom Façade Island "
    "Brothers Dragon Detective Affair Station Soldier Summer Crossing Dinosaur Orchestra Planet "
    "Legacy Noël"
).split()
_TAILS: Final = (
    "", "", "", "", ": The Movie", ", Part Two", " 2", ", Texas, 1881", ": Season 1",
    " and the Sea",
)  # fmt: skip


@dataclass(frozen=True)
class SynthSummary:
    """What `write_synthetic` wrote."""

    n_ratings: int
    """Ratings in the four combined_data files."""
    n_users: int
    """Users that the truth knows; almost all have a rating."""
    n_items: int
    """Items, ids 1 to n_items."""
    noise_rmse: float
    """RMSE of the truth's own prediction over all ratings, in stars."""


@dataclass(frozen=True)
class _World:
    """The latent truth and the lookup tables that the generator draws from."""

    user_ids: Array  # (n_users,) int32, ascending with gaps
    item_counts: Array  # (n_items,) int64, ratings of each item
    accept: Array  # (n_users,) float32, alias table: keep the drawn user, or
    alias: Array  # (n_users,) int32, take this one
    user_bias: Array  # (n_users,) float32
    item_bias: Array  # (n_items,) float32
    user_factors: Array  # (n_users, _FACTORS) float32
    item_factors: Array  # (n_items, _FACTORS) float32
    first_day: Array  # (n_users,) int32, joining day
    release_day: Array  # (n_items,) int32, no rating before
    cumulative: Array  # (n_steps, 5) float32, P(stars <= k | score)
    expected: Array  # (n_steps,) float32, E[stars | score]
    dates: Array  # (n_days, 10) uint8, text of each day


def write_synthetic(
    out: Path,
    *,
    n_ratings: int,
    seed: int = 0,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> SynthSummary:
    """Write a folder of raw files in the form of the Kaggle Netflix Prize set.

    Args:
        out: folder to make; it must not exist yet, or be empty.
        n_ratings: exact number of training ratings, from 1000 to 10^11.
        seed: of every draw, from 0 to 2^63 - 1; the same seed gives the same bytes.
        budget: memory and threads. Memory grows with users, not with ratings: 0.5 GiB at full size.
        progress: told of finished items.

    Raises:
        SettingsError: `n_ratings` or `seed` is out of bounds.
        ResourceError: the users do not fit the memory.
        SettingsError: `out` holds files already, or cannot be made.
        StoreError: another process is making it.
    """
    if n_ratings < _MIN_RATINGS:
        raise SettingsError(f"expected at least {_MIN_RATINGS} ratings, found {n_ratings}")
    if n_ratings > _MAX_RATINGS:
        raise SettingsError(f"expected at most {_MAX_RATINGS} ratings, found {n_ratings}")
    if not 0 <= seed <= _MAX_SEED:
        raise SettingsError(f"expected a seed from 0 to {_MAX_SEED}, found {seed}")
    budget = budget or Budget()
    needed = _count_items_and_users(n_ratings)[1] * _USER_BYTES
    if needed > budget.memory_bytes:
        raise ResourceError(
            f"the users of {n_ratings:,} ratings need {format_bytes(needed)} of memory, more than "
            f"{format_bytes(budget.memory_bytes)}",
            hint=f"give at least --memory {needed // (1 << 20) + 1}MiB, or make fewer ratings",
        )
    with publishing(out, None) as draft:
        world = _make_world(n_ratings, seed)
        squared_error = _write_ratings(draft.folder, world, seed, budget, progress)
        _write_titles(draft.folder, world, np.random.default_rng([seed, 2]))
        (draft.folder / "SYNTHETIC.txt").write_text(  # ingest knows the files by it
            f"Synthetic ratings in the form of the Netflix Prize set. Seed {seed}.\n"
        )
    return SynthSummary(
        n_ratings=int(world.item_counts.sum()),
        n_users=len(world.user_ids),
        n_items=len(world.item_counts),
        noise_rmse=math.sqrt(squared_error / n_ratings),
    )


def _count_items_and_users(n_ratings: int) -> tuple[int, int]:
    scale = n_ratings / _NETFLIX_RATINGS
    n_items = max(20, round(_NETFLIX_ITEMS * scale**0.5))
    n_users = max(30, round(_NETFLIX_USERS * scale**0.85), math.ceil(10 * n_ratings / n_items))
    return n_items, n_users


def _make_world(n_ratings: int, seed: int) -> _World:
    rng = np.random.default_rng([seed, 1])
    n_items, n_users = _count_items_and_users(n_ratings)
    gap = 2_649_429 // _NETFLIX_USERS
    user_ids = 6 + np.arange(n_users, dtype=np.int64) * gap + rng.integers(0, gap, n_users)
    activity = np.exp(_USER_SIGMA * rng.standard_normal(n_users))
    accept, alias = _alias_table(activity / activity.sum())
    factor_sd = math.sqrt(_FACTOR_SCALE) / _FACTORS**0.25
    days = np.arange(_FIRST_DAY, _LAST_DAY + 1)
    grid = np.arange(_LOWEST, _HIGHEST, 1 / _STEPS)  # (n_steps,)
    cumulative = ndtr((np.arange(1.5, 6.5) - grid[:, None]) / _NOISE)  # (n_steps, 5)
    cumulative[:, 4] = 1.0
    return _World(
        user_ids=user_ids.astype(np.int32),
        item_counts=rng.permutation(_item_counts(n_ratings, n_items, n_users)),
        accept=accept,
        alias=alias,
        user_bias=rng.normal(0, _USER_BIAS, n_users).astype(np.float32),
        item_bias=rng.normal(0, _ITEM_BIAS, n_items).astype(np.float32),
        user_factors=rng.normal(0, factor_sd, (n_users, _FACTORS)).astype(np.float32),
        item_factors=rng.normal(0, factor_sd, (n_items, _FACTORS)).astype(np.float32),
        # Most members joined late, as in the real set.
        first_day=(
            _FIRST_DAY + (_LAST_DAY - _FIRST_DAY) * np.sqrt(rng.random(n_users)) * 0.98
        ).astype(np.int32),
        release_day=np.where(
            rng.random(n_items) < 0.7,
            _FIRST_DAY,
            rng.integers(_FIRST_DAY, _LAST_DAY - 60, n_items),
        ).astype(np.int32),
        cumulative=cumulative.astype(np.float32),
        expected=(5 - cumulative[:, :4].sum(axis=1)).astype(np.float32),
        dates=np.char.encode(days.astype("datetime64[D]").astype("U10"))
        .view(np.uint8)
        .reshape(len(days), 10),
    )


def _item_counts(n_ratings: int, n_items: int, n_users: int) -> Array:
    """Log-normal counts, descending, clipped to the audience, that add up to n_ratings exactly."""
    quantiles = (np.arange(n_items) + 0.5) / n_items
    shape = np.exp(-_ITEM_SIGMA * ndtri(quantiles))
    largest = int(_LARGEST_AUDIENCE * n_users)
    low, high = 0.0, float(n_ratings)
    for _ in range(100):
        factor = (low + high) / 2
        total = np.clip(factor * shape, 1, largest).sum()
        low, high = (factor, high) if total < n_ratings else (low, factor)
    counts: Array = np.clip(np.floor(low * shape), 1, largest).astype(np.int64)
    missing = n_ratings - int(counts.sum())
    step = 1 if missing > 0 else -1
    while missing:  # spread what rounding left over items with room, a handful of rounds
        room = np.flatnonzero((counts + step >= 1) & (counts + step <= largest))[: abs(missing)]
        counts[room] += step
        missing -= step * len(room)
    return counts


def _alias_table(probability: Array) -> tuple[Array, Array]:
    """Walker's alias table, by Vose's method (IEEE TSE 17(9), 1991)."""
    n = len(probability)
    accept = probability * n
    alias = np.arange(n)
    small = list(np.flatnonzero(accept < 1))
    large = list(np.flatnonzero(accept >= 1))
    while small and large:
        little, big = small.pop(), large[-1]
        alias[little] = big
        accept[big] -= 1 - accept[little]
        if accept[big] < 1:
            small.append(large.pop())
    return accept.astype(np.float32), alias.astype(np.int32)


def _write_ratings(
    out: Path, world: _World, seed: int, budget: Budget, progress: Progress
) -> float:
    n_items = len(world.item_counts)
    progress.start("writing ratings", int(world.item_counts.sum()), "ratings")
    # A block is a run of items with about a million ratings, written by one thread.
    block_of = np.cumsum(world.item_counts) // 1_000_000
    edges = [0, *(np.flatnonzero(np.diff(block_of)) + 1).tolist(), n_items]
    ends = [round(end * n_items / _NETFLIX_ITEMS) for end in _NETFLIX_FILES_END]
    edges = sorted({*edges, *ends})
    squared_error = 0.0
    with (out / "probe.txt").open("wb") as probe, (out / "qualifying.txt").open("wb") as qualifying:
        combined = None
        n_file = 0
        blocks = list(zip(edges, edges[1:], strict=False))
        texts = map_in_order(lambda b: _block_text(world, seed, *b), blocks, budget.threads)
        for (first, last), (ratings, probe_text, qualifying_text, error) in zip(
            blocks, texts, strict=True
        ):
            if combined is None:
                n_file += 1
                combined = (out / f"combined_data_{n_file}.txt").open("wb")
            combined.write(ratings.data)
            probe.write(probe_text.data)
            qualifying.write(qualifying_text.data)
            squared_error += error
            n_rows = int(world.item_counts[first:last].sum())
            progress.advance(n_rows, n_rows)
            if last in ends:
                combined.close()
                combined = None
    return squared_error


def _block_text(
    world: _World, seed: int, first: int, last: int
) -> tuple[Array, Array, Array, float]:
    n_rows = int(world.item_counts[first:last].sum())
    n_items = last - first
    ratings = np.empty(n_rows * 26 + n_items * 12, np.uint8)
    probe = np.empty(n_rows * 10 + n_items * 12, np.uint8)
    qualifying = np.empty(n_rows * 24 + n_items * 12, np.uint8)
    ends, error = _write_block(
        first, last, seed,
        world.user_ids, world.item_counts, world.accept, world.alias,
        world.user_bias, world.item_bias, world.user_factors, world.item_factors,
        world.first_day, world.release_day, world.cumulative, world.expected, world.dates,
        ratings, probe, qualifying,
    )  # fmt: skip
    return ratings[: ends[0]], probe[: ends[1]], qualifying[: ends[2]], error


@inlined_part
def _put_number(out, position, value):  # type: ignore[no-untyped-def]
    width = 1
    power = 10
    while value >= power:
        power *= 10
        width += 1
    for index in range(position + width - 1, position - 1, -1):
        out[index] = 48 + value % 10
        value //= 10
    return position + width


@compiled
def _write_block(  # type: ignore[no-untyped-def]
    first, last, seed, user_ids, item_counts, accept, alias, user_bias, item_bias,
    user_factors, item_factors, first_day, release_day, cumulative, expected, dates,
    ratings, probe, qualifying,
):  # fmt: skip
    """Write the text of items first to last (exclusive) into the three byte arrays."""
    n_users = len(user_ids)
    seen = np.zeros(n_users, np.int32)  # the last item that drew this user
    ends = np.zeros(3, np.int64)
    squared_error = 0.0
    for item in range(first, last):
        np.random.seed((seed * 1_000_003 + item * 7919 + 17) & 0x7FFFFFFF)
        stamp = item + 1
        ends[0] = _put_number(ratings, ends[0], item + 1)
        ratings[ends[0]] = 58
        ratings[ends[0] + 1] = 10
        ends[0] += 2
        n_train = item_counts[item]
        n_wanted = n_train + int(n_train * _QUALIFYING_SHARE + np.random.random())
        n_wanted = min(n_wanted, n_users)
        probe_open = False
        for row in range(n_wanted):
            while True:  # a user of this activity who has not rated this item
                user = int(np.random.random() * n_users)
                if np.random.random() >= accept[user]:
                    user = alias[user]
                if seen[user] != stamp:
                    break
            seen[user] = stamp
            # A member rates in a few bursts after joining, never before the item's release.
            earliest = max(first_day[user], release_day[item])
            burst = int(np.random.random() ** 2 * 12)
            spread = (user * 2654435761 + burst * 40503) % 1009 / 1009.0
            if burst == 0:
                spread = 0.0
            day = earliest + int((_LAST_DAY - earliest) * spread)
            if row >= n_train:
                if row == n_train:
                    ends[2] = _put_number(qualifying, ends[2], item + 1)
                    qualifying[ends[2]] = 58
                    qualifying[ends[2] + 1] = 10
                    ends[2] += 2
                ends[2] = _put_number(qualifying, ends[2], user_ids[user])
                qualifying[ends[2]] = 44
                for index in range(10):
                    qualifying[ends[2] + 1 + index] = dates[day - _FIRST_DAY, index]
                qualifying[ends[2] + 11] = 10
                ends[2] += 12
                continue
            score = _MEAN + user_bias[user] + item_bias[item]
            for factor in range(_FACTORS):
                score += user_factors[user, factor] * item_factors[item, factor]
            step = int((min(max(score, _LOWEST), _HIGHEST - 0.02) - _LOWEST) * _STEPS + 0.5)
            uniform = np.random.random()
            stars = 1
            while uniform > cumulative[step, stars - 1]:
                stars += 1
            squared_error += (stars - expected[step]) ** 2
            ends[0] = _put_number(ratings, ends[0], user_ids[user])
            ratings[ends[0]] = 44
            ratings[ends[0] + 1] = 48 + stars
            ratings[ends[0] + 2] = 44
            for index in range(10):
                ratings[ends[0] + 3 + index] = dates[day - _FIRST_DAY, index]
            ratings[ends[0] + 13] = 10
            ends[0] += 14
            if np.random.random() < _PROBE_SHARE:
                if not probe_open:
                    probe_open = True
                    ends[1] = _put_number(probe, ends[1], item + 1)
                    probe[ends[1]] = 58
                    probe[ends[1] + 1] = 10
                    ends[1] += 2
                ends[1] = _put_number(probe, ends[1], user_ids[user])
                probe[ends[1]] = 10
                ends[1] += 1
    return ends, squared_error


def _write_titles(out: Path, world: _World, rng: np.random.Generator) -> None:
    lines = []
    release_years = 1970 + world.release_day / 365.25
    for item in range(1, len(world.item_counts) + 1):
        adjective, noun = rng.choice(_ADJECTIVES), rng.choice(_NOUNS)
        tail = _TAILS[rng.integers(len(_TAILS))]
        year = int(release_years[item - 1] - min(rng.exponential(9), 90))
        year_text = "NULL" if item % 2500 == 17 else str(year)
        lines.append(f"{item},{year_text},The {adjective} {noun}{tail}\n")
    (out / "movie_titles.csv").write_bytes("".join(lines).encode("iso-8859-1"))
