"""Runs of one split together: compared with each other, or blended into one more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bigrec.opened import NO_PROGRESS, ShowProgress, nothing, open_data
from bigrec.resources import Budget
from bigrec.runs import RunDirectory
from bigrec.store.catalog import open_catalog

# What answers one question only is imported where it is asked: some of it loads a compiler.
if TYPE_CHECKING:
    from bigrec.evaluate.compare import Comparison
    from bigrec.train.blend import BlendSummary


def compare_trained(
    store: Path,
    runs: Sequence[RunDirectory],
    *,
    budget: Budget | None = None,
    show_progress: ShowProgress = NO_PROGRESS,
) -> Comparison:
    """Compare runs of one split with each other and with the baselines.

    Args:
        store: the store's folder.
        runs: at least one, of one split.
        budget: threads and memory, if the split has to be materialized.
        show_progress: called if it has to be.

    Raises:
        RunError: there is no run, they were trained on several splits, on another state of theirs,
            or one cannot be read.
    """
    from bigrec.evaluate.compare import compare_runs, the_split_of

    split = the_split_of(runs)
    data = open_data(open_catalog(store), split, budget=budget, show_progress=show_progress)
    return compare_runs(runs, data)


def blend_trained(
    store: Path,
    components: Sequence[RunDirectory],
    *,
    runs: Path,
    run: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    budget: Budget | None = None,
    show_progress: ShowProgress = NO_PROGRESS,
    before_keras: Callable[[], None] = nothing,
) -> BlendSummary:
    """Blend runs of one split into one more run; see `blend_runs`.

    Args:
        store: the store's folder.
        components: the runs.
        runs: the folder of runs.
        run: name of the run to make; blend-SPLIT if None.
        seed: of the draw of ratings to fit to.
        overwrite: whether a run of this name is replaced.
        budget: threads and memory.
        show_progress: called twice: if the split has to be materialized, and to blend.
        before_keras: called before Keras is loaded, in case a component needs it.

    Raises:
        SettingsError: the store holds no ratings.
    """
    from bigrec.evaluate.compare import the_split_of
    from bigrec.models.registry import check_feedback, find_run_model

    catalog = open_catalog(store)
    check_feedback(find_run_model("blend"), catalog.manifest.feedback)
    if any(one.needs_keras for one in components):
        before_keras()
    from bigrec.train.blend import blend_runs

    split = the_split_of(components)
    data = open_data(
        catalog, split,
        with_days=any(one.needs_days for one in components),
        budget=budget, show_progress=show_progress,
    )  # fmt: skip
    with show_progress() as progress:
        return blend_runs(
            components, data,
            runs=runs, run=run or f"blend-{split}", seed=seed, overwrite=overwrite, budget=budget,
            progress=progress,
        )  # fmt: skip
