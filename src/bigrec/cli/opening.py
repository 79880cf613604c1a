"""Opening runs and splits with what the command line shows while it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bigrec.cli import console
from bigrec.cli.options import load_tensorflow
from bigrec.interactions import STARS

if TYPE_CHECKING:
    from bigrec.datasets.training_data import TrainingData
    from bigrec.opened import OpenedRun
    from bigrec.rows import DataSpec
    from bigrec.settings import Settings


def open_trained(settings: Settings, name: str) -> OpenedRun:
    """Open a run with its split and store; see bigrec.opened."""
    from bigrec import opened

    return opened.open_trained(
        settings.store, settings.runs, name,
        budget=settings.budget, show_progress=console.progress_bars, before_keras=load_tensorflow,
    )  # fmt: skip


def open_data(settings: Settings, split: str, *, with_days: bool) -> TrainingData:
    """Open a split for training; see bigrec.opened."""
    from bigrec import opened
    from bigrec.store.catalog import open_catalog

    return opened.open_data(
        open_catalog(settings.store), split,
        with_days=with_days, budget=settings.budget, show_progress=console.progress_bars,
    )  # fmt: skip


def describe_scale(spec: DataSpec) -> dict[str, str]:
    """A field that says what errors are counted in; none where it is stars."""
    return {} if spec.unit == STARS else {"errors in": spec.unit}


def note_long_lists(top: int, data: TrainingData) -> None:
    """Say where lists are shorter than was asked for, as there are no more items."""
    n_items = data.spec.n_items
    if top > n_items:
        console.print_note(f"The split has {n_items:,} items: no list is longer.")
