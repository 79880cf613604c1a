"""Scores of given pairs: a file of pairs, the official probe, or the qualifying set."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import DataError
from bigrec.models.scoring import Recommender
from bigrec.schema import MOVIE_ID, RATING, USER_ID
from bigrec.store.catalog import Catalog
from bigrec.store.writer import publishing_file

Array = np.ndarray[Any, Any]

_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class PredictSummary:
    """What a prediction wrote."""

    n_pairs: int
    n_fallback: int
    """Pairs whose user or movie has no train row, scored by the bias model."""
    rmse: float | None
    """For the probe: RMSE against the ratings of the store, in stars. None otherwise."""
    n_in_train: int | None
    """For the probe: pairs that the run was trained on, which makes the RMSE too good."""
    output: str
    """The file."""


def read_pairs(path: Path) -> pl.DataFrame:
    """Read a csv file with the columns user_id and movie_id.

    Raises:
        DataError: the file is missing, lacks a column, or holds something that is no id.
    """
    if not path.exists():
        raise DataError(f"{path} is missing")
    try:
        frame = pl.read_csv(path, schema_overrides={USER_ID: pl.Int64, MOVIE_ID: pl.Int64})
        return frame.select(USER_ID, MOVIE_ID)
    except pl.exceptions.PolarsError as error:
        found = next(csv.reader(path.read_text(errors="replace").splitlines()[:1]), [])
        raise DataError(
            f"{path} cannot be read as pairs: expected columns user_id and movie_id with whole "
            f"numbers, found the header {','.join(found)!r}: {str(error).splitlines()[0]}"
        ) from error


def predict_pairs(
    recommender: Recommender, data: TrainingData, pairs: pl.DataFrame, output: Path
) -> PredictSummary:
    """Score pairs and write user_id, movie_id, score, is_fallback to a csv or parquet file.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        pairs: user_id and movie_id, any order; the output keeps it.
        output: ends in .csv or .parquet.

    Raises:
        DataError: the output has another ending.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise DataError(f"{output} ends in {output.suffix!r}, expected .csv or .parquet")
    scores, cold = _score(recommender, data, pairs)
    frame = pairs.with_columns(score=pl.Series(scores), is_fallback=pl.Series(cold))
    with publishing_file(output) as partial:
        if output.suffix == ".csv":
            frame.write_csv(partial, float_precision=4)
        else:
            frame.write_parquet(partial)
    return PredictSummary(len(pairs), int(cold.sum()), None, None, str(output))


def predict_probe(
    recommender: Recommender, data: TrainingData, catalog: Catalog, output: Path
) -> PredictSummary:
    """Score the official probe and measure it against the ratings of the store."""
    pairs = catalog.probe().collect().select(USER_ID, MOVIE_ID)
    summary = predict_pairs(recommender, data, pairs, output)
    truth = (
        catalog.ratings()
        .join(pairs.lazy(), on=[MOVIE_ID, USER_ID], how="inner")
        .select(USER_ID, MOVIE_ID, RATING)
        .collect()
    )
    scores, _ = _score(recommender, data, truth)
    squares = np.square(scores.astype(np.float64) - truth[RATING].to_numpy())
    rmse = math.sqrt(float(squares.mean())) if len(squares) else None
    n_in_train = _count_trained(recommender, data, truth)
    return PredictSummary(summary.n_pairs, summary.n_fallback, rmse, n_in_train, str(output))


def _score(
    recommender: Recommender, data: TrainingData, pairs: pl.DataFrame
) -> tuple[Array, Array]:
    """Scores and whether the fallback gave them, in the order of the pairs."""
    user_index = _find(data.user_ids, pairs[USER_ID].to_numpy())
    movie_index = _find(data.movie_ids, pairs[MOVIE_ID].to_numpy())
    order = np.lexsort((movie_index, user_index))
    scores = np.empty(len(pairs), np.float32)
    cold = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), _ROWS_AT_ONCE):
        part = order[start : start + _ROWS_AT_ONCE]
        scores[part], cold[part] = recommender.score_pairs(user_index[part], movie_index[part])
    return scores, cold


def _count_trained(recommender: Recommender, data: TrainingData, pairs: pl.DataFrame) -> int:
    user_index = _find(data.user_ids, pairs[USER_ID].to_numpy())
    movie_index = _find(data.movie_ids, pairs[MOVIE_ID].to_numpy())
    users, place = np.unique(user_index, return_inverse=True)
    known = users >= 0
    rows = recommender.rows.take(users[known])
    n_movies = data.spec.n_movies
    trained = np.repeat(users[known].astype(np.int64), rows.lengths()) * n_movies + rows.movie_index
    wanted = users[place].astype(np.int64) * n_movies + movie_index
    return int(np.isin(wanted[(user_index >= 0) & (movie_index >= 0)], trained).sum())


def _find(ids: Array, wanted: Array) -> Array:
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[places] == wanted, places, -1).astype(np.int32)
