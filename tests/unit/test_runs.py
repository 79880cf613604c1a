"""Run directories: unfinished ones stay apart, and nothing in one is ever executed."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from bigrec.datasets.training_data import TrainingData
from bigrec.errors import RunError, SettingsError, StoreError
from bigrec.models.baseline.bias import Biases
from bigrec.run_records import RunConfig
from bigrec.runs import RunDirectory, list_runs, open_run
from bigrec.store.seal import Kind, write_seal
from bigrec.unfinished import CHECKPOINT, write_run, writing_run
from tests.support.packed_pairs import SHARDS
from tests.support.runs import SPEC, make_config, make_metrics
from tests.support.sealing import rewrite_json, seal_again

OPTIONS = {"epochs": 3, "learning_rate": 0.1, "units": (1, 2)}
CONFIG = make_config(options=OPTIONS)


class Stopped(Exception):  # noqa: N818
    """What ends a training in these tests."""


def begin(runs: Path, config: RunConfig, *, resume: bool, checkpoint: bool = True) -> None:
    """Train up to a checkpoint and then fail."""
    with writing_run(runs, "r", config, overwrite=True, resume=resume) as folder:
        if checkpoint:
            (folder / CHECKPOINT).write_bytes(b"state")
        (folder / "metrics.json").write_text("{}")
        raise Stopped


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_an_unfinished_run_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False)
    assert names(tmp_path) == {".r.bigrec-unfinished"}
    assert list_runs(tmp_path) == []
    with pytest.raises(RunError, match="no run"):
        open_run(tmp_path, "r")


def test_a_failure_without_a_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False, checkpoint=False)
    assert names(tmp_path) == set()


def test_a_resumed_run_goes_on_in_its_folder_and_appears_without_the_checkpoint(
    tmp_path: Path,
) -> None:
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False)
    # Another environment, say another machine, is no hindrance.
    config = dataclasses.replace(CONFIG, environment={"bigrec": "2"})
    with writing_run(tmp_path, "r", config, overwrite=False, resume=True) as folder:
        assert (folder / CHECKPOINT).read_bytes() == b"state"
    assert names(tmp_path) == {"r"}
    assert [run.name for run in list_runs(tmp_path)] == ["r"]
    assert not (tmp_path / "r" / CHECKPOINT).exists()
    assert open_run(tmp_path, "r").config.environment == {"bigrec": "1"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"options": {**OPTIONS, "epochs": 4}}, "options.epochs was 3, is now 4"),
        (
            {"split": dataclasses.replace(CONFIG.split, digest="bb")},
            "split.digest was aa, is now bb",
        ),
        ({"seed": 1}, "seed was 4, is now 1"),
    ],
)
def test_a_resume_with_other_settings_is_refused(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False)
    with pytest.raises(RunError) as error:
        begin(tmp_path, dataclasses.replace(CONFIG, **change), resume=True)
    assert error.value.message.endswith(f"otherwise: {words}")
    # It is still there to be resumed as it was begun.
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=True)


def test_starting_anew_discards_the_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False)
    with writing_run(tmp_path, "r", CONFIG, overwrite=False, resume=False) as folder:
        assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert names(tmp_path) == {"r"}


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint of an unfinished run 'r'"):
        begin(tmp_path, CONFIG, resume=True)
    assert names(tmp_path) == set()


def test_a_complete_run_stays_until_another_is_complete(tmp_path: Path) -> None:
    with writing_run(tmp_path, "r", CONFIG, overwrite=False, resume=False) as folder:
        (folder / "first").touch()
    with (
        pytest.raises(RunError, match="exists already"),
        writing_run(tmp_path, "r", CONFIG, overwrite=False, resume=False),
    ):
        pass
    with pytest.raises(Stopped):
        begin(tmp_path, CONFIG, resume=False)
    assert (tmp_path / "r" / "first").exists()
    with writing_run(tmp_path, "r", CONFIG, overwrite=True, resume=True):
        pass
    assert not (tmp_path / "r" / "first").exists()


def test_two_trainings_of_one_run_are_kept_apart(tmp_path: Path) -> None:
    with writing_run(tmp_path, "r", CONFIG, overwrite=False, resume=False):  # noqa: SIM117
        with (
            pytest.raises(StoreError, match="another process"),
            writing_run(tmp_path, "r", CONFIG, overwrite=False, resume=False),
        ):
            pass
    with (
        pytest.raises(SettingsError, match="cannot name a run"),
        writing_run(tmp_path, ".r", CONFIG, overwrite=False, resume=False),
    ):
        pass


# Loading


def make_run(folder: Path, network: keras.Model, model: str = "dnn") -> RunDirectory:
    folder.mkdir()
    counts = np.ones(3, np.int32), np.ones(2, np.int32)
    users, items = np.zeros(3, np.float32), np.zeros(2, np.float32)
    write_run(
        folder, config=make_config(model), history=[], metrics=make_metrics(),
        biases=Biases(3.5, users, items, items, *counts), network=network,
    )  # fmt: skip
    write_seal(folder, Kind.RUN)
    return RunDirectory(folder)


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    """A split of three users and two items, one rating each."""
    shards = tmp_path / "shards"
    (shards / "train").mkdir(parents=True)
    np.save(shards / "train" / "indptr.npy", np.arange(4))
    np.save(shards / "train" / "item_index.npy", np.zeros(3, np.int32))
    np.save(shards / "train" / "rating.npy", np.ones(3, np.float32))
    return TrainingData(shards, "s", "aa", "a protocol", SPEC, *SHARDS[:0:-1])


def pair_model(layer: Any) -> keras.Model:
    inputs = [keras.Input((), dtype="int32"), keras.Input((), dtype="int32")]
    return keras.Model(inputs, layer(keras.layers.Concatenate()([i[:, None] for i in inputs])))


def test_a_model_that_holds_code_is_refused(data: TrainingData, tmp_path: Path) -> None:
    trap = tmp_path / "trapped"

    def spring(x: Any, path: str = str(trap)) -> Any:
        Path(path).touch()
        return x

    run = make_run(tmp_path / "r", pair_model(keras.layers.Lambda(spring)))
    trap.unlink()  # building the model has sprung it
    with pytest.raises(RunError, match="model of run 'r' cannot be read"):
        run.recommender(data)
    assert not trap.exists()


def test_arrays_of_another_version_are_told_of(data: TrainingData, tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)), "matrix-factorization")
    (run.folder / "representation").mkdir(exist_ok=True)
    np.save(run.folder / "representation" / "user_factors.npy", np.zeros((3, 1), np.float32))
    seal_again(run.folder)
    with pytest.raises(RunError, match=r"another version of bigrec.*found no item_factors"):
        run.recommender(data)


def test_a_model_of_unknown_or_foreign_classes_is_refused(
    data: TrainingData, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    path = tmp_path / "r" / "model.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    for module, name in (("os", "system"), ("subprocess", "Popen"), ("nowhere", "Layer")):
        changed = {**config, "module": module, "class_name": name, "registered_name": name}
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(
                    member, json.dumps(changed) if member == "config.json" else content
                )
        seal_again(run.folder)
        with pytest.raises(RunError, match="cannot be read"):
            RunDirectory(run.folder).recommender(data)
    path.write_bytes(b"no archive")
    seal_again(run.folder)
    with pytest.raises(RunError, match="cannot be read"):
        RunDirectory(run.folder).recommender(data)


def test_biases_are_never_unpickled(data: TrainingData, tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    assert run.recommender(data).biases.mean == 3.5
    np.savez(tmp_path / "r" / "biases.npz", mean=np.array([object()], dtype=object))
    seal_again(run.folder)
    with pytest.raises(RunError, match="cannot be read"):
        RunDirectory(run.folder).biases()


def test_another_state_of_the_split_is_refused(data: TrainingData, tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    changed = TrainingData(data.folder, "s", "bb", "a protocol", SPEC, *SHARDS[:0:-1])
    with pytest.raises(RunError, match="another state of split 's'"):
        run.recommender(changed)


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_a_run_of_another_version_is_refused(name: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    rewrite_json(run.folder / name, format_version=0)
    seal_again(run.folder)
    words = "run 'r' cannot be read here: it has format version 0, this bigrec reads 1"
    with pytest.raises(RunError, match=words) as caught:
        _ = RunDirectory(run.folder).config, RunDirectory(run.folder).metrics
    assert "train it again" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("config.json", {"seed": "four"}),
        ("config.json", {"split": {"name": "s"}}),
        ("config.json", {"spec": None}),
        ("config.json", {"unknown": 1}),
        ("metrics.json", {"primary": "stars"}),
        ("metrics.json", {"primary": "ndcg@10"}),
        ("metrics.json", {"test": {"rmse": "low"}}),
        ("metrics.json", {"n_test": None}),
    ],
)
def test_a_record_with_a_wrong_field_is_refused(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    rewrite_json(run.folder / name, **changes)
    seal_again(run.folder)
    with pytest.raises(RunError, match=f"{name} is damaged: a field lacks or is wrong"):
        _ = RunDirectory(run.folder).config, RunDirectory(run.folder).metrics


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", pair_model(keras.layers.Dense(1)))
    assert run.config == make_config()
    assert run.metrics == make_metrics()
