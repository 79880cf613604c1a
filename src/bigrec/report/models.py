"""What the page says of trained models: the runs of one split, their scores and their lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.errors import RunError
from bigrec.evaluate.compare import compare_runs, group_by_measure
from bigrec.measures import Measure
from bigrec.models.scoring import Scorer
from bigrec.models.threads import limit_computing
from bigrec.query.session import Session
from bigrec.report.blend_section import blend_figures
from bigrec.report.figures import Block, Section
from bigrec.report.lists_section import list_for_item, list_for_user, pick_users
from bigrec.report.published import Protocol, find_published
from bigrec.report.runs_section import (
    comparison_figure,
    comparison_table,
    cost_figure,
    figure_name,
    loss_figures,
    train_command,
)
from bigrec.report.scores_section import (
    decile_figures,
    sample_pairs,
    score_figures,
    score_sample,
)
from bigrec.resources import Budget, Progress
from bigrec.runs import RunDirectory
from bigrec.splits.materialize import materialize_split
from bigrec.splits.splits import Split
from bigrec.store.catalog import Catalog


def describe_models(
    catalog: Catalog,
    session: Session,
    split: Split,
    runs: Sequence[RunDirectory],
    *,
    budget: Budget,
    progress: Progress,
) -> tuple[list[Section], list[RunError]]:
    """Sections about the runs of one split and what the best run of each model recommends.

    Args:
        catalog: the store.
        session: the store under SQL.
        split: the split.
        runs: of this split, at least one.
        budget: for the split's shards, where they are missing.
        progress: told of finished models.

    Returns:
        The sections, none where no run can be used, and why each run that cannot be is left out.
    """
    with_days = any(run.needs_days for run in runs)
    data = open_training_data(
        materialize_split(split, with_days=with_days, budget=budget, progress=progress)
    )
    pairs = sample_pairs(data)
    scores, recommenders = dict[str, Any](), dict[str, Scorer]()
    best, errors = list[RunDirectory](), list[RunError]()
    progress.start("scoring", len({run.config.model for run in runs}), "models")
    for run in sorted(runs, key=_order):
        model = run.config.model
        try:
            _ = run.history
            if model in recommenders:
                continue
            limit_computing(budget.threads, tensorflow=run.needs_keras)
            recommender = run.recommender(data)
            recommender.use_threads(budget.threads)
            if run.metrics.measure.is_error:
                scores[model] = score_sample(recommender, pairs)
            run.similarity(data)
        except RunError as error:
            errors.append(error)
            runs = [other for other in runs if other is not run]
            continue
        recommenders[model] = recommender
        best.append(run)
        progress.advance(1)
    if not best:
        return [], errors
    metrics = {run.config.model: run.metrics for run in best if run.metrics.measure.is_error}
    of_scores: list[Block] = []
    if scores:
        of_scores = [*decile_figures(metrics, data.spec.unit), *score_figures(scores, pairs)]
    published = find_published(catalog.manifest, split.spec)
    sections = [
        _models(group, data, published if measure.is_error else None, measure, of_scores)
        for measure, group in group_by_measure(runs).items()
    ]
    return [*sections, _recommendations(catalog, session, data, recommenders, best)], errors


def _models(
    runs: Sequence[RunDirectory],
    data: TrainingData,
    published: Protocol | None,
    measure: Measure,
    of_scores: Sequence[Block],
) -> Section:
    """The section of all runs of one measure."""
    comparison = compare_runs(runs, data)
    presets = {run.name: run.config.preset for run in runs}
    known_days = ", ".join(run.name for run in runs if run.needs_days)
    return Section(
        name=figure_name(measure, "models"),
        title="The models" if measure.is_error else "The models that rank",
        text=f"{len(runs)} runs, trained and tested on the split {data.split!r}: "
        f"{comparison.protocol}."
        + (f" Scores know the day of each rating: {known_days}." if known_days else ""),
        blocks=[
            comparison_figure(comparison, presets, published, data.spec.unit),
            comparison_table(comparison, runs, published),
            *loss_figures(runs),
            cost_figure(runs),
            *blend_figures(runs),
            *(of_scores if measure.is_error else ()),
        ],
        # A blend is made when its components are there.
        commands=[
            train_command(run) for run in sorted(runs, key=lambda run: bool(run.config.components))
        ],
    )


def _recommendations(
    catalog: Catalog,
    session: Session,
    data: TrainingData,
    recommenders: dict[str, Scorer],
    best: Sequence[RunDirectory],
) -> Section:
    user_count = next(iter(recommenders.values())).biases.user_count
    users = [
        list_for_user(recommenders, data, catalog, session, word, user_index)
        for word, user_index in pick_users(user_count).items()
    ]
    thing = catalog.manifest.item_name.replace("_", " ")
    return Section(
        name="recommendations",
        title="What they recommend",
        text=f"Three users and one {thing}, by the best run of each model: "
        + ", ".join(run.name for run in best)
        + ". Only items that the user has not rated.",
        blocks=[*users, list_for_item(best, data, catalog)],
        commands=[],
    )


def _order(run: RunDirectory) -> tuple[bool, float]:
    """Those that tell ratings first, best first by the run's own primary measure."""
    measure = run.metrics.measure
    return not measure.is_error, measure.order(run.metrics.value)
