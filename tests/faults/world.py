"""The world that faults happen in: raw files, a store with a split, runs, and what is done there.

A job is a command with what it may write. Its state before and after is known: `before` is what the
world holds when it is made, `after` what the undisturbed job leaves. Whatever disturbs it, each
target must be in one of these two states.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigrec.store.seal import SEAL, mark_kind

BIGREC = str(Path(sys.executable).with_name("bigrec"))
SECONDS = 300
ERRORS = (2, 3, 4, 5, 6)
"""The exit codes of errors that bigrec raises on purpose."""


@dataclass(frozen=True)
class Job:
    """A command, and what it may write."""

    name: str
    arguments: tuple[str, ...]
    target: str = ""
    """Path of what it writes, below the world; empty for one that writes nothing."""


JOBS = (
    Job("ingest", ("ingest", "raw2", "--store", "other", "--overwrite"), "other"),
    Job("ingest a new store", ("ingest", "raw2", "--store", "new"), "new"),
    Job("ingest a table", ("ingest", "new.csv", "--items", "items.csv", "--store", "shop",
                           "--overwrite"), "shop"),
    Job("split", ("split", "create", "t", "--seed", "4"), "store/splits/t"),
    Job("materialize", ("split", "create", "u", "--seed", "5", "--materialize"),
        "store/splits/u/shards"),
    Job("train knn", ("train", "cosine-knn", "--split", "s", "--run", "k2", "--overwrite"),
        "runs/k2"),
    Job("train mf", ("train", "matrix-factorization", "--split", "s", "--run", "mf2", "--epochs",
                     "3", "--checkpoint-steps", "1", "--overwrite"), "runs/mf2"),
    Job("train on a new split", ("train", "cosine-knn", "--split", "fresh", "--run", "k3",
                                 "--set", "day_biases=true", "--overwrite"), "runs/k3"),
    Job("blend", ("blend", "knn", "mf", "--run", "both", "--overwrite"), "runs/both"),
    # On one thread, as in the smallest budget: BLAS adds in another order on several.
    Job("recommend --all", ("recommend", "mf", "--all", "--output", "top.parquet",
                            "--threads", "1"), "top.parquet"),
    Job("predict", ("predict", "mf", "--probe", "--output", "probe.csv"), "probe.csv"),
    Job("report", ("report", "--output", "report.html"), "report.html"),
    Job("export", ("export", "knn", "--output", "exported", "--overwrite"), "exported"),
    Job("catalog", ("catalog", "--output", "c.duckdb", "--overwrite"), "c.duckdb"),
    Job("sql", ("sql", "SELECT *, random() AS r FROM ratings, range(60)", "--output", "q.parquet"),
        "q.parquet"),
    Job("synth", ("synth", "raw3", "--ratings", "30000"), "raw3"),
)  # fmt: skip

READERS = (
    ("info", "--json"),
    ("sql", "SELECT count(*), sum(rating), max(date), min(user_id) FROM ratings_by_user"),
    ("sql", "SELECT count(*) AS n, sum(n_train) AS t FROM split_users", "--split", "s"),
    ("sql", "SELECT count(key), min(key), max(key), sum(price) FROM items", "--store", "shop"),
    ("sql", "SELECT sum(rating), max(time), min(user_id) FROM ratings", "--store", "shop"),
    ("check", "--store", "shop"),
    ("split", "list", "--json"),
    ("evaluate", "knn", "--json"),
    ("evaluate", "mf", "--json"),
    ("recommend", "mf", "USER", "--json"),
    ("similar", "knn", "ITEM", "--min-ratings", "1", "--json"),
    ("predict", "knn", "--probe", "--json"),
    ("compare", "knn", "mf", "--json"),
    ("check",),
    ("check", "--runs"),
)
"""Commands whose output says what they read."""


class World:
    """A folder of its own with data and runs, for one fault after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scratch = folder.with_name(f"{folder.name}-tmp")

    def copy_from(self, origin: World) -> None:
        """Become as another world is."""
        for own, other in ((self.folder, origin.folder), (self.scratch, origin.scratch)):
            shutil.rmtree(own, ignore_errors=True)
            shutil.copytree(other, own, symlinks=True)

    def command(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of a command in this world."""
        ids = json.loads((self.folder / "ids.json").read_text())
        words = [str(ids.get(word, word)) for word in arguments]
        environment = {**os.environ, "TMPDIR": str(self.scratch), "PYTHONHASHSEED": "0"}
        return [BIGREC, *words], environment

    def start(self, arguments: Sequence[str], prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Begin a command."""
        command, environment = self.command(arguments)
        return subprocess.Popen(
            [*prefix, *command], cwd=self.folder, env=environment, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def run(self, arguments: Sequence[str], prefix: Sequence[str] = ()) -> tuple[int, str, str]:
        """Run a command to its end: exit code, stdout, stderr."""
        with self.start(arguments, prefix) as child:
            out, err = child.communicate(timeout=SECONDS)
        return child.returncode, out, err

    def leftovers(self) -> list[str]:
        """What is unfinished or in the scratch folder, less what may go on with --resume."""
        hidden = [
            path
            for path in self.folder.rglob("*.bigrec-*")
            if not any((up / ".bigrec-checkpoint.npz").exists() for up in (path, *path.parents))
            and "checkpoint" not in path.name
        ]
        return sorted(str(path) for path in [*hidden, *self.scratch.iterdir()])

    def state(self, target: str) -> str:
        """A digest of what is at a path: its files, less what differs from run to run."""
        path = self.folder / target
        if not path.exists():
            return "absent"
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        digest = hashlib.sha256()
        for file in files:
            if file.is_file() and _is_repeatable(file):
                digest.update(str(file.relative_to(self.folder)).encode())
                digest.update(_content(file))
        return digest.hexdigest()


def _is_repeatable(file: Path) -> bool:
    unsteady = ("tensorboard", "history.jsonl", SEAL, ".bigrec-", "model.keras", "fingerprint.pb")
    return not any(word in str(file) for word in unsteady)


def _content(file: Path) -> bytes:
    if file.suffix in (".html", ".duckdb") or file.name == "q.parquet":
        return b"whole" if file.stat().st_size > 100 else b""
    if file.suffix == ".npz":
        import numpy as np

        with np.load(file) as arrays:
            return b"".join(arrays[name].tobytes() for name in sorted(arrays.files))
    if file.suffix == ".json":
        return repr(sorted(_steady(json.loads(file.read_text())).items())).encode()
    return file.read_bytes()


def _steady(fields: dict[str, object]) -> dict[str, object]:
    """The fields of a JSON file, less times, sizes and digests of such files."""
    unsteady = ("seconds", "rss", "mtime", "components", "source_files", "environment")
    kept = {k: v for k, v in fields.items() if not any(word in k for word in unsteady)}
    return {k: _steady(v) if isinstance(v, dict) else v for k, v in kept.items()}


def make_world(folder: Path) -> World:
    """A world of 20,000 ratings with splits and runs, and with old states of some targets."""
    world = World(folder)
    folder.mkdir()
    world.scratch.mkdir()
    (folder / "ids.json").write_text("{}")
    _write_shop(folder)
    for command in (
        "synth raw --ratings 20000 --seed 7", "synth raw2 --ratings 30000 --seed 8", "ingest raw",
        "ingest raw --store other", "ingest old.csv --items items.csv --store shop",
        "split create s --validation-fraction 0.1 --materialize",
        "split create fresh --seed 2", "train cosine-knn --split s --run knn",
        "train matrix-factorization --split s --run mf --epochs 2",
        "train cosine-knn --split s --run k2 --seed 1 --set neighbors=3",
        "sql FROM\titems --output q.parquet", "predict knn --probe --output probe.csv",
        "recommend knn --all --top 3 --output top.parquet",
    ):  # fmt: skip
        words = [word.replace("\t", " ") for word in command.split(" ")]
        code, _, err = world.run(words)
        assert code == 0, f"{command}: {err}"
    ask = "SELECT max_by(user_id, n_ratings), (SELECT max_by(item_id, n_ratings) FROM items)"
    _, out, _ = world.run(["sql", f"{ask} FROM users", "--format", "csv"])
    user, item = out.splitlines()[1].split(",")
    (folder / "ids.json").write_text(json.dumps({"USER": user, "ITEM": item}))
    assert mark_kind(folder / "store") == "store"
    assert world.leftovers() == []
    return world


def _write_shop(folder: Path) -> None:
    """Two tables of a shop's ratings, old.csv and new.csv, and its items."""
    dice = random.Random(9)
    for name, n_rows in (("old.csv", 3000), ("new.csv", 5000)):
        pairs = sorted({(dice.randrange(900), dice.randrange(70)) for _ in range(n_rows)})
        dice.shuffle(pairs)
        rows = (
            f"u-{user:04},B{item:03},{dice.randrange(1, 6)},{1_500_000_000 + dice.randrange(10**8)}"
            for user, item in pairs
        )
        (folder / name).write_text("\n".join(["user_id,item_id,rating,timestamp", *rows, ""]))
    items = (f"B{item:03},Thing {item},{item % 9 + 0.5}" for item in range(70))
    (folder / "items.csv").write_text("\n".join(["item_id,title,price", *items, ""]))
