"""Sizes, budgets, and the ordered pool."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from bigrec.errors import ResourceError, SettingsError
from bigrec.resources import Budget, format_bytes, map_in_order, parse_bytes, peak_rss_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 1 << 30),
        ("512 MiB", 512 << 20),
        ("1.5kB", 1500),
        ("2g", 2 << 30),
        ("77", 77),
        ("1EiB", 1 << 60),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "much", "1XB", "-3MiB", "1 2", "nan", "1e400", "²B", "٣B", "1_0", "2EiB", "9" * 300],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="expected a size"):
        parse_bytes(text)


def test_sizes_that_no_machine_has_are_refused() -> None:
    with pytest.raises(SettingsError, match="at most"):
        parse_bytes("99999999999999999999TiB")


def test_sizes_are_written() -> None:
    assert [format_bytes(n) for n in (5, 1536, 3 << 30)] == ["5 B", "1.5 KiB", "3.0 GiB"]


def test_budgets_too_small_to_work_in_are_refused() -> None:
    with pytest.raises(ResourceError, match="too small"):
        Budget(memory_bytes=1 << 20)


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**30, 2.0, float("nan"), "2", True, None])
def test_threads_are_a_whole_number_within_bounds(threads: Any) -> None:
    with pytest.raises(SettingsError, match="threads"):
        Budget(threads=threads)


@pytest.mark.parametrize("memory", [0, -1, 1 << 61, 1e9, float("inf"), "1GiB", True, None])
def test_memory_is_a_whole_number_within_bounds(memory: Any) -> None:
    with pytest.raises(SettingsError, match="memory"):
        Budget(memory_bytes=memory)


def test_numbers_of_numpy_are_whole_numbers() -> None:
    two: Any = np.int64(2)
    assert type(Budget(threads=two).threads) is int


def test_cores_are_counted_where_the_system_has_no_affinity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert Budget().threads == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert Budget().threads == 1


@pytest.mark.parametrize("n_ahead", [0, 5])
def test_results_come_in_order_and_few_at_a_time(n_ahead: int) -> None:
    lock = threading.Lock()
    started: list[int] = []

    def work(item: int) -> int:
        with lock:
            started.append(item)
        time.sleep(0.002 * (item % 3))
        return item * item

    for position, result in enumerate(map_in_order(work, range(50), 3, n_ahead=n_ahead)):
        assert result == position * position
        assert len(started) <= position + 4 + n_ahead


def test_the_first_failure_is_raised_and_stops_the_rest() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    results = map_in_order(work, range(1000), 2)
    with pytest.raises(ValueError, match="five"):
        list(results)
    assert len(started) < 20


def test_the_peak_sees_a_deliberate_hog() -> None:
    before = peak_rss_bytes()
    hog = bytearray(before + (64 << 20))  # larger than everything so far
    hog[::4096] = b"x" * len(hog[::4096])
    assert peak_rss_bytes() >= before + (60 << 20)
