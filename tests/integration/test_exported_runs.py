"""What leaves bigrec: SavedModels read by TensorFlow alone, and the prize's submission format."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bigrec.cli.app import main

# Runs without bigrec: loads each SavedModel and prints what it gives for the pairs.
READER = """
import json, sys
import tensorflow as tf
folders, pairs = sys.argv[1:-1], json.loads(sys.argv[-1])
user_id, item_id = (tf.constant(pairs[name], tf.int64) for name in ("user_id", "item_id"))
answers = []
for folder in folders:
    by_call = tf.saved_model.load(folder)(user_id, item_id)
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    by_signature = signature(user_id=user_id, item_id=item_id)
    for name in by_call:
        assert by_call[name].numpy().tolist() == by_signature[name].numpy().tolist()
    answers.append({name: value.numpy().tolist() for name, value in by_call.items()})
assert "bigrec" not in sys.modules
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def flags(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("export")
    shutil.copytree(store_small, folder / "store")
    store = ["--store", str(folder / "store")]
    flags = [*store, "--runs", str(folder / "runs")]
    split = ["--min-item-ratings", "10", "--validation-fraction", "0.1", *store]
    assert main(["split", "create", "v", *split]) == 0
    for model, run in (("matrix-factorization", "mf"), ("autorec", "ar"), ("cosine-knn", "knn")):
        # The notebook's AutoRec is the model that takes rows.
        how = [] if run == "knn" else ["--preset", "notebook", "--epochs", "1"]
        assert main(["train", model, "--split", "v", "--run", run, *how, *flags]) == 0
    assert main(["blend", "mf", "ar", "knn", "--run", "blend", *flags]) == 0
    return flags


def test_saved_models_score_raw_ids_as_predict_does_without_bigrec(
    flags: list[str], store_small: Path, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    users = pl.read_parquet(store_small / "users.parquet")["user_id"].to_numpy()
    items = pl.read_parquet(store_small / "items.parquet")["item_id"].to_numpy()
    pairs = pl.DataFrame(
        {
            "user_id": [*random.choice(users, 300).tolist(), 2**40, -1, int(users[0]), 2**40],
            "item_id": [
                *random.choice(items, 300).tolist(),
                int(items[0]),
                int(items[1]),
                0,
                -5,
            ],
        }
    )
    pairs.write_csv(tmp_path / "pairs.csv")
    expected, folders = [], []
    # The blend has models of pairs, of rows and of neighbors in it.
    for run in ("ar", "blend"):
        out, folder = tmp_path / f"{run}.parquet", tmp_path / run
        asked = ["--pairs", str(tmp_path / "pairs.csv"), "--output", str(out)]
        assert main(["predict", run, *asked, *flags]) == 0
        # A process of its own: it has nothing of the training in memory.
        export = ["export", run, "--output", str(folder), *flags]
        subprocess.run([sys.executable, "-m", "bigrec", *export], check=True)
        expected.append(pl.read_parquet(out))
        folders.append(str(folder))
    environment = {**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    answer = subprocess.run(
        [sys.executable, "-c", READER, *folders, json.dumps(pairs.to_dict(as_series=False))],
        check=True, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    for found, wanted in zip(json.loads(answer.stdout), expected, strict=True):
        np.testing.assert_allclose(found["score"], wanted["score"], atol=1e-5)
        assert found["is_fallback"] == wanted["is_fallback"].to_list()
        assert 4 <= sum(found["is_fallback"]) < 300


def test_a_keras_model_comes_with_its_ids(flags: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "keras"
    command = ["export", "mf", "--format", "keras", "--output", str(folder), *flags]
    assert main(command) == 0
    assert main(command) == 2  # it exists now
    assert main([*command, "--overwrite"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "bigrec.json", "item_ids.npy", "model.keras", "user_ids.npy"
    ]  # fmt: skip
    assert np.all(np.diff(np.load(folder / "user_ids.npy")) > 0)


def test_what_cannot_be_exported_is_refused(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "x"), *flags]
    assert main(["export", "blend", "--format", "keras", *output]) == 6
    assert "--format saved-model" in capsys.readouterr().err
    assert main(["export", "mf", "--format", "onnx", *output]) == 2
    assert "saved-model, keras" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_qualifying_is_written_as_the_prize_took_it(
    flags: list[str], raw_small: Path, tmp_path: Path
) -> None:
    asked = ["predict", "mf", "--qualifying", "--output"]
    assert main([*asked, str(tmp_path / "q.txt"), *flags]) == 0
    assert main([*asked, str(tmp_path / "q.csv"), *flags]) == 0
    written = (tmp_path / "q.txt").read_text().splitlines()
    given = (raw_small / "qualifying.txt").read_text().splitlines()
    scores = pl.read_csv(tmp_path / "q.csv")
    assert len(written) == len(given)
    place, item = 0, 0
    for ours, theirs in zip(written, given, strict=True):
        if theirs.endswith(":"):
            assert ours == theirs
            item = int(theirs[:-1])
            continue
        user = int(theirs.split(",")[0])
        assert scores.row(place)[:2] in ((user, item), (item, user))
        assert float(ours) == pytest.approx(scores["score"][place], abs=2e-4)
        place += 1
    assert place == len(scores)


# Runs without bigrec: what each kind of ids gives, or how it is refused.
CALLER = """
import json, sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
user, item = json.loads(sys.argv[2])
calls = {
    "int64": (tf.constant(user, tf.int64), tf.constant(item, tf.int64)),
    "int32": (tf.constant(user, tf.int32), tf.constant(item, tf.int32)),
    "mixed": (tf.constant(user, tf.int32), tf.constant(item, tf.int64)),
    "mixed otherwise": (tf.constant(user, tf.int64), tf.constant(item, tf.int32)),
    "lists": (user, item),
    "arrays": (np.array(user), np.array(item)),
    "small arrays": (np.array(user, np.int32), np.array(item, np.int32)),
    "no lists": ([], []),
    "no tensors": (tf.zeros(0, tf.int64), tf.zeros(0, tf.int32)),
    "scalars": (user[0], item[0]),
    "two axes": ([user], [item]),
    "text": (["a"], ["b"]),
    "floats": ([1.5], [2.5]),
    "one for two": (user[:1], item[:2]),
    "no item": (user,),
}
told = {}
for name, ids in calls.items():
    try:
        told[name] = {key: value.numpy().tolist() for key, value in model(*ids).items()}
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        told[name] = str(error)
print(json.dumps(told))
"""


@pytest.mark.parametrize("run", ["mf", "ar"])
def test_saved_models_take_ids_of_any_whole_type_and_refuse_what_is_none(
    run: str, flags: list[str], store_small: Path, tmp_path: Path
) -> None:
    users = pl.read_parquet(store_small / "users.parquet")["user_id"].to_list()[:3]
    items = pl.read_parquet(store_small / "items.parquet")["item_id"].to_list()[:3]
    assert main(["export", run, "--output", str(tmp_path / "m"), *flags]) == 0
    environment = {**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    answer = subprocess.run(
        [sys.executable, "-c", CALLER, str(tmp_path / "m"), json.dumps([users, items])],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    told = json.loads(answer.stdout)
    for kind in ("int32", "mixed", "mixed otherwise", "lists", "arrays", "small arrays"):
        assert told[kind] == told["int64"], kind
    assert len(told["int64"]["score"]) == 3
    for kind in ("no lists", "no tensors"):
        assert told[kind] == {"score": [], "is_fallback": []}
    for kind in ("scalars", "two axes", "text", "floats"):
        assert "TensorSpec(shape=(None,), dtype=tf.int64, name='user_id')" in told[kind], kind
    assert "must be equal, but are 1 and 2" in told["one for two"]
    assert "item_id" in told["no item"]


def test_an_exported_model_does_not_hold_the_threads_of_who_exported_it(
    flags: list[str], tmp_path: Path
) -> None:
    exported = []
    for threads in ("1", "2"):
        folder = tmp_path / threads
        command = ["export", "knn", "--output", str(folder), "--threads", threads, *flags]
        subprocess.run([sys.executable, "-m", "bigrec", *command], check=True)
        exported.append((folder / "saved_model.pb").read_bytes())
    assert exported[0] == exported[1]
