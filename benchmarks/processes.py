"""What a whole process costs, as the operating system counts it: shared by the benchmarks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple


class Cost(NamedTuple):
    """The cost of one finished process."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time of all its threads."""
    peak_bytes: int
    """Peak resident memory."""


def run_process(command: Sequence[str], *, show: bool = False) -> Cost:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        show: whether its stdout is shown.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=None if show else subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall_seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} ended with {child.returncode}")
    return Cost(wall_seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def print_costs(first_column: str, costs: Sequence[tuple[str, Cost]]) -> None:
    """Print named costs as a Markdown table."""
    print(f"| {first_column} | wall s | CPU s | peak MiB |\n|---|---|---|---|")
    for name, cost in costs:
        peak_mib = cost.peak_bytes / (1 << 20)
        print(f"| {name} | {cost.wall_seconds:.1f} | {cost.cpu_seconds:.1f} | {peak_mib:.0f} |")
