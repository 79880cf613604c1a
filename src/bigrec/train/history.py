"""What each epoch gave, written down as training goes: history.jsonl and TensorBoard scalars."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import tensorflow as tf

from bigrec.run_records import EpochSummary
from bigrec.runs import HISTORY, TENSORBOARD


class HistoryWriter:
    """Writes a line and a point a curve for each epoch, readable as soon as the epoch has ended."""

    def __init__(self, folder: Path, past: Iterable[EpochSummary] = ()) -> None:
        """Begin, or begin again after the epochs of the past.

        Args:
            folder: of the run.
            past: epochs that a resumed training has behind it.
        """
        shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
        self._lines = (folder / HISTORY).open("w", encoding="utf-8")
        self._curves = tf.summary.create_file_writer(str(folder / TENSORBOARD))
        for epoch in past:
            self.append(epoch)

    def append(self, epoch: EpochSummary) -> None:
        """Write down one more epoch."""
        self._lines.write(json.dumps(dataclasses.asdict(epoch)) + "\n")
        self._lines.flush()
        points = {
            **{f"{name}/test": value for name, value in epoch.test.items()},
            **{f"{name}/validation": value for name, value in (epoch.validation or {}).items()},
            "rows_per_second": epoch.rows_per_second,
            "input_wait_seconds": epoch.input_wait_seconds,
        }
        if epoch.train_loss is not None:
            points["rmse/train"] = math.sqrt(epoch.train_loss)
        with self._curves.as_default(step=epoch.epoch), tf.device("/CPU:0"):
            for name, value in points.items():
                tf.summary.write(name, tf.constant(value), metadata=_scalar())
        self._curves.flush()

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._curves.close()


def _scalar() -> tf.compat.v1.SummaryMetadata:
    """Marks a value for TensorBoard's scalars page, as its tf.summary.scalar does.

    That function is TensorBoard's own; the files can be written without it.
    """
    metadata = tf.compat.v1.SummaryMetadata
    return metadata(
        plugin_data=metadata.PluginData(plugin_name="scalars"),
        data_class="DATA_CLASS_SCALAR",
    )
