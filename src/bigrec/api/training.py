"""Runs made and compared, from Python: train, blend, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bigrec.api.arguments import MAYBE_BUDGET, as_path, check_types, shown_by
from bigrec.api.run import Run
from bigrec.api.split import Split
from bigrec.errors import RunError
from bigrec.resources import SILENT, Budget, Progress
from bigrec.run_groups import blend_trained, compare_trained
from bigrec.runs import open_run

if TYPE_CHECKING:
    from bigrec.evaluate.compare import Comparison


def train(
    split: Split,
    model: str,
    *,
    preset: str = "tuned",
    runs: str | Path = "runs",
    run: str | None = None,
    seed: int = 0,
    device: str = "auto",
    n_devices: int = 1,
    precision: str = "float32",
    cache: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float | None = 10.0,
    options: Mapping[str, object] | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
) -> Run:
    """Train a model on a split.

    Beyond the run it changes the process where the model is trained by steps: Python's, NumPy's and
    TensorFlow's global random numbers begin anew from `seed`; and where TensorFlow sees no GPU, an
    option in XLA_FLAGS keeps XLA from unrolling long loops, in whatever the process compiles after
    that.

    Args:
        split: what to train on.
        model: the name of one that `bigrec train --help` lists, or of a registered one (see
            bigrec.models.registry).
        preset: notebook or tuned.
        runs: the folder of runs.
        run: name of the run; MODEL-SPLIT-PRESET if None.
        seed: of every random choice.
        device: auto, cpu or gpu.
        n_devices: how many share each batch; 0: all there are.
        precision: float32, or mixed: hidden layers compute in bfloat16.
        cache: device: keep the pairs of the train subset in its memory; off; auto: on a GPU with
            room for them.
        overwrite: whether a run of that name is replaced.
        resume: whether to go on with the unfinished run of that name.
        checkpoint_steps: save what `resume` needs every so many steps; None: never for steps.
        checkpoint_minutes: the same every so many minutes; None: never for time.
        options: hyper-parameters that differ from the preset's, by name.
        budget: memory and threads; those of the store if None.
        progress: told of finished train ratings.

    Raises:
        BigrecError: see bigrec.train.train.train_model; or an argument is of another type.
        TrainingInterrupted: a KeyboardInterrupt, after what `resume` needs was saved.

    Examples:
        >>> run = bigrec.train(split, "dnn", options={"epochs": 3}, budget=bigrec.Budget(threads=4))
        >>> run.test["rmse"]
    """
    from bigrec.models.options import override
    from bigrec.models.registry import check_feedback, find_model, find_preset
    from bigrec.train.checkpoints import CheckpointOptions
    from bigrec.train.device_options import DeviceOptions
    from bigrec.train.train import train_model

    check_types(
        split=(split, Split), model=(model, str), preset=(preset, str), run=(run, str | None),
        device=(device, str), precision=(precision, str), cache=(cache, str),
        overwrite=(overwrite, bool), resume=(resume, bool), options=(options, Mapping | None),
        budget=(budget, MAYBE_BUDGET),
    )  # fmt: skip
    folder = as_path("runs", runs)
    known = find_model(model)
    check_feedback(known, split.store.manifest.feedback)
    chosen = override(
        find_preset(known, preset), {str(k): str(v) for k, v in (options or {}).items()}
    )
    placing = DeviceOptions(device, n_devices, precision, cache)
    checkpoints = CheckpointOptions(checkpoint_steps, checkpoint_minutes)
    name = run or f"{model}-{split.name}-{preset}"
    data = split.materialize(with_days=chosen.needs_days)
    train_model(
        data, model, chosen, preset=preset, runs=folder, run=name, seed=seed, device=placing,
        overwrite=overwrite, resume=resume, checkpoints=checkpoints,
        budget=budget or split.store.budget, progress=progress,
    )  # fmt: skip
    return Run(open_run(folder, name), split)


def blend(
    runs: Sequence[Run],
    *,
    run: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Run:
    """Weigh the scores of several runs by a ridge regression in the validation subset.

    Args:
        runs: of one split and of one folder; the blend becomes one more run of that folder.
        run: name of the run to make; blend-SPLIT if None.
        seed: of the draw of validation ratings, where there are very many.
        overwrite: whether a run of that name is replaced.
        progress: told of tested ratings.

    Raises:
        SettingsError: an argument is of another type, or a name that cannot be a folder's.
        SplitError: the split has no validation subset, or too little of it.
        RunError: see bigrec.train.blend.blend_runs; or the runs are of several folders.

    Examples:
        >>> bigrec.blend([split.run("runs", "a"), split.run("runs", "b")]).test["rmse"]
    """
    check_types(run=(run, str | None), overwrite=(overwrite, bool))
    split = _split_of(runs)
    folders = {one.directory.folder.parent for one in runs}
    if len(folders) > 1:
        raise RunError(
            "expected runs of one folder, found them in " + ", ".join(sorted(map(str, folders)))
        )
    (folder,) = folders
    summary = blend_trained(
        split.store.catalog.layout.root, [one.directory for one in runs],
        runs=folder, run=run, seed=seed, overwrite=overwrite, budget=split.store.budget,
        show_progress=shown_by(progress),
    )  # fmt: skip
    return Run(open_run(folder, summary.run), split)


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare runs of one split with each other and with the baselines, by their test errors.

    Args:
        runs: at least one; `Split.runs` gives all of a folder.

    Raises:
        SettingsError: an argument is of another type.
        RunError: there is no run, they were trained on several splits, or one cannot be read.

    Examples:
        >>> for row in bigrec.compare(split.runs("runs")).runs:
        ...     print(row.run, row.test["rmse"])
    """
    split = _split_of(runs)
    return compare_trained(
        split.store.catalog.layout.root, [one.directory for one in runs],
        budget=split.store.budget,
    )  # fmt: skip


def _split_of(runs: object) -> Split:
    """The split of the first of some runs, which others check the rest against."""
    check_types(runs=(runs, Sequence))
    assert isinstance(runs, Sequence)  # noqa: S101 - as was just checked
    for number, one in enumerate(runs):
        check_types(**{f"runs[{number}]": (one, Run)})
    if not runs:
        raise RunError("expected at least one run, found none", hint="bigrec.train(...) makes one")
    split: Split = runs[0].split
    return split
