"""What the page says of trained models: the runs of one split, their scores and their lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.evaluate.compare import Comparison, compare_runs
from bigrec.models.blend import BLEND
from bigrec.models.scoring import Scorer
from bigrec.query.session import Session
from bigrec.report.blend_section import blend_figures
from bigrec.report.figures import Section
from bigrec.report.lists_section import list_for_movie, list_for_user, pick_users
from bigrec.report.published import find_published
from bigrec.report.runs_section import (
    comparison_figure,
    comparison_table,
    cost_figure,
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
    run_folders: Sequence[Path],
    *,
    budget: Budget,
    progress: Progress,
) -> list[Section]:
    """Sections about the runs of one split and what the best run of each model recommends.

    Args:
        catalog: the store.
        session: the store under SQL.
        split: the split.
        run_folders: of its runs, at least one.
        budget: for the split's shards, where they are missing.
        progress: told of finished models.
    """
    runs = [RunDirectory(folder) for folder in run_folders]
    with_days = any(run.needs_days for run in runs)
    data = open_training_data(
        materialize_split(split, with_days=with_days, budget=budget, progress=progress)
    )
    comparison = compare_runs(runs, data)
    best = _best_of_each_model(comparison, runs)
    pairs = sample_pairs(data)
    scores, recommenders = {}, dict[str, Scorer]()
    progress.start("scoring", len(best), "models")
    for run in best:
        recommender = run.recommender(data)
        recommenders[run.config["model"]] = recommender
        scores[run.config["model"]] = score_sample(recommender, pairs)
        progress.advance(1)
    metrics = {run.config["model"]: run.metrics for run in best}
    presets = {run.name: str(run.config["preset"]) for run in runs}
    published = find_published(catalog.manifest, split.spec)
    known_days = ", ".join(run.name for run in runs if run.needs_days)
    models = Section(
        name="models",
        title="The models",
        text=f"{len(runs)} runs, trained and tested on the split {split.name!r}: "
        f"{comparison.protocol}."
        + (f" Scores know the day of each rating: {known_days}." if known_days else ""),
        blocks=[
            comparison_figure(comparison, presets, published),
            comparison_table(comparison, runs, published),
            *loss_figures(runs),
            cost_figure(runs),
            *blend_figures(runs),
            *decile_figures(metrics),
            *score_figures(scores, pairs),
        ],
        # A blend is made when its components are there.
        commands=[
            train_command(run) for run in sorted(runs, key=lambda run: run.config["model"] == BLEND)
        ],
    )
    return [models, _recommendations(catalog, session, data, recommenders, best)]


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
    return Section(
        name="recommendations",
        title="What they recommend",
        text="Three users and one film, by the best run of each model: "
        + ", ".join(run.name for run in best)
        + ". Only movies that the user has not rated.",
        blocks=[*users, list_for_movie(best, data, catalog)],
        commands=[],
    )


def _best_of_each_model(comparison: Comparison, runs: Sequence[RunDirectory]) -> list[RunDirectory]:
    """One run a model, that of the lowest test error, best first."""
    by_name = {run.name: run for run in runs}
    best: dict[str, RunDirectory] = {}
    for row in comparison.runs:
        best.setdefault(row.model, by_name[row.run])
    return list(best.values())
