"""A package of a stranger's, installed by pip, adds one source and one model to every command.

Each is one file of that package, and nothing of bigrec is touched.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
SOURCE_FILE, MODEL_FILE = (
    re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)[0]
    for page in ("adding-a-source.md", "adding-a-model.md")
)
# The page's model, which also says how it scores in TensorFlow.
MODEL_FILE = MODEL_FILE.replace(
    "class DampedMean(Model):",
    """    def graph(self):
        import tensorflow as tf

        means = tf.Variable(self.item_mean, trainable=False)

        class Graph(tf.Module):
            def __init__(self):
                super().__init__()
                self.means = means

            def __call__(self, user_index, item_index):
                return tf.gather(self.means, item_index)

        return Graph()


class DampedMean(Model):""",
).replace("\n\n\n    def graph", "\n\n    def graph")
ENTRY_POINTS = """[bigrec.sources]
bookclub = toy.bookclub:BookClubSource

[bigrec.models]
damped-mean = toy.damped_mean:MODEL
"""
N_USERS, N_BOOKS = 60, 30


def build_wheel(folder: Path) -> Path:
    """A wheel as the packaging specifications say: files, metadata, and a record of them."""
    about = "toy-1.0.dist-info"
    files = {
        "toy/__init__.py": "",
        "toy/bookclub.py": SOURCE_FILE,
        "toy/damped_mean.py": MODEL_FILE,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{about}/entry_points.txt": ENTRY_POINTS,
    }
    record = ""
    path = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{name},sha256={digest.decode().rstrip('=')},{len(text.encode())}\n"
        wheel.writestr(f"{about}/RECORD", f"{record}{about}/RECORD,,\n")
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The files of the book club."""
    folder = tmp_path / "raw"
    folder.mkdir()
    random = np.random.default_rng(0)
    member, book = np.nonzero(random.random((N_USERS, N_BOOKS)) < 0.5)
    stars = np.clip(np.rint(random.normal(3 + book % 7, 1)), 1, 10)
    reviews = {
        "member": member + 1, "book": book + 1, "stars": stars,
        "written": pa.array(random.integers(10_000, 11_000, len(book)), pa.int32()).cast(
            pa.date32()
        ),
    }  # fmt: skip
    pq.write_table(pa.table(reviews), folder / "reviews.parquet")
    number = np.arange(1, N_BOOKS + 1)
    titles = {"book": number, "title": [f"Book {n}" for n in number], "year": 1900 + number}
    pacsv.write_csv(pa.table(titles), folder / "books.csv")
    return folder


def test_a_source_and_a_model_of_one_file_each_go_the_whole_road(raw: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(build_wheel(tmp_path))], check=True)
    path = os.pathsep.join([str(site), str(ROOT / "src")])

    def bigrec(*argv: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bigrec", *argv], cwd=tmp_path, text=True, check=False,
            capture_output=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(bigrec("ingest", "raw", "--json"))["source"] == "bookclub"
    bigrec("split", "create", "s")
    trained = json.loads(bigrec("train", "damped-mean", "--split", "s", "--run", "d", "--json"))
    reviews = pq.read_table(raw / "reviews.parquet")
    spread = float(np.std(reviews["stars"].to_numpy()))
    assert 0.9 < trained["test"]["rmse"] < 1.2 < spread  # ratings are normal around the book's mean
    listed = json.loads(bigrec("recommend", "d", "1", "--top", "3", "--json"))["items"]
    assert [item["title"] for item in listed] == [f"Book {item['item_id']}" for item in listed]
    bigrec("export", "d", "--output", "exported")
    scored = tmp_path / "scored.csv"
    (tmp_path / "pairs.csv").write_text(
        "user_id,book_id\n" + "".join(f"1,{item['item_id']}\n" for item in listed)
    )
    bigrec("predict", "d", "--pairs", "pairs.csv", "--output", str(scored))
    score = "import tensorflow as tf, numpy as np, json; "
    score += "model = tf.saved_model.load('exported'); "
    score += f"items = {[item['item_id'] for item in listed]}; "
    score += "found = model(np.ones(len(items), np.int64), np.array(items)); "
    score += "print(json.dumps(found['score'].numpy().tolist()))"
    done = subprocess.run(
        [sys.executable, "-c", score], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    ours = pacsv.read_csv(scored)["score"].to_pylist()
    np.testing.assert_allclose(json.loads(done.stdout), ours, atol=1e-4)  # four digits in csv
