"""Scores of given pairs: a file of pairs, the official probe, or the qualifying set.

The ending of the file that they are written to decides its form:

    .csv, .parquet    user_id, item_id, score, is_fallback
    .txt              as the Netflix Prize took submissions: a line `item_id:` before the pairs of
                      an item, then a score a line, in the order of the pairs. The store keeps
                      qualifying.txt in its own order, so that lines match.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from bigrec.datasets.training_data import TrainingData
from bigrec.models.scoring import Scorer
from bigrec.recommend.endings import check_ending
from bigrec.schema import DATE, EPOCH_DAY, ITEM_ID, RATING, USER_ID
from bigrec.store.catalog import Catalog
from bigrec.store.publish import publishing_file
from bigrec.store.vocabulary import items_of, users_of

ENDINGS: Final = (".csv", ".parquet", ".txt")
"""Of the files that can be written."""

_ROWS_AT_ONCE: Final = 1 << 16


@dataclass(frozen=True)
class PredictSummary:
    """What a prediction scored and wrote."""

    n_pairs: int
    n_fallback: int
    """Pairs whose user or item has no train row, scored by the bias model."""
    rmse: float | None
    """For the probe: RMSE against the ratings of the store, in stars. None otherwise."""
    n_in_train: int | None
    """For the probe: pairs that the run was trained on, which makes the RMSE too good."""
    output: str | None
    """The file; None if there was to be none."""


def predict_pairs(
    recommender: Scorer, data: TrainingData, catalog: Catalog, pairs: pl.DataFrame, output: Path
) -> PredictSummary:
    """Score pairs and write them to a file.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        pairs: user_id, item_id and perhaps date, any order; the output keeps it. Dates matter to
            a run with day biases.
        output: ends in .csv, .parquet or .txt; see the module.

    Raises:
        SettingsError: the output names no file.
        DataError: it has another ending.
        RunError: the model gives scores that are no numbers.
    """
    check_ending(output, *ENDINGS)
    scored = score_frame(recommender, data, catalog, pairs)
    _write_scored(scored, output)
    return PredictSummary(len(scored), int(scored["is_fallback"].sum()), None, None, str(output))


def predict_probe(
    recommender: Scorer, data: TrainingData, catalog: Catalog, output: Path | None = None
) -> PredictSummary:
    """Score the official probe, and measure it against its ratings.

    A probe pair that the store has no rating of is scored, and left out of the RMSE.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store, which holds the probe and its ratings.
        output: as in `predict_pairs`; None writes no file.

    Raises:
        SettingsError: the output names no file.
        DataError: it has another ending.
        RunError: the model gives scores that are no numbers.
    """
    if output is not None:
        check_ending(output, *ENDINGS)
    pairs = catalog.probe().select(USER_ID, ITEM_ID).collect()
    if recommender.biases.days is not None:
        # The table of a join is that of its right side, which must not be all ratings.
        dates = catalog.ratings().select(USER_ID, ITEM_ID, DATE)
        found = dates.join(pairs.lazy(), on=[USER_ID, ITEM_ID], how="inner").collect()
        pairs = pairs.join(found, on=[USER_ID, ITEM_ID], how="left", maintain_order="left")
    scored = _score_ids(recommender, data, pairs)
    if output is not None:
        _write_scored(with_keys(catalog, scored), output)
    rated = (
        catalog.ratings()
        .select(USER_ID, ITEM_ID, RATING)
        .join(scored.lazy(), on=[USER_ID, ITEM_ID], how="inner")
        .collect()
    )
    rmse = None
    if len(rated):
        differences = rated["score"].cast(pl.Float64) - rated[RATING]
        rmse = math.sqrt(float((differences**2).sum()) / len(rated))
    return PredictSummary(
        n_pairs=len(scored),
        n_fallback=int(scored["is_fallback"].sum()),
        rmse=rmse,
        n_in_train=_count_trained(recommender, data, rated),
        output=None if output is None else str(output),
    )


def score_frame(
    recommender: Scorer, data: TrainingData, catalog: Catalog, pairs: pl.DataFrame
) -> pl.DataFrame:
    """Score pairs.

    Args:
        recommender: the trained model.
        data: the split that it was trained on.
        catalog: the store.
        pairs: user_id, item_id and perhaps date, in any order, ids as in the source.

    Returns:
        The ids of the pairs with score and is_fallback, in the same order.

    Raises:
        RunError: the model gives scores that are no numbers.
    """
    numbered = pairs.with_columns(
        [
            pl.Series(found.id_column, found.ids_of(pairs[found.id_column]))
            for found in (users_of(catalog), items_of(catalog))
            if found.has_keys
        ]
    )
    scored = _score_ids(recommender, data, numbered)
    return scored.with_columns(pairs[USER_ID], pairs[ITEM_ID])


def with_keys(catalog: Catalog, pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs of the store as its source calls them.

    Args:
        catalog: the store.
        pairs: have user_id and item_id of the store.
    """
    return pairs.with_columns(
        [
            found.keys_of(pairs[found.id_column].to_numpy()).alias(found.id_column)
            for found in (users_of(catalog), items_of(catalog))
            if found.has_keys
        ]
    )


def _score_ids(recommender: Scorer, data: TrainingData, pairs: pl.DataFrame) -> pl.DataFrame:
    """As `score_frame`, of ids of the store."""
    user_index = data.find_users(pairs[USER_ID].to_numpy())
    item_index = data.find_items(pairs[ITEM_ID].to_numpy())
    day = np.full(len(pairs), -1, np.int32)
    if DATE in pairs.columns:
        day = (pairs[DATE].cast(pl.Int32) + EPOCH_DAY).fill_null(-1).to_numpy()
    order = np.lexsort((item_index, user_index))
    scores = np.empty(len(pairs), np.float32)
    cold = np.empty(len(pairs), bool)
    for start in range(0, len(pairs), _ROWS_AT_ONCE):
        part = order[start : start + _ROWS_AT_ONCE]
        scores[part], cold[part] = recommender.score_pairs(
            user_index[part], item_index[part], day[part]
        )
    return pairs.select(USER_ID, ITEM_ID).with_columns(
        score=pl.Series(scores), is_fallback=pl.Series(cold)
    )


def _write_scored(scored: pl.DataFrame, output: Path) -> None:
    with publishing_file(output) as partial:
        if output.suffix.lower() == ".csv":
            scored.write_csv(partial, float_precision=4)
        elif output.suffix.lower() == ".parquet":
            scored.write_parquet(partial)
        else:
            _write_submission(scored, partial)


def _write_submission(scored: pl.DataFrame, path: Path) -> None:
    """A header line where the item changes, then a score a line."""
    is_new = pl.col(ITEM_ID).ne_missing(pl.col(ITEM_ID).shift(1))
    header = pl.when(is_new).then(pl.format("{}:\n", ITEM_ID)).otherwise(pl.lit(""))
    score = pl.col("score").cast(pl.Float64).round(4)
    lines = scored.select(pl.format("{}{}", header, score))
    lines.write_csv(path, include_header=False, quote_style="never")


def _count_trained(recommender: Scorer, data: TrainingData, pairs: pl.DataFrame) -> int:
    """How many of the pairs are in the train subset."""
    user_index = data.find_users(pairs[USER_ID].to_numpy())
    item_index = data.find_items(pairs[ITEM_ID].to_numpy())
    known = (user_index >= 0) & (item_index >= 0)
    n_items = data.spec.n_items
    users = np.unique(user_index[known])
    rows = recommender.rows.take(users)
    trained = np.repeat(users.astype(np.int64), rows.lengths()) * n_items + rows.column
    wanted = user_index[known].astype(np.int64) * n_items + item_index[known]
    return int(np.isin(wanted, trained).sum())
