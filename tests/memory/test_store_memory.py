"""Peak memory of the commands that read a store: the budget holds, however many rows there are."""

from __future__ import annotations

from pathlib import Path

from tests.support.peak_memory import peak_bytes

BUDGET_BYTES = 512 << 20
ALLOWED_GROWTH_BYTES = 64 << 20
LIMITS = ("--memory", str(BUDGET_BYTES), "--threads", "2")

COMMAND = """
    from bigrec.cli.app import main
    assert main(sys.argv[1:]) == 0
    reported = 0
"""
# 19 million rows of 16 bytes and what a sort adds to each: more than the engine may hold at once.
SORT = "SELECT * FROM ratings ORDER BY date, user_id, item_id"


def test_checks_need_no_more_memory_for_eight_times_the_rows(stores: tuple[Path, Path]) -> None:
    small, large = (peak_bytes(COMMAND, "check", "--store", store, *LIMITS)[0] for store in stores)
    assert large - small < ALLOWED_GROWTH_BYTES
    assert large < BUDGET_BYTES


def test_a_query_that_outgrows_the_budget_spills_to_disk(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    # The engine fills the memory that it is given, so small and large data do not compare.
    output = ("--output", str(tmp_path / "sorted.parquet"))
    peak, _ = peak_bytes(COMMAND, "sql", SORT, *output, "--store", stores[1], *LIMITS)
    assert peak < BUDGET_BYTES
