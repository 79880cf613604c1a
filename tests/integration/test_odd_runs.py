"""Runs, splits and outputs that are not as one would wish: what commands and Python say of them."""

from __future__ import annotations

import html
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.support.commands import Capture, json_of

import bigrec
from bigrec.cli.app import main
from bigrec.errors import BigrecError, QueryError, RunError, SettingsError, SplitError
from bigrec.report.page import check_outputs
from bigrec.store.seal import Kind, write_seal

TITLES = (
    '<script>alert("1")</script>', "</script><img src=x onerror=alert(2)>", "[/b] [bold]loud[/]",
    "quotes \" ' & < > `", "\x1b[2J\x07 controls", "${title} {{x}} %s", "\u202eright to left",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(raw_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of odd titles, two splits, and runs of the one, two of them broken."""
    folder = tmp_path_factory.mktemp("odd")
    shutil.copytree(raw_small, folder / "raw")
    titles = (folder / "raw" / "movie_titles.csv").read_text(encoding="latin-1").splitlines()
    for number, line in enumerate(titles):
        item, year, _ = line.split(",", 2)
        odd = TITLES[number % len(TITLES)].encode("ascii", "replace").decode()
        titles[number] = f"{item},{year},{odd} {item}"
    (folder / "raw" / "movie_titles.csv").write_text("\n".join(titles) + "\n", encoding="latin-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["ingest", "raw"]) == 0
        flags = ["--min-item-ratings", "20", "--validation-fraction", "0.2"]
        assert main(["split", "create", "s", *flags]) == 0
        for model, run in (("cosine-knn", "knn"), ("matrix-factorization", "mf")):
            epochs = [] if run == "knn" else ["--epochs", "1"]
            assert main(["train", model, "--split", "s", "--run", run, *epochs]) == 0
        for name in ("no-metrics", "no-history", "no-lists"):
            shutil.copytree(folder / "runs" / "knn", folder / "runs" / name)
        (folder / "runs" / "no-metrics" / "metrics.json").write_text("{}")
        (folder / "runs" / "no-history" / "history.jsonl").unlink()
        (folder / "runs" / "no-lists" / "representation" / "neighbor_index.npy").unlink()
    return folder


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def test_compare_leaves_out_what_cannot_be_read_and_names_it(capsys: Capture) -> None:
    rows = json_of(capsys, "compare")["runs"]
    assert {"knn", "mf"} <= {row["run"] for row in rows} <= {"knn", "mf", "no-history", "no-lists"}
    assert main(["compare"]) == 0
    assert "Left out:" in (told := capsys.readouterr().err)
    assert "no-metrics" in told
    assert main(["compare", "mf", "no-metrics"]) == 6
    assert "no-metrics" in capsys.readouterr().err


def test_similar_by_a_run_without_its_lists_is_an_error(capsys: Capture) -> None:
    item = str(pl.read_parquet("store/items.parquet")["item_id"][0])
    assert main(["similar", "no-lists", item]) == 6
    assert "neighbor_index.npy" in capsys.readouterr().err


def test_a_report_shows_the_other_runs_and_titles_as_they_are(
    tmp_path: Path, capsys: Capture
) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures"
    argv = ["report", "--output", str(page), "--figures", str(figures)]
    assert main(argv) == 0
    told = capsys.readouterr().err
    for name in ("no-metrics", "no-history", "no-lists"):
        assert f"{name}" in told
    text = page.read_text(encoding="utf-8")
    assert "User-cosine neighbors" in text
    assert "Matrix factorization" in text
    for markup in ("<script>alert", "<img src=x", "[bold]loud[/]</"):
        assert markup not in text.replace("[bold]loud[/] ", "")
    assert html.escape("[/b] [bold]loud[/]") in text
    assert "\x1b" not in text
    drawings = sorted(figures.glob("*.svg"))
    assert len(drawings) * 2 == len(list(figures.iterdir()))
    for drawing in drawings:
        assert "<script" not in drawing.read_text()
        assert "<img" not in drawing.read_text()
    check_outputs(page, figures)  # it may be drawn anew


@pytest.mark.parametrize(
    "stranger", ["notes.txt", "other.svg", "other.png", "sub/x.svg", ".hidden"]
)
def test_figures_are_drawn_beside_nothing_else(
    stranger: str, tmp_path: Path, capsys: Capture
) -> None:
    figures = tmp_path / "figures"
    (figures / stranger).parent.mkdir(parents=True)
    (figures / stranger).write_text("<svg/>")
    argv = ["report", "--output", str(tmp_path / "page.html"), "--figures", str(figures)]
    assert main(argv) == 2
    assert "expected --figures as a new or an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]
    assert (figures / stranger).read_text() == "<svg/>"


def test_figures_are_not_drawn_into_stores_files_or_nowhere(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "file").touch()
    for figures in ("store/figures", "runs/mf/figures", str(tmp_path / "file"), f"{tmp_path}/a/b"):
        argv = ["report", "--output", str(tmp_path / "page.html"), "--figures", figures]
        assert main(argv) == 2, figures
        assert not (tmp_path / "page.html").exists()


def test_a_test_subset_of_strangers_is_measured_by_the_fallback(
    tmp_path: Path, capsys: Capture
) -> None:
    rows = ["userId,movieId,rating,timestamp"]
    rows += [f"{u},{m},{3 + (u + m) % 3},{9 * 10**8 + u}" for u in range(1, 9) for m in range(1, 5)]
    rows += [f"{u},{m},2.5,{12 * 10**8}" for u in range(20, 23) for m in range(1, 5)]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ratings.csv").write_text("\n".join(rows) + "\n")
    titles = "movieId,title,genres\n" + "".join(f"{m},Film {m} (1990),Drama\n" for m in range(1, 5))
    (tmp_path / "raw" / "movies.csv").write_text(titles)
    at = ["--store", str(tmp_path / "store")]
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["ingest", str(tmp_path / "raw"), *at]) == 0
    late = ["--method", "temporal", "--test-from", "2005-01-01"]
    assert main(["split", "create", "late", *late, *at]) == 0
    assert main(["train", "cosine-knn", "--split", "late", "--run", "k", *at, *runs]) == 0
    found = json_of(capsys, "evaluate", "k", *at, *runs)
    assert found["errors"]["n_fallback"] == found["errors"]["n"] == 12
    assert math.isfinite(found["errors"]["rmse"])
    assert found["lists"]["rows"] == []
    assert found["lists"]["n_cold"] == 3
    assert main(["evaluate", "k", *at, *runs]) == 0
    out, err = capsys.readouterr()
    assert "test RMSE" in out
    assert "none of the 3 users of the test subset has a train rating" in err
    assert main(["compare", *at, *runs]) == 0
    assert main(["report", "--output", str(tmp_path / "page.html"), *at, *runs]) == 0


def test_errors_are_given_also_where_no_rating_is_relevant(capsys: Capture) -> None:
    assert main(["evaluate", "mf", "--relevant", "5.5", "--json"]) == 6
    out, err = capsys.readouterr()
    assert json.loads(out)["lists"] is None
    assert math.isfinite(json.loads(out)["errors"]["rmse"])
    assert "the scale goes from 1 to 5" in err
    for relevant in ("nan", "inf", "-inf"):
        assert main(["evaluate", "mf", "--relevant", relevant]) == 2
        assert capsys.readouterr().out == ""


def test_lists_longer_than_the_items_are_cut_with_a_word(tmp_path: Path, capsys: Capture) -> None:
    user = str(pl.read_parquet("store/users.parquet").sort("n_ratings")["user_id"][-1])
    item = str(pl.read_parquet("store/items.parquet").sort("n_ratings")["item_id"][-1])
    everybody = ["mf", "--all", "--output", str(tmp_path / "all.parquet")]
    for argv in (["evaluate", "mf"], ["recommend", "mf", user], ["similar", "mf", item],
                 ["recommend", *everybody]):  # fmt: skip
        assert main([*argv, "--top", "1" + 20 * "0"]) == 0, argv
        assert "no list is longer" in capsys.readouterr().err
    assert main(["recommend", *everybody, "--top", "100000"]) == 0
    lists = pl.read_parquet(tmp_path / "all.parquet")
    assert lists["rank"].max() == lists.group_by("user_id").len()["len"].max()


@pytest.mark.parametrize("name", ["x.CSV", "x.Parquet", "x.TXT"])
def test_endings_are_taken_in_any_case(name: str, tmp_path: Path) -> None:
    assert main(["predict", "mf", "--probe", "--output", str(tmp_path / name)]) == 0
    assert main(["predict", "mf", "--probe", "--output", str(tmp_path / name.lower())]) == 0
    assert (tmp_path / name).read_bytes() == (tmp_path / name.lower()).read_bytes()


@pytest.mark.parametrize(
    ("name", "code"),
    [("", 2), (".", 2), ("none/x.csv", 2), ("x", 3), ("x.tsv", 3), ("x.csv.gz", 3), (".csv", 3)],
)
def test_an_output_that_cannot_be_is_told_before_the_work(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    output = str(tmp_path / name) if "/" in name else name
    monkeypatch.setattr("bigrec.runs.open_run", lambda *_: pytest.fail("it has begun"))
    for argv, ending in (
        (["predict", "mf", "--probe"], ".csv"),
        (["recommend", "mf", "--all"], ""),
    ):
        named = output if ending else output.replace("none/x.csv", "none/x.parquet")
        assert main([*argv, "--output", named]) == code
        assert "expected" in (told := capsys.readouterr().err) or "cannot be written" in told


def test_pairs_are_not_written_over(tmp_path: Path, capsys: Capture) -> None:
    pairs = tmp_path / "p.csv"
    pairs.write_text("user_id,item_id\n1,1\n")
    assert main(["predict", "mf", "--pairs", str(pairs), "--output", str(pairs)]) == 2
    assert pairs.read_text() == "user_id,item_id\n1,1\n"


def test_a_run_whose_weights_are_no_numbers_gives_no_score(tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree("runs/mf", tmp_path / "runs" / "mf")
    path = tmp_path / "runs" / "mf" / "representation" / "item_factors.npy"
    values = np.load(path)
    values[:] = np.nan
    np.save(path, values)
    write_seal(tmp_path / "runs" / "mf", Kind.RUN, {})
    user = str(pl.read_parquet("store/users.parquet").sort("n_ratings")["user_id"][-1])
    item = str(pl.read_parquet("store/items.parquet").sort("n_ratings")["item_id"][-1])
    runs = ["--runs", str(tmp_path / "runs")]
    output = tmp_path / "out"
    for argv in (
        ["predict", "mf", "--probe", "--output", f"{output}.csv"],
        ["recommend", "mf", user], ["recommend", "mf", "--all", "--output", f"{output}.parquet"],
        ["evaluate", "mf"], ["similar", "mf", item], ["export", "mf", "--output", str(output)],
        ["blend", "mf", "--run", "b"],
    ):  # fmt: skip
        assert main([*argv, *runs]) == 6, argv
        assert "are no finite numbers" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    assert visible(tmp_path / "runs") == ["mf"]


@pytest.mark.parametrize("change", ["learning_rate=1e30", "initial_deviation=1e30"])
def test_a_training_that_diverges_leaves_nothing(change: str, capsys: Capture) -> None:
    before = visible(Path("runs"))
    argv = ["train", "matrix-factorization", "--split", "s", "--run", "wild", "--epochs", "2"]
    assert main([*argv, "--set", change, "--checkpoint-minutes", "0"]) == 6
    assert "training has diverged" in capsys.readouterr().err
    assert visible(Path("runs")) == before


def visible(folder: Path) -> list[str]:
    """What lies in a folder, locks apart."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_what_no_machine_holds_is_refused_before_anything_is_allocated(capsys: Capture) -> None:
    for model, change in (
        ("matrix-factorization", "embedding_size=1025"), ("dnn", "first_units=100000000000000"),
        ("dnn", "second_units=10000000"), ("matrix-factorization", "batch_size=10000000000000"),
    ):  # fmt: skip
        assert main(["train", model, "--split", "s", "--run", "big", "--set", change]) == 2
        assert "to be between" in capsys.readouterr().err
    big = ["--set", "first_units=1000000000000", "--set", "second_units=1000000"]
    assert main(["train", "dnn", "--split", "s", "--run", "big", *big]) == 5
    assert "out of memory on /" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "matrix-factorization", "--split", "s", "--run", "new", "--epochs", "1"],
        ["export", "mf", "--output", "new"],
        ["report", "--output", "new"],
    ],
)
def test_a_process_leaves_no_file_of_tensorflow_and_no_line_of_its_log(
    argv: list[str], place: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bigrec", *argv],
        env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
    for word in ("I0000", "E0000", "WARNING", "oneDNN", "cudart", "cuInit", "Traceback"):
        assert word not in done.stderr
    for made in (place / "new", place / "runs" / "new"):
        shutil.rmtree(made) if made.is_dir() else made.unlink(missing_ok=True)


def test_python_gives_the_errors_of_the_command_line(place: Path, tmp_path: Path) -> None:
    with bigrec.open(place / "store") as store:
        split = store.split("s")
        run = split.run(place / "runs", "mf")
        user = int(store.users().collect().sort("n_ratings")["user_id"][-1])

        def train(model: Any = "matrix-factorization", **how: Any) -> Callable[[], object]:
            return lambda: bigrec.train(split, model, **{"runs": tmp_path, **how})

        nan = math.nan
        anything: tuple[Any, ...] = ("magic", [], None, 5)
        wrong: list[tuple[type[BigrecError], Callable[[], object]]] = [
            (SettingsError, lambda: bigrec.open(5)),  # type: ignore[arg-type]
            (SettingsError, lambda: bigrec.open("store", budget="1GiB")),  # type: ignore[arg-type]
            (SettingsError, lambda: bigrec.ingest("raw", 5)),  # type: ignore[arg-type]
            (SettingsError, lambda: bigrec.ingest("raw", tmp_path / "s", source=3)),  # type: ignore[arg-type]
            (SettingsError, lambda: store.sql(5)),  # type: ignore[arg-type]
            (SettingsError, lambda: store.sql("SELECT 1", [1])),  # type: ignore[arg-type]
            (QueryError, lambda: store.sql("DROP TABLE ratings")),
            (SettingsError, lambda: store.split(5)),  # type: ignore[arg-type]
            (SettingsError, lambda: store.split("new", min_item_rating=3)),  # type: ignore[call-arg]
            (SettingsError, lambda: store.split("new", test_fraction="0.2")),  # type: ignore[arg-type]
            (SettingsError, lambda: store.split("new", test_fraction=nan)),
            (SettingsError, lambda: store.split("new", user_ids=5)),  # type: ignore[arg-type]
            (SplitError, lambda: store.split("new")),
            (SettingsError, lambda: bigrec.train("s", "dnn")),  # type: ignore[arg-type]
            *((SettingsError, train(name)) for name in anything),
            *((SettingsError, train(seed=seed)) for seed in (-1, 2**32, "1", nan, None)),
            *((SettingsError, train(options=o)) for o in ({"epocs": 1}, {"epochs": -1}, [1], "x")),
            *((SettingsError, train(options={"learning_rate": v})) for v in (nan, -1, None, "x")),
            *((SettingsError, train(n_devices=n)) for n in (-1, "2", nan)),
            *((SettingsError, train(checkpoint_steps=n)) for n in (0, -1, "2", nan)),
            *((SettingsError, train(checkpoint_minutes=n)) for n in (-1, "2", nan, math.inf)),
            *((SettingsError, train(**{name: 5})) for name in ("preset", "run", "runs", "device")),
            *((SettingsError, train(**{name: []})) for name in ("precision", "cache", "overwrite")),
            (SettingsError, train(run="../x")),
            *(
                (SettingsError, lambda top=top: run.recommend(user, top=top))
                for top in (0, nan, "3")
            ),
            (SettingsError, lambda: run.recommend("6")),
            (RunError, lambda: run.recommend(10**30)),
            (RunError, lambda: split.run("runs", "none")),
            (SettingsError, lambda: split.run("runs", 5)),  # type: ignore[arg-type]
            (SettingsError, lambda: split.train_batches(batch_size=0)),
            (SettingsError, lambda: split.train_batches(seed=-1)),
        ]
        for kind, call in wrong:
            with pytest.raises(kind) as caught:
                call()
            assert caught.value.message
        assert len(run.recommend(user, top=10**20)) > 0
    assert visible(tmp_path) == []


def test_a_store_closes_what_its_queries_opened(place: Path) -> None:
    store = bigrec.open(place / "store")
    with store:
        kept = store.sql("SELECT count(*) FROM items")
        assert kept.fetchall() == store.sql("SELECT count(*) FROM items").fetchall()
        session = store._session
    with pytest.raises(Exception, match=r"[Cc]los"):
        session.run("SELECT 1")
    assert store.sql("SELECT 1").fetchall() == [(1,)]
    store.close()
    store.close()
    # An answer holds its store.
    assert bigrec.open(place / "store").sql("SELECT 1").fetchall() == [(1,)]


def test_training_from_python_keeps_the_budget_of_the_store(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    from bigrec.train import train as module

    real = module.train_model

    def spy(*arguments: Any, **how: Any) -> Any:
        given.append(how["budget"])
        return real(*arguments, **how)

    monkeypatch.setattr(module, "train_model", spy)
    budget = bigrec.Budget(memory_bytes=700 << 20, threads=1)
    split = bigrec.open(place / "store", budget=budget).split("s")
    bigrec.train(split, "cosine-knn", runs=tmp_path)
    assert given == [budget]
