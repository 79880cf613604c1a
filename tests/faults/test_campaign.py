"""A short campaign with a fixed seed, and proof that it would notice what must not be."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.faults.campaign import (
    Campaign,
    Fault,
    damage,
    fill_disk,
    kill,
    kill_at_call,
    set_clock_back,
    smallest_budget,
    two_at_once,
)
from tests.faults.world import JOBS, World

PLAN: dict[Fault, int] = {
    kill: 12, kill_at_call: 6, damage: 20, fill_disk: 4, two_at_once: 3, set_clock_back: 1,
    smallest_budget: 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(tmp_path_factory.mktemp("campaign"), seed=20)


@pytest.fixture
def world(campaign: Campaign, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "world")
    world.copy_from(campaign.origin)
    yield world
    campaign.faults.clear()


def test_a_short_campaign_sees_no_loss_no_traceback_and_no_wrong_figure(campaign: Campaign) -> None:
    faults: set[Fault] = {kill, damage, fill_disk, two_at_once, set_clock_back, smallest_budget}
    if shutil.which("strace"):
        faults.add(kill_at_call)
    plan = chain.from_iterable(repeat(fault, PLAN[fault]) for fault in PLAN if fault in faults)
    campaign.run(plan, n_workers=1)
    assert campaign.faults == [], campaign.line(0)
    assert campaign.counts["kills"] >= PLAN[kill]
    assert campaign.counts["damages"] == PLAN[damage]


def test_it_notices_a_half_written_target(campaign: Campaign, world: World) -> None:
    job = next(job for job in JOBS if job.name == "predict")
    before = world.state(job.target)
    path = world.folder / job.target
    path.write_bytes(path.read_bytes()[:-10])
    campaign.check_world(world, job, before, "planted")
    assert any("neither as before nor as after" in fault for fault in campaign.faults)


def test_it_notices_what_stays_behind(campaign: Campaign, world: World) -> None:
    job = next(job for job in JOBS if job.name == "catalog")
    (world.folder / "runs" / ".r.bigrec-partial").mkdir()
    campaign.check_world(world, job, world.state(job.target), "planted")
    assert any("left behind" in fault for fault in campaign.faults)


def test_it_notices_tracebacks_and_wrong_figures(campaign: Campaign, world: World) -> None:
    campaign.check_code(1, "Traceback (most recent call last)", "planted")
    assert campaign.faults
    campaign.faults.clear()
    known = dict(campaign.known.answers)
    campaign.known.answers.update(dict.fromkeys(known, "another figure"))
    for turn in range(20):  # some harm what the reader does not read
        damage(campaign, world, random.Random(turn))
        world.copy_from(campaign.origin)
        if any("a wrong figure" in fault for fault in campaign.faults):
            break
    campaign.known.answers.update(known)
    assert any("a wrong figure" in fault for fault in campaign.faults)
