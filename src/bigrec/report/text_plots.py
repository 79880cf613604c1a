"""The rating distribution and the timeline of a store as lines of text, for the terminal.

Needs neither altair nor a terminal of a certain kind: block characters, 80 columns, no colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bigrec.interactions import IMPLICIT
from bigrec.query.library import find_query
from bigrec.query.session import Session, open_session
from bigrec.report.rating_groups import group_starts, rating_word
from bigrec.resources import Budget
from bigrec.schema import NO_TIME

_BAR_WIDTH: Final = 50
_N_STEPS: Final = 72
_LEAST_STEPS: Final = 22  # below which a day at each end has room
_N_LINES: Final = 6
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LEFT_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def draw_store(store_root: Path, *, budget: Budget) -> list[str]:
    """Ask a store for its two most telling figures and draw them.

    Args:
        store_root: the store's folder.
        budget: memory and threads.

    Returns:
        Lines of at most 80 characters.
    """
    with open_session(store_root, budget=budget) as session:
        return [*_draw_distribution(session), "", *_draw_timeline(session)]


def draw_bar(share: float, width: int) -> str:
    """A horizontal bar.

    Args:
        share: of the width, from 0 to 1.
        width: in characters; an eighth of one can be told.
    """
    full, rest = divmod(round(share * width * 8), 8)
    return ("█" * full + (_LEFT_EIGHTHS[rest] if rest else "")).ljust(width)


def draw_columns(values: Sequence[float], n_lines: int) -> list[str]:
    """Columns side by side, the largest value reaching the top.

    Args:
        values: at least 0, one a column.
        n_lines: height in lines; an eighth of one can be told.

    Returns:
        Lines from the top down.
    """
    largest = max(values, default=0) or 1
    heights = [round(value / largest * n_lines * 8) for value in values]
    return [
        "".join(_EIGHTHS[min(8, max(0, height - 8 * line))] for height in heights)
        for line in reversed(range(n_lines))
    ]


def _draw_distribution(session: Session) -> list[str]:
    query = find_query("rating_distribution")
    rows = session.run(query.sql, query.bind({})).fetchall()
    manifest = session.manifest
    starts = group_starts((row[0] for row in rows), is_count=manifest.feedback == IMPLICIT)
    percents: dict[float, float] = {}
    for rating, _, percent in rows:
        percents[starts[rating]] = percents.get(starts[rating], 0) + percent
    most = max(percents.values())
    word = rating_word(manifest) + (", from" if len(percents) < len(rows) else "")
    width = max(4, *(len(f"{start:g}") for start in percents))
    return [
        f"ratings by {word}",
        *(
            f"{start:>{width}g}  {draw_bar(percent / most, _BAR_WIDTH)} {percent:5.1f} %"
            for start, percent in sorted(percents.items(), reverse=True)
        ),
    ]


def _draw_timeline(session: Session) -> list[str]:
    query = find_query("ratings_over_time")
    manifest = session.manifest
    if manifest.time_unit == NO_TIME:
        return ["no times"]
    span = session.run("SELECT last_date - first_date + 1 FROM manifest").fetchall()[0][0]
    days = max(1, -(-span // _N_STEPS))
    rows = session.run(query.sql, query.bind({"days": str(days)})).fetchall()
    first = rows[0][0]
    counts = [0] * ((rows[-1][0] - first).days // days + 1)
    for from_date, n_ratings, _ in rows:
        counts[(from_date - first).days // days] = n_ratings
    line = manifest.dates
    if len(counts) >= _LEAST_STEPS:
        line = f"{manifest.first_date}{manifest.last_date:>{len(counts) - 10}}"
    step = f"{days} days" if days > 1 else "a day"
    return [
        f"ratings over time (a column is {step}; the highest is {max(counts):,})",
        *(text.rstrip() for text in draw_columns(counts, _N_LINES)),
        line,
    ]
