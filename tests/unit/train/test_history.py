"""history.jsonl and TensorBoard's files hold what each epoch gave, as soon as it has ended."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from bigrec.train.history import HistoryWriter
from tests.support.runs import make_epoch

FIRST = make_epoch(1, 0.81, 0.95, 0.96, 2.0, 5e5, 0.125)
SECOND = make_epoch(2, 0.64, None, 0.92, 2.0, 5e5, 0.25)


def read_curves(folder: Path) -> dict[tuple[str, int], float]:
    """All points of all event files of a folder, by name and step."""
    points = {}
    for path in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                points[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return points


def read_lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_epochs_are_readable_before_training_has_ended(tmp_path: Path) -> None:
    with HistoryWriter(tmp_path) as history:
        history.append(FIRST)
        assert [line["epoch"] for line in read_lines(tmp_path)] == [1]
        assert read_curves(tmp_path / "tensorboard")["rmse/test", 1] == pytest.approx(0.96)
        history.append(SECOND)
    assert [line["test"]["rmse"] for line in read_lines(tmp_path)] == [0.96, 0.92]
    curves = read_curves(tmp_path / "tensorboard")
    assert curves["rmse/train", 1] == pytest.approx(math.sqrt(0.81))
    assert curves["rmse/validation", 1] == pytest.approx(0.95)
    assert ("rmse/validation", 2) not in curves
    assert curves["rows_per_second", 2] == pytest.approx(5e5)
    assert curves["input_wait_seconds", 2] == pytest.approx(0.25)


def test_a_resumed_history_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    with HistoryWriter(tmp_path) as history:
        history.append(FIRST)
        history.append(make_epoch(2, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0))
        history.append(make_epoch(3, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0))
    with HistoryWriter(tmp_path, [FIRST]) as history:
        history.append(SECOND)
    assert [line["train_loss"] for line in read_lines(tmp_path)] == [0.81, 0.64]
    curves = read_curves(tmp_path / "tensorboard")
    assert max(step for _, step in curves) == 2
    assert curves["rmse/test", 2] == pytest.approx(0.92)
