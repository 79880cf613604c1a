"""Blending runs: weights fitted in the validation subset, one more run out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from bigrec.datasets.training_data import TrainingData
from bigrec.environment import describe_environment
from bigrec.errors import RunError, SplitError
from bigrec.measures import RATING_OBJECTIVE
from bigrec.models.baseline.bias import Biases
from bigrec.models.blend import BLEND, Blend, BlendWeights, ComponentWeights, Support
from bigrec.models.options import check_seed
from bigrec.models.scoring import Scorer, check_finite
from bigrec.models.threads import limit_computing
from bigrec.resources import SILENT, Budget, Progress
from bigrec.rows import Rows
from bigrec.run_records import ComponentRecord, RunConfig, RunMetrics
from bigrec.runs import RunDirectory
from bigrec.unfinished import write_run, writing_run

Array = np.ndarray[Any, Any]

_FITTED_ROWS: Final = 1 << 19
_FEWEST_ROWS: Final = 2
_PENALTIES: Final = tuple(10.0 ** np.arange(-1, 6))


@dataclass(frozen=True)
class BlendSummary:
    """What a blending gave."""

    run: str
    split: str
    weights: BlendWeights
    test: Mapping[str, float]
    """Measures in the test subset, by name."""
    n_test: int
    """Test pairs."""
    n_fallback: int
    """Test pairs whose user or item has no train row, scored by the bias model."""


def blend_runs(
    components: Sequence[RunDirectory],
    data: TrainingData,
    *,
    runs: Path,
    run: str,
    seed: int = 0,
    overwrite: bool = False,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> BlendSummary:
    """Blend runs of one split and save the blend as a run.

    The weights are fitted to the validation subset: to all of it up to half a million ratings, else
    to whole users drawn at random, which is plenty for so few weights. The run holds the weights,
    and the name and digest of each component; the components stay where they are.

    Args:
        components: runs of one split, at least one.
        data: the split; it must have a validation subset.
        runs: the folder of runs, that of the components too.
        run: name of the run to make.
        seed: of the draw.
        overwrite: whether a run of this name is replaced.
        budget: threads to score with.
        progress: told of components that are scored.

    Raises:
        SettingsError: a name that cannot be a folder's, or no seed.
        SplitError: the split has no validation subset, or none that the components can be told by.
        RunError: there is no component, the run exists already, a component is given twice, is a
            blend itself, ranks, or was trained on another state of the split, or components differ
            in day_biases.
    """
    _check_components(components)
    check_seed(seed)
    if data.validation is None:
        raise SplitError(
            f"split {data.split!r} has no validation subset, which a blend is fitted to",
            hint="make one with: bigrec split create NAME --validation-fraction 0.1, and train "
            "the components on it",
        )
    started = time.perf_counter()
    first = components[0]
    config = RunConfig(
        run=run,
        model=BLEND,
        objective=first.config.objective,
        preset="ridge",
        options={"day_biases": True} if first.needs_days else {},
        seed=seed,
        split=first.config.split,
        spec=data.spec,
        environment=describe_environment(),
        components=tuple(
            ComponentRecord(one.name, one.config.model, one.digest) for one in components
        ),
    )
    with writing_run(runs, run, config, overwrite=overwrite, resume=False) as folder:
        threads = (budget or Budget()).threads
        limit_computing(threads, tensorflow=any(one.needs_keras for one in components))
        scorers = {one.name: one.recommender(data) for one in components}
        for scorer in scorers.values():
            scorer.use_threads(threads)
        biases = components[0].biases()
        weights = fit_blend(scorers, *_draw_pairs(data.validation, biases, seed))
        fit_seconds = time.perf_counter() - started
        blend = Blend(tuple(scorers.values()), weights, data.train, data.spec, biases)
        progress.start("testing the blend", data.test.n_ratings, "ratings")
        test = blend.errors_on(data.test)
        progress.advance(data.test.n_ratings)
        metrics = RunMetrics(
            primary=first.metrics.primary,
            **test.test_record(),
            validation=None,  # it is fitted to that subset
            day_penalty=biases.days.penalty if biases.days else None,
            seconds=time.perf_counter() - started,
            train_seconds=fit_seconds,
        )
        config = dataclasses.replace(config, weights=dataclasses.asdict(weights))
        write_run(folder, config=config, history=[], metrics=metrics, biases=biases)
    return BlendSummary(run, data.split, weights, metrics.test, metrics.n_test, metrics.n_fallback)


def fit_blend(
    scorers: Mapping[str, Scorer], user_index: Array, item_index: Array, rating: Array
) -> BlendWeights:
    """Fit the weights to ratings that none of the components was trained on.

    Pairs that the fallback scores are left out.

    Args:
        scorers: the components by the names of their runs, all of one split.
        user_index: (n,) int32. Sorted input is fastest.
        item_index: (n,) int32.
        rating: (n,) float32, stars, less day biases if the components have them.

    Raises:
        SplitError: the fallback scores all pairs, or all but one.
        RunError: a component gives scores that are no numbers.
    """
    biases = next(iter(scorers.values())).biases
    warm = ~biases.is_cold(user_index, item_index)
    n_warm = int(warm.sum())
    if n_warm < _FEWEST_ROWS:
        raise SplitError(
            f"expected validation ratings whose user and item have train ratings too, at least "
            f"{_FEWEST_ROWS}, found {n_warm} of {len(rating):,}: a blend is fitted to them",
            hint="make a split with fewer users or items of few ratings: bigrec split create NAME "
            "--validation-fraction 0.1 --min-user-ratings 10",
        )
    user_index, item_index, rating = user_index[warm], item_index[warm], rating[warm]
    user_count, item_count = biases.user_count[user_index], biases.item_count[item_index]
    user_support, item_support = Support.of(user_count), Support.of(item_count)
    user, item = user_support.standardize(user_count), item_support.standardize(item_count)
    base = biases.score_pairs(user_index, item_index)
    terms = [user, item]
    for scorer in scorers.values():
        scores = scorer.score_warm_pairs(user_index, item_index)
        check_finite(scores)
        deviation = scores - base
        terms += [deviation, deviation * user, deviation * item]
    scaler = StandardScaler()
    standardized = scaler.fit_transform(np.stack(terms, axis=1).astype(np.float64))
    ridge = RidgeCV(alphas=_PENALTIES).fit(standardized, rating - base)
    weights = ridge.coef_ / scaler.scale_
    by_user, by_item, *of_components = weights.tolist()
    return BlendWeights(
        components=tuple(
            ComponentWeights(run, *of_components[3 * position : 3 * position + 3])
            for position, run in enumerate(scorers)
        ),
        intercept=float(ridge.intercept_ - weights @ scaler.mean_),
        by_user=by_user,
        by_item=by_item,
        user_support=user_support,
        item_support=item_support,
        penalty=float(ridge.alpha_),
        n_fitted=len(rating),
    )


def _check_components(components: Sequence[RunDirectory]) -> None:
    if not components:
        raise RunError("expected at least one run to blend, found none")
    names = [one.name for one in components]
    if len(set(names)) < len(names):
        raise RunError(f"expected each run once, found {', '.join(names)}")
    with_days = [one.name for one in components if one.needs_days]
    if 0 < len(with_days) < len(components):
        raise RunError(
            "a blend needs day biases in all its components or in none, found them in "
            + ", ".join(with_days),
            hint="train them alike, all with --set day_biases=true or all without",
        )
    for one in components:
        if one.config.components:
            raise RunError(
                f"run {one.name!r} is a blend itself",
                hint="name its components: " + ", ".join(own.run for own in one.config.components),
            )
        if one.config.objective != RATING_OBJECTIVE:
            raise RunError(
                f"run {one.name!r} ranks, and a blend is made of scores that tell ratings",
                hint="leave it out",
            )


def _draw_pairs(subset: Rows, biases: Biases, seed: int) -> tuple[Array, Array, Array]:
    """user_index, item_index, rating less day biases of whole users, by user: (n,) each."""
    users = subset.sample_rows(_FITTED_ROWS, seed)
    rows = subset.take(users)
    user_index = np.repeat(users, rows.lengths()).astype(np.int32)
    rating = rows.rating - biases.of_days(user_index, rows.day)
    return user_index, np.asarray(rows.column), rating
