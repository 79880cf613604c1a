"""Models of other packages: what docs/adding-a-model.md shows works, a broken one harms nobody."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bigrec.cli.app import main
from bigrec.errors import SettingsError
from bigrec.models.registry import (
    MODELS,
    find_model,
    find_run_model,
    model_names,
    register_model,
)
from bigrec.runs import open_run
from bigrec.testing.model_contract import ModelContract, open_small_split

PAGE = Path(__file__).parents[3] / "docs" / "adding-a-model.md"
MODEL_TEXT, TEST_TEXT = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
(ENTRY_POINT,) = re.findall(r"^damped-mean = \"(.*)\"$", PAGE.read_text(), re.MULTILINE)


def install(folder: Path, package: str, name: str, target: str) -> None:
    """What pip leaves of a package with one entry point."""
    information = folder / f"{package}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[bigrec.models]\n{name} = {target}\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of packages, of which one offers the page's model, and others broken ones."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "your_package").mkdir()
    (folder / "your_package" / "__init__.py").touch()
    (folder / "your_package" / "damped_mean.py").write_text(MODEL_TEXT)
    install(folder, "your-package", "damped-mean", ENTRY_POINT)
    (folder / "broken.py").write_text("import no_such_library\n")
    install(folder, "broken-package", "broken", "broken:MODEL")
    (folder / "strange.py").write_text("MODEL = 5\n")
    install(folder, "strange-package", "strange", "strange:MODEL")
    install(folder, "misnamed-package", "misnamed", ENTRY_POINT)
    install(folder, "first-package", "twice", ENTRY_POINT)
    install(folder, "second-package", "twice", ENTRY_POINT)
    install(folder, "usurping-package", "dnn", "broken:MODEL")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        importlib.invalidate_caches()
        yield folder
    sys.modules.pop("your_package.damped_mean", None)


def test_an_installed_package_adds_a_model(site: Path) -> None:
    assert find_model("damped-mean").title == "Damped mean"
    assert find_run_model("damped-mean") is find_model("damped-mean")
    names = model_names()
    assert names[: len(MODELS)] == list(MODELS)
    assert "damped-mean" in names[len(MODELS) :]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "package 'broken-package' cannot be loaded: ModuleNotFoundError: No module"),
        ("strange", "package 'strange-package' is no Model: found 5"),
        ("misnamed", "package 'misnamed-package' calls itself 'damped-mean'"),
        ("twice", "packages first-package, second-package each offer a model 'twice'"),
        ("damped-meen", "unknown model 'damped-meen'"),
    ],
)
def test_a_broken_package_is_named(name: str, words: str, site: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        find_model(name)


def test_a_broken_package_harms_no_other_model(site: Path) -> None:
    for name in MODELS:
        assert find_model(name).name == name
    assert find_model("damped-mean").presets


def test_what_is_no_model_is_not_registered(site: Path) -> None:
    class Half:
        name = "half"

    anything: Any = Half()
    with pytest.raises(SettingsError, match="the model is no Model"):
        register_model(anything)
    usurper: Any = type("Usurper", (), {"name": "blend"})()
    with pytest.raises(SettingsError, match="bigrec has a model 'blend' itself"):
        register_model(usurper)
    register_model(MODELS["dnn"])


def test_a_strangers_model_works_in_every_command(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = open_small_split(tmp_path)
    store = ["--store", str(tmp_path / "store")]
    flags = [*store, "--runs", str(tmp_path / "runs")]
    environment = {**os.environ, "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    train = ["train", "damped-mean", "--split", "small", "--set", "damping=3", *flags]
    # In a process of its own, which has nothing but the installed package.
    subprocess.run([sys.executable, "-m", "bigrec", *train], env=environment, check=True)
    name = "damped-mean-small-tuned"
    run = open_run(tmp_path / "runs", name)
    assert run.options == type(run.options)(**{**run.config.options, "damping": 3})
    assert not run.needs_keras
    assert not (run.folder / "model.keras").exists()
    user, item = (str(ids[0]) for ids in (data.user_ids, data.item_ids))
    for argv in (
        ["evaluate", name, "--json"],
        ["compare", "--json"],
        ["recommend", name, user, "--json"],
        ["recommend", name, "--all", "--output", str(tmp_path / "all.parquet")],
        ["predict", name, "--probe", "--output", str(tmp_path / "p.csv")],
        ["similar", name, item, "--json"],
        ["blend", name, "--run", "b"],
        ["evaluate", "b"],
        ["report", "--output", str(tmp_path / "page.html")],
    ):
        assert main([*argv, *flags]) == 0, argv
    capsys.readouterr()
    assert "Damped mean" in (tmp_path / "page.html").read_text()
    assert "damping=3" in (tmp_path / "page.html").read_text()
    for exported in (name, "b"):
        assert main(["export", exported, "--output", str(tmp_path / "out"), *flags]) == 6
        assert "gives no TensorFlow graph" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["train", "damped-mean", "--help-settings", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert [setting["name"] for setting in settings] == ["day_biases", "damping"]


def test_a_run_whose_package_is_gone_is_told_of_and_left_out(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_small_split(tmp_path)
    flags = ["--store", str(tmp_path / "store"), "--runs", str(tmp_path / "runs")]
    for model in ("damped-mean", "cosine-knn"):
        assert main(["train", model, "--split", "small", "--run", model, *flags]) == 0
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    capsys.readouterr()
    assert main(["evaluate", "damped-mean", *flags]) == 6
    told = capsys.readouterr().err
    assert "run 'damped-mean' cannot be used here: unknown model 'damped-mean'" in told
    assert main(["compare", *flags]) == 0
    assert main(["evaluate", "cosine-knn", *flags]) == 0
    capsys.readouterr()
    assert main(["report", "--output", str(tmp_path / "page.html"), *flags]) == 0
    assert "Left out: run 'damped-mean' cannot be used here" in capsys.readouterr().err


def test_the_pages_test_passes(site: Path) -> None:
    scope: dict[str, Any] = {}
    exec(compile(TEST_TEXT, str(PAGE), "exec"), scope)
    assert issubclass(scope["TestDampedMean"], ModelContract)
    (site / "test_damped_mean.py").write_text(TEST_TEXT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    environment = {**os.environ, "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [*command, str(site / "test_damped_mean.py")],
        env=environment, capture_output=True, text=True, check=False, cwd=site,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "9 passed, 1 skipped" in done.stdout
