"""How trained models score: by popularity, calibration, predicted against actual.

Errors by popularity are those that the runs recorded over the whole test subset. The rest is
measured on a sample of whole users of it, so that the time it takes does not grow with the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import numpy as np

from bigrec.datasets.training_data import TrainingData
from bigrec.interactions import STARS
from bigrec.measures import RMSE
from bigrec.models.scoring import Scorer
from bigrec.report.figures import Figure, diagonal, legend_filter, new_chart, tooltips
from bigrec.report.rating_groups import group_starts
from bigrec.report.runs_section import model_encodings, model_title
from bigrec.report.theme import ACCENT
from bigrec.rows import DataSpec
from bigrec.run_records import RunMetrics

Array = np.ndarray[Any, Any]

SAMPLED_ROWS: Final = 50_000
_BIN: Final = 0.25
"""Of scores in stars; other scales are cut into _N_BINS."""
_N_BINS: Final = 20
_FEWEST: Final = 30


@dataclass(frozen=True)
class SampledPairs:
    """Test ratings of some users, all of those."""

    user_index: Array
    """(n,) int32, ascending."""
    item_index: Array
    """(n,) int32."""
    rating: Array
    """(n,) float32."""
    day: Array | None
    """(n,) uint16, days since 1921; None where they are not known."""
    n_users: int
    spec: DataSpec
    """Of the split."""
    is_sample: bool
    """Whether the test subset has more."""

    def words(self) -> str:
        """What was measured, in a sentence."""
        n = len(self.rating)
        if not self.is_sample:
            return f"Measured on all {n:,} test ratings."
        return f"Measured on the {n:,} test ratings of {self.n_users:,} users drawn at random."


def sample_pairs(data: TrainingData, *, n_rows: int = SAMPLED_ROWS, seed: int = 0) -> SampledPairs:
    """Draw whole users of the test subset at random until they have about n_rows ratings.

    Args:
        data: the split.
        n_rows: ratings to stop at.
        seed: of the draw.
    """
    drawn = data.test.sample_rows(n_rows, seed)
    rows = data.test.take(drawn)
    user_index = np.repeat(drawn, rows.lengths()).astype(np.int32)
    return SampledPairs(
        user_index, np.asarray(rows.column), np.asarray(rows.rating), rows.day, len(drawn),
        data.spec, is_sample=rows.n_ratings < data.test.n_ratings,
    )  # fmt: skip


def score_sample(recommender: Scorer, pairs: SampledPairs) -> Array:
    """Scores of the sample, clipped to the scale: (n,) float32."""
    scores, _ = recommender.score_pairs(pairs.user_index, pairs.item_index, pairs.day)
    return scores


def score_figures(scores: Mapping[str, Array], pairs: SampledPairs) -> list[Figure]:
    """What the scores of several models look like against the ratings.

    Args:
        scores: of each model by name, best model first: (n,) each.
        pairs: what was scored.
    """
    best = next(iter(scores))
    return [_calibration_figure(scores, pairs), _spread_figure(best, scores[best], pairs)]


def decile_figures(metrics: Mapping[str, RunMetrics], unit: str) -> list[Figure]:
    """Errors by popularity of the items and by activity of the users.

    Args:
        metrics: of the best run of each model, best model first.
        unit: of errors.
    """
    return [
        _decile_figure(
            {model: recorded.item_deciles for model, recorded in metrics.items()},
            name="error-by-popularity", title="Error by popularity", things="items", unit=unit,
            ends=("rarest", "most popular"),
        ),
        _decile_figure(
            {model: recorded.user_deciles for model, recorded in metrics.items()},
            name="error-by-activity", title="Error by activity", things="users", unit=unit,
            ends=("least active", "most active"),
        ),
    ]  # fmt: skip


def _decile_figure(
    deciles: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    name: str,
    title: str,
    things: str,
    unit: str,
    ends: tuple[str, str],
) -> Figure:
    first, last = ends
    rows = [
        {
            "model": model_title(model),
            **{field: decile[field] for field in ("decile", "from_count", "to_count", "n")},
            "rmse": round(decile["rmse"], 5),
        }
        for model, recorded in deciles.items()
        for decile in recorded
    ]
    chart = _lines(
        deciles,
        x=alt.X("decile:O", title=f"tenth of the train ratings, {first} {things} first",
                axis=alt.Axis(labelAngle=0)),
        y=alt.Y("rmse:Q", title=RMSE.label(unit), scale=alt.Scale(zero=False)),
        fields=tooltips(
            model="|text", decile="tenth|d", from_count=f"train ratings of its {things} from|,",
            to_count="to|,", n="test ratings|,", rmse="RMSE|.4f",
        ),
    )  # fmt: skip
    return Figure(
        name=name,
        title=title,
        caption=f"The {things} in order of their train ratings, cut into tenths of the train "
        f"ratings: the first has many {things} with few, the last few with many. Measured on all "
        "test ratings.",
        alt=f"Lines of the RMSE of each model from the {first} to the {last} {things}.",
        rows=rows,
        chart=chart,
    )


def _bin_of(spec: DataSpec) -> tuple[float, str]:
    """The width of the bins of scores, and the same in words."""
    if spec.unit == STARS:
        return _BIN, "a quarter star"
    width = (spec.max_rating - spec.min_rating) / _N_BINS or 1.0
    return width, f"{width:g}"


def _calibration_figure(scores: Mapping[str, Array], pairs: SampledPairs) -> Figure:
    rows: list[dict[str, Any]] = []
    width, words = _bin_of(pairs.spec)
    for model, scored in scores.items():
        bins = np.round(scored / width).astype(int)
        for number in np.unique(bins):
            inside = bins == number
            if inside.sum() >= _FEWEST:
                rows.append(
                    {
                        "model": model_title(model),
                        "score": round(float(scored[inside].mean(dtype=np.float64)), 4),
                        "rating": round(float(pairs.rating[inside].mean(dtype=np.float64)), 4),
                        "n_ratings": int(inside.sum()),
                    }
                )
    chart = _lines(
        scores,
        x=alt.X("score:Q", title=f"score, in steps of {words}", scale=alt.Scale(zero=False)),
        y=alt.Y("rating:Q", title="mean rating given", scale=alt.Scale(zero=False)),
        fields=tooltips(model="|text", score="score|.2f", rating="mean rating|.2f",
                        n_ratings="ratings"),
    )  # fmt: skip
    values = [row[column] for row in rows for column in ("score", "rating")] or [0, 1]
    return Figure(
        name="calibration",
        title="What a score means",
        caption="The mean of the ratings behind each score. On the dashed line a score is what it "
        f"says; above it, the model is too modest. {pairs.words()}",
        alt="Lines of the mean rating by score of each model, beside the diagonal.",
        rows=rows,
        chart=diagonal(min(values), max(values)) + chart,
    )


def _spread_figure(model: str, scores: Array, pairs: SampledPairs) -> Figure:
    """Predicted against actual of one model, as shares of each actual rating."""
    rows: list[dict[str, Any]] = []
    width, _ = _bin_of(pairs.spec)
    bins = np.floor(scores / width + 1e-6).astype(int)
    starts = group_starts(np.unique(pairs.rating).tolist(), is_count=False)
    start_of = np.array([starts[rating] for rating in pairs.rating.tolist()])
    is_grouped = len({*starts.values()}) < len(starts)
    given = "stars given" if pairs.spec.unit == STARS else "rating given"
    if is_grouped:
        given += ", from"
    for rating in np.unique(start_of):
        inside = start_of == rating
        for number, count in zip(*np.unique(bins[inside], return_counts=True), strict=True):
            rows.append(
                {
                    "rating": float(rating),
                    "from_score": round(float(number * width), 6),
                    "to_score": round(float((number + 1) * width), 6),
                    "percent": round(float(100 * count / inside.sum()), 3),
                    "n_ratings": int(count),
                }
            )
    chart = (
        new_chart(300)
        .mark_rect(fill=ACCENT)
        .encode(
            x=alt.X("rating:O", title=given, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("from_score:Q", bin="binned", title="score", scale=alt.Scale(zero=False)),
            y2="to_score:Q",
            opacity=alt.Opacity("percent:Q", legend=None, scale=alt.Scale(range=[0.04, 1])),
            tooltip=tooltips(
                rating=f"{given}|{'.1f' if pairs.spec.unit == STARS else ''}",
                from_score="score from|.2f", to_score="to|.2f",
                percent="per cent of these|.1f", n_ratings="ratings",
            ),
        )
    )  # fmt: skip
    return Figure(
        name="predicted-against-actual",
        title="Predicted against actual",
        caption=f"Scores of {model_title(model)}, the best model, by the rating that was "
        f"given: the stronger the colour, the more of its column. {pairs.words()}",
        alt=f"A map of the scores of {model_title(model)} for each rating given.",
        rows=rows,
        chart=chart,
    )


def _lines(
    models: Iterable[str], *, x: alt.X, y: alt.Y, fields: list[alt.Tooltip]
) -> alt.LayerChart:
    """One line a model, with points of their own shape and a legend to single one out."""
    selected = legend_filter("model")
    encodings = {
        "x": x,
        "y": y,
        "opacity": alt.condition(selected, alt.value(1), alt.value(0.08)),
        "tooltip": fields,
    } | model_encodings(list(models))
    lines = new_chart().mark_line(strokeWidth=2).encode(**encodings).add_params(selected)
    points = new_chart().mark_point(filled=True, size=40).encode(**encodings)
    return lines + points
