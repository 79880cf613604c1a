"""Trainings that are killed, interrupted, resumed and repeated, with real processes and signals."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bigrec.cli.app import main
from bigrec.datasets.training_data import TrainingData, open_training_data
from bigrec.models.knn import tiled_search
from bigrec.models.knn.search_progress import SearchProgress
from bigrec.models.options import override
from bigrec.models.registry import MODELS
from bigrec.resources import Silent, peak_rss_bytes
from bigrec.run_records import SplitRecord
from bigrec.runs import RunDirectory, list_runs, open_run
from bigrec.train.device_options import DeviceOptions
from bigrec.train.interrupts import TrainingInterrupted
from bigrec.train.train import train_model
from bigrec.unfinished import CHECKPOINT

# Small layers and batches: many blocks an epoch, quickly.
SMALL = {
    "matrix-factorization": {"batch_size": "16"},
    "autorec": {"batch_size": "32", "first_units": "16", "hidden_dropout": "0.3"},
    "dnn": {
        "batch_size": "16",
        "first_units": "8",
        "second_units": "4",
        "dropout": "0.3",
        "start_from_factors": "false",
        "learning_rate": "0.1",
    },
}


@pytest.fixture(scope="module")
def home(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that has one materialized split with all three subsets."""
    folder = tmp_path_factory.mktemp("lifecycle")
    shutil.copytree(store_small, folder / "store")
    create = ["split", "create", "s", "--min-item-ratings", "20", "--validation-fraction", "0.1"]
    assert main([*create, "--materialize", "--store", str(folder / "store")]) == 0
    return folder


def argv(home: Path, model: str, run: str, epochs: int, *more: str) -> list[str]:
    changes = [f"--set={key}={value}" for key, value in SMALL[model].items()]
    return [
        "train", model, "--split", "s", "--run", run, "--epochs", str(epochs), *changes, *more,
        "--store", str(home / "store"), "--runs", str(home / "runs"),
    ]  # fmt: skip


def neighbors_argv(home: Path, run: str) -> list[str]:
    """The training that takes the least time."""
    at = ["--store", str(home / "store"), "--runs", str(home / "runs")]
    return ["train", "cosine-knn", "--split", "s", "--preset", "notebook", "--run", run, *at]


@contextmanager
def child_at(line: str, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A bigrec process that has just written a line with this text."""
    command = [sys.executable, "-m", "bigrec", *arguments]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    try:
        written = []
        for text in child.stderr:
            written.append(text)
            if line in text:
                break
        assert line in written[-1], written
        yield child
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def weights(run: RunDirectory) -> list[Any]:
    model = keras.models.load_model(run.folder / "model.keras", compile=False)
    return [weight.numpy() for weight in model.weights]


def assert_same(one: RunDirectory, two: RunDirectory) -> None:
    """Weights, errors and history are the same bits; only times may differ."""
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("test", "validation", "kept_epoch"):
        assert getattr(one.metrics, name) == getattr(two.metrics, name)
    for a, b in zip(one.history, two.history, strict=True):
        for name in ("epoch", "train_loss", "validation", "test"):
            assert getattr(a, name) == getattr(b, name)


def test_a_killed_training_leaves_the_old_run_and_resumes_bit_for_bit(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = home / "runs"
    assert main(neighbors_argv(home, "r")) == 0
    before = snapshot(runs / "r")
    days = ["--set", "day_biases=true"]  # so that there are shards of its own to clean up
    arguments = argv(home, "dnn", "r", 4, *days, "--overwrite", "--checkpoint-steps", "1")
    checkpoint = runs / ".r.bigrec-unfinished" / CHECKPOINT
    with child_at("2/4", arguments) as child:
        saved = checkpoint.stat().st_mtime_ns
        while checkpoint.stat().st_mtime_ns == saved:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert snapshot(runs / "r") == before
    assert [run.name for run in list_runs(runs)] == ["r"]

    capsys.readouterr()
    assert main([*arguments, "--resume"]) == 0
    words = capsys.readouterr().err
    assert "1/4" not in words
    assert "4/4" in words
    assert main(argv(home, "dnn", "whole", 4, *days)) == 0
    assert_same(open_run(runs, "r"), open_run(runs, "whole"))
    assert {path.name for path in (runs / "r").iterdir()} == {
        path.name for path in (runs / "whole").iterdir()
    }
    assert not checkpoint.parent.exists()


# Trains with small tiles, of which there are many then.
TRAIN_IN_TILES = """
import sys
from bigrec.models.knn import tiled_search
from bigrec.cli.app import main
tiled_search._TILE_ROWS = 16
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_search_for_neighbors_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = home / "runs"
    often = [*neighbors_argv(home, "n"), "--checkpoint-minutes", "0"]
    checkpoint = runs / ".n.bigrec-unfinished" / CHECKPOINT
    child = subprocess.Popen([sys.executable, "-c", TRAIN_IN_TILES, *often])
    try:
        while not checkpoint.exists():
            assert child.poll() is None
            time.sleep(0.001)
    finally:
        child.kill()
    assert child.wait() == -signal.SIGKILL
    assert not (runs / "n").exists()
    with np.load(checkpoint) as saved:
        n_saved = int(saved["n_done"])
    assert n_saved > 0
    finished: list[int] = []
    finish = SearchProgress.finish

    def note(state: SearchProgress, n_done: int) -> None:
        finished.append(n_done)
        finish(state, n_done)

    monkeypatch.setattr(SearchProgress, "finish", note)
    monkeypatch.setattr(tiled_search, "_TILE_ROWS", 16)
    assert main([*often, "--resume"]) == 0
    assert finished[0] == n_saved + 1
    assert main(neighbors_argv(home, "uninterrupted")) == 0
    resumed, whole = open_run(runs, "n"), open_run(runs, "uninterrupted")
    assert resumed.metrics.test["rmse"] == whole.metrics.test["rmse"]
    for name, values in whole.representation.items():
        np.testing.assert_array_equal(resumed.representation[name], values)
    assert not (resumed.folder / CHECKPOINT).exists()


def test_ctrl_c_saves_and_says_how_to_go_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = home / "runs"
    arguments = argv(home, "matrix-factorization", "i", 5000)
    with child_at("2/5000", arguments) as child:
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        words = child.stderr.read()
        assert child.wait() == 130
    assert "interrupted" in words
    assert "--resume" in words
    assert "Traceback" not in words
    assert not (runs / "i").exists()
    assert (runs / ".i.bigrec-unfinished" / CHECKPOINT).exists()
    assert len((runs / ".i.bigrec-unfinished" / "history.jsonl").read_text().splitlines()) >= 2

    capsys.readouterr()
    assert main([*arguments, "--resume", "--seed", "1", "--set", "learning_rate=0.5"]) == 6
    words = capsys.readouterr().err
    assert "seed was 0, is now 1" in words
    assert re.search(r"options\.learning_rate was [0-9.]+, is now 0\.5", words)
    # The same command without --resume starts from the beginning.
    assert main(argv(home, "matrix-factorization", "i", 1)) == 0
    assert "starting i anew" in capsys.readouterr().err
    assert len(open_run(runs, "i").history) == 1


class StrikesInEpochTwo(Silent):
    """A Progress that sends this process a real Ctrl-C after three blocks of the second epoch."""

    def __init__(self) -> None:
        self._left: float = math.inf

    def start(self, task: str, total: int, unit: str) -> None:
        self._left = 3 if task.startswith("epoch 2/") else math.inf

    def advance(self, n_done: int, n_rows: int = 0) -> None:
        self._left -= bool(n_rows)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGINT)


def training_data(home: Path) -> TrainingData:
    return open_training_data(home / "store" / "splits" / "s" / "shards")


@pytest.mark.parametrize(
    ("model", "preset", "changes", "cache"),
    [
        ("matrix-factorization", "notebook", {"schedule": "cosine", "warmup": "1"}, "device"),
        ("autorec", "notebook", {"patience": "1", "second_units": "8"}, "auto"),
    ],
)
def test_an_interrupted_training_resumes_bit_for_bit(
    model: str, preset: str, changes: dict[str, str], cache: str, home: Path, tmp_path: Path
) -> None:
    data = training_data(home)
    settings = {**SMALL[model], "epochs": "3", **changes}
    options = override(MODELS[model].presets[preset], settings)
    device = DeviceOptions(cache=cache)
    common: dict[str, Any] = {"preset": preset, "runs": tmp_path, "device": device}
    train_model(data, model, options, run="whole", **common)
    with pytest.raises(TrainingInterrupted, match=r"stopped in epoch 2 of 3"):
        train_model(data, model, options, run="r", **common, progress=StrikesInEpochTwo())
    train_model(data, model, options, run="r", **common, resume=True)
    assert_same(open_run(tmp_path, "r"), open_run(tmp_path, "whole"))


TRAIN_ALL = """
import sys
from bigrec.cli.app import main
import json
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0
"""


def test_the_same_seed_gives_the_same_weights_in_another_process(home: Path) -> None:
    models = ("matrix-factorization",)
    commands = [argv(home, model, f"child-{model}", 1, "--seed", "3") for model in models]
    subprocess.run([sys.executable, "-c", TRAIN_ALL, json.dumps(commands)], check=True)
    for model in models:
        assert main(argv(home, model, f"here-{model}", 1, "--seed", "3")) == 0
        here, there = (open_run(home / "runs", f"{at}-{model}") for at in ("here", "child"))
        assert_same(here, there)
        assert (there.metrics.peak_rss_bytes or 0) > 100 << 20
    other = argv(home, "matrix-factorization", "other-seed", 1, "--seed", "4")
    assert main(other) == 0
    seeds = [open_run(home / "runs", name) for name in ("other-seed", "here-matrix-factorization")]
    assert seeds[0].metrics.test["rmse"] != seeds[1].metrics.test["rmse"]


def test_early_stopping_needs_a_validation_subset(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(home / "store")]
    assert main(["split", "create", "two-subsets", "--min-item-ratings", "20", *store]) == 0
    arguments = argv(home, "dnn", "p", 1, "--set", "patience=2")
    arguments[arguments.index("s")] = "two-subsets"
    assert main(arguments) == 2
    assert "--validation-fraction" in capsys.readouterr().err


def test_memory_that_was_held_before_is_not_that_of_a_training(home: Path) -> None:
    hog = bytearray(peak_rss_bytes() + (256 << 20))
    hog[::4096] = b"x" * len(hog[::4096])
    del hog
    assert main(neighbors_argv(home, "after-a-hog")) == 0
    assert open_run(home / "runs", "after-a-hog").metrics.peak_rss_bytes is None


def test_a_run_tells_how_it_was_made(home: Path) -> None:
    data = training_data(home)
    assert main(argv(home, "autorec", "told", 2, "--set", "schedule=exponential")) == 0
    run = open_run(home / "runs", "told")
    saved = json.loads((data.folder.parent / "split.json").read_text())
    assert run.config.split == SplitRecord("s", saved["digest"], saved["protocol"], saved["spec"])
    assert run.config.preset == "tuned"
    assert run.config.options["schedule"] == "exponential"
    assert run.config.seed == 0
    assert run.config.device is not None
    assert run.config.device.used in (("/CPU:0",), ("/GPU:0",))
    assert (run.config.device.precision, run.config.device.cache) == ("float32", "off")
    assert {"tensorflow", "bigrec", "python", "cpu", "n_cpus"} < set(run.config.environment)
    assert run.metrics.train_seconds == sum(epoch.seconds for epoch in run.history)
    assert run.metrics.validation == run.history[-1].validation
    assert {path.name for path in run.folder.iterdir()} == {
        "config.json", "history.jsonl", "metrics.json", "model.keras", "biases.npz",
        "representation", "tensorboard", "bigrec.json",
    }  # fmt: skip
