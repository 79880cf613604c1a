"""Blends through the command line: made, used like any run, refused where components changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest
from tests.support.sealing import seal_again

from bigrec.cli.app import main

Run = Callable[..., tuple[int, str, str]]


class Place(NamedTuple):
    """A store with a split `v`, and runs `mf` and `knn` on it, and `blend` of those."""

    store: Path
    runs: Path

    def flags(self) -> list[str]:
        return ["--store", str(self.store), "--runs", str(self.runs)]


@pytest.fixture(scope="module")
def place(store_small: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("blend")
    shutil.copytree(store_small, folder / "store")
    made = Place(folder / "store", folder / "runs")
    filters = ["--min-item-ratings", "10", "--min-user-ratings", "10", "--store", str(made.store)]
    assert main(["split", "create", "v", "--validation-fraction", "0.2", *filters]) == 0
    assert main(["split", "create", "plain", *filters]) == 0
    for model, run, split in (
        ("matrix-factorization", "mf", "v"),
        ("cosine-knn", "knn", "v"),
        ("cosine-knn", "elsewhere", "plain"),
    ):
        epochs = ["--epochs", "3"] if run == "mf" else []
        command = ["train", model, "--split", split, "--run", run, *epochs, *made.flags()]
        assert main(command) == 0
    assert main(["blend", "mf", "knn", "--run", "blend", *made.flags()]) == 0
    return made


@pytest.fixture
def bigrec(place: Place, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main([*arguments, *place.flags()])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def load(text: str) -> Any:
    return json.loads(text)


def test_a_blend_is_compared_and_keeps_up_with_its_best_component(bigrec: Run) -> None:
    code, out, _ = bigrec("compare", "--json", "--split", "v")
    assert code == 0
    errors = {row["run"]: row["test"]["rmse"] for row in load(out)["runs"]}
    # Two thousand validation ratings leave a little noise in its weights.
    assert errors["blend"] < max(errors["mf"], errors["knn"])
    assert errors["blend"] < min(errors["mf"], errors["knn"]) + 0.005


def test_a_blend_predicts_recommends_and_is_evaluated(
    bigrec: Run, place: Place, tmp_path: Path
) -> None:
    metrics = load((place.runs / "blend" / "metrics.json").read_text())
    code, out, _ = bigrec("evaluate", "blend", "--json", "--top", "5", "--relevant", "3.5")
    assert code == 0
    evaluated = load(out)
    assert evaluated["errors"]["rmse"] == pytest.approx(metrics["test"]["rmse"])
    assert [row["name"] for row in evaluated["lists"]["rows"]] == ["blend", "popularity", "random"]
    assert sum(decile["n"] for decile in metrics["item_deciles"]) == metrics["n_test"]
    user = int(pl.read_parquet(place.store / "users.parquet").sort("n_ratings")["user_id"][-1])
    code, out, _ = bigrec("recommend", "blend", str(user), "--json")
    assert code == 0
    items = load(out)["items"]
    assert len(items) == 10
    (tmp_path / "pairs.csv").write_text(
        "user_id,item_id\n" + "".join(f"{user},{item['item_id']}\n" for item in items)
    )
    output = tmp_path / "scores.csv"
    code, _, _ = bigrec(
        "predict", "blend", "--pairs", str(tmp_path / "pairs.csv"), "--output", str(output)
    )
    assert code == 0
    clipped = [min(max(item["score"], 1), 5) for item in items]
    assert pl.read_csv(output)["score"].to_list() == pytest.approx(clipped, abs=1e-4)


def test_weights_are_saved_and_shown(bigrec: Run, place: Place) -> None:
    code, out, _ = bigrec("blend", "mf", "knn", "--run", "again")
    assert code == 0
    shown = [line.split() for line in out.splitlines() if line.split()[:1] in (["mf"], ["knn"])]
    saved = load((place.runs / "again" / "config.json").read_text())["weights"]["components"]
    assert [row[0] for row in shown] == [own["run"] for own in saved]
    assert [float(row[2]) for row in shown] == pytest.approx(
        [own["weight"] for own in saved], abs=1e-4
    )
    shutil.rmtree(place.runs / "again")


def test_what_cannot_be_blended_is_refused_with_what_to_do(bigrec: Run) -> None:
    code, _, err = bigrec("blend", "elsewhere", "--run", "no")
    assert code == 3
    assert "has no validation subset" in err
    assert "--validation-fraction" in err
    code, _, err = bigrec("blend", "mf", "blend", "--run", "no")
    assert code == 6
    assert "is a blend itself" in err
    assert "mf, knn" in err
    code, _, err = bigrec("blend", "mf", "mf", "--run", "no")
    assert code == 6
    assert "each run once" in err
    code, _, err = bigrec("blend", "mf", "elsewhere", "--run", "no")
    assert code == 6
    assert "several splits" in err
    code, _, err = bigrec("blend", "mf", "knn", "--run", "blend")
    assert code == 6
    assert "exists already" in err


def test_a_missing_or_retrained_component_is_refused(bigrec: Run, place: Place) -> None:
    kept = place.runs / ".kept"
    (place.runs / "knn").rename(kept)
    code, _, err = bigrec("evaluate", "blend")
    assert code == 6
    assert "run 'knn', of which 'blend' is a blend, is missing" in err
    shutil.copytree(kept, place.runs / "knn")
    with (place.runs / "knn" / "model.keras").open("ab") as file:
        file.write(b"other weights")
    seal_again(place.runs / "knn")
    code, _, err = bigrec("evaluate", "blend")
    assert code == 6
    assert "trained again since" in err
    assert "bigrec blend mf knn --run blend --overwrite" in err
    shutil.rmtree(place.runs / "knn")
    kept.rename(place.runs / "knn")
