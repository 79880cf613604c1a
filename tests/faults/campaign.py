"""A campaign of faults: random ones, one after the other, over every command that writes or reads.

After each: every target is in its old state or in its new one, the same command works when it is
tried again, nothing unfinished stays, and there was no traceback. It prints what it did in a line.

    python -m tests.faults.campaign --minutes 60
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.world import ERRORS, JOBS, READERS, Job, World, make_world

_FILE_CALLS = "rename,renameat2,unlink,unlinkat,rmdir,mkdir,openat,fsync,ftruncate"
_DEADLY_CALLS = "rename,renameat2,unlink,unlinkat,rmdir,mkdir,fsync,ftruncate"
_DAMAGED = ("store", "shop", "runs", "exported")
Fault = Callable[["Campaign", World, random.Random], None]


@dataclass
class Known:
    """What undisturbed commands do in the world."""

    after: dict[str, str] = field(default_factory=dict)
    """State of the target of each job, by the job's name."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each job takes."""
    answers: dict[tuple[str, ...], object] = field(default_factory=dict)
    """What each reader prints."""


class Campaign:
    """Counts what was done and what was seen."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.origin = make_world(folder / "origin")
        self.known = Known()
        self._folder = folder
        self._lock = threading.Lock()
        self._learn()

    def _learn(self) -> None:
        """Run every job and every reader undisturbed."""
        world = World(self._folder / "learning")
        for job in JOBS:
            world.copy_from(self.origin)
            started = time.monotonic()
            code, _, err = world.run(job.arguments)
            self.known.seconds[job.name] = time.monotonic() - started
            assert code == 0, f"{job.name}: {err}"
            assert world.leftovers() == [], job.name
            self.known.after[job.name] = world.state(job.target)
        world.copy_from(self.origin)
        for reader in READERS:
            code, out, err = world.run(reader)
            assert code == 0, f"{reader}: {err}"
            self.known.answers[reader] = without_times(out)

    def draw_job(self, dice: random.Random, jobs: Sequence[Job] = JOBS) -> Job:
        """A job at random, one of four times the length half as often."""
        return dice.choices(jobs, [self.known.seconds[job.name] ** -0.5 for job in jobs])[0]

    def count(self, *names: str) -> None:
        """Note something that was done or seen."""
        with self._lock:
            self.counts.update(names)

    def blame(self, what: str) -> None:
        """Note something that must not be."""
        with self._lock:
            self.faults.append(what)
            print(f"FAULT: {what}", file=sys.stderr, flush=True)

    def check_code(self, code: int, err: str, what: str, *, killed: bool = False) -> None:
        """A command ended well, by an error of bigrec, or by the signal that it was sent."""
        allowed = (0, *ERRORS, *((-signal.SIGKILL, 128 + signal.SIGKILL) if killed else ()))
        if code not in allowed or "Traceback" in err:
            self.blame(f"{what}: exit code {code}: {err[-1500:]}")

    def check_world(self, world: World, job: Job, before: str, what: str) -> None:
        """The target is as before or as after; the next try works and leaves nothing behind."""
        state = world.state(job.target)
        after = self.known.after[job.name]
        if state == before:
            self.count("old state")
        elif state == after:
            self.count("new state")
        else:
            self.blame(f"{what}: {job.target} is neither as before nor as after")
        again = job.arguments
        if state == after and "--overwrite" not in again and job.name in _MADE_ONCE:
            shutil.rmtree(world.folder / job.target)
        code, _, err = world.run(again)
        if code != 0:
            self.blame(f"{what}, then again: exit code {code}: {err[-1500:]}")
        elif world.state(job.target) != after:
            self.blame(f"{what}, then again: another result")
        if left := world.leftovers():
            self.blame(f"{what}, then again: left behind {left}")

    def line(self, minutes: float) -> str:
        """What was done, in one line."""
        done = [f"{n:,} {name}" for name, n in sorted(self.counts.items())]
        return (
            f"campaign with seed {self.seed}, {minutes:.0f} minutes: {', '.join(done)}; "
            f"{len(self.faults)} faults"
        )

    def run(self, plan: Iterator[Fault], n_workers: int = 2) -> None:
        """Do what is planned, in worlds of their own."""
        lock = threading.Lock()
        started = time.monotonic()

        def work(number: int) -> None:
            world = World(self._folder / f"world-{number}")
            while True:
                with lock:
                    try:
                        turn, fault = next(turns)
                    except StopIteration:
                        return
                if turn and turn % 200 == 0:
                    print(self.line((time.monotonic() - started) / 60), file=sys.stderr, flush=True)
                world.copy_from(self.origin)
                try:
                    fault(self, world, random.Random(f"{self.seed}-{turn}"))
                except subprocess.TimeoutExpired as error:
                    self.blame(f"{fault.__name__}: {error}")

        turns = enumerate(plan)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(n_workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


_MADE_ONCE = ("synth",)  # refuses a folder that is there


def kill(campaign: Campaign, world: World, dice: random.Random) -> None:
    """SIGKILL at a random moment, half of them near the end, where files appear."""
    job = campaign.draw_job(dice)
    before = world.state(job.target)
    share = dice.uniform(0, 1.1) if dice.random() < 0.5 else dice.uniform(0.8, 1.1)
    with world.start(job.arguments) as child:
        try:
            _, err = child.communicate(timeout=campaign.known.seconds[job.name] * share)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            _, err = child.communicate()
    what = f"kill of {job.name} at {share:.2f} of its time"
    campaign.check_code(child.returncode, err, what, killed=True)
    campaign.count("kills")
    campaign.check_world(world, job, before, what)


def kill_at_call(campaign: Campaign, world: World, dice: random.Random) -> None:
    """SIGKILL at one of the operations on files by which results appear."""
    job = campaign.draw_job(dice)
    before = world.state(job.target)
    when = dice.randint(1, 60)
    inject = f"inject={_DEADLY_CALLS}:signal=SIGKILL:when={when}"
    prefix = ("strace", "-f", "-qq", "-o", os.devnull, "--seccomp-bpf", "-e",
              f"trace={_DEADLY_CALLS}", "-e", inject)  # fmt: skip
    code, _, err = world.run(job.arguments, prefix)
    what = f"kill of {job.name} at operation {when}"
    campaign.check_code(code, err, what, killed=True)
    campaign.count("kills", "kills at a file operation")
    campaign.check_world(world, job, before, what)


def damage(campaign: Campaign, world: World, dice: random.Random) -> None:
    """Harm a file, then let a command read it: the right answer, or a clear error."""
    files = [
        path
        for top in _DAMAGED
        for path in sorted((world.folder / top).rglob("*"))
        if path.is_file()
    ]
    path = dice.choice(files)
    content = path.read_bytes()
    harm = dice.choice(("flip", "flip", "flip", "cut", "empty", "lose", "swap", "grow"))
    if harm == "flip":
        changed = bytearray(content)
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
    elif harm == "cut":
        path.write_bytes(content[: dice.randrange(len(content) or 1)])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "lose":
        path.unlink()
    elif harm == "swap":
        other = dice.choice(files)
        kept = other.read_bytes()
        other.write_bytes(content)
        path.write_bytes(kept)
    else:
        path.write_bytes(content + b"\0")
    reader = dice.choice(READERS)
    code, out, err = world.run(reader)
    what = f"{harm} of {path.relative_to(world.folder)}, then {' '.join(reader)}"
    campaign.count("damages", "damages told" if code else "right answers")
    if code not in (0, 3, 6) or "Traceback" in err:
        campaign.blame(f"{what}: exit code {code}: {err[-1500:]}")
    elif code == 0 and without_times(out) != campaign.known.answers[reader]:
        campaign.blame(f"{what}: a wrong figure: {out[:500]}")


def fill_disk(campaign: Campaign, world: World, dice: random.Random) -> None:
    """A disk on which there is less room than the job needs."""
    job = campaign.draw_job(dice)
    used = sum(path.stat().st_size for path in world.folder.rglob("*") if path.is_file())
    n_files = sum(1 for _ in world.folder.rglob("*"))
    room = (used + 4096 * n_files) // 1024 + dice.randint(0, 1500)
    disk = world.folder.with_name(f"{world.folder.name}-disk")
    with mounted(disk, room) as is_mounted:
        if not is_mounted:
            return
        small = World(disk / "world")
        small.scratch = world.scratch
        shutil.copytree(world.folder, small.folder)
        before = small.state(job.target)
        code, _, err = small.run(job.arguments)
        what = f"{room} KiB of disk for {job.name}"
        campaign.count("full disks" if code else "disks with room")
        if code not in (0, 5) or "Traceback" in err:
            campaign.blame(f"{what}: exit code {code}: {err[-1500:]}")
        if small.state(job.target) not in (before, campaign.known.after[job.name]):
            campaign.blame(f"{what}: {job.target} is neither as before nor as after")
        if left := small.leftovers():
            campaign.blame(f"{what}: left behind {left}")


def two_at_once(campaign: Campaign, world: World, dice: random.Random) -> None:
    """Two of one job at once: one wins, the other wins as well or is told."""
    job = campaign.draw_job(dice)
    children = [world.start(job.arguments)]
    time.sleep(dice.choice((0, 0, dice.uniform(0, campaign.known.seconds[job.name]))))
    children.append(world.start(job.arguments))
    codes = []
    for child in children:
        _, err = child.communicate(timeout=300)
        codes.append(child.returncode)
        campaign.check_code(child.returncode, err, f"two of {job.name}")
    campaign.count("pairs at once")
    if 0 not in codes:
        campaign.blame(f"two of {job.name}: none wins: {codes}")
    if world.state(job.target) != campaign.known.after[job.name]:
        campaign.blame(f"two of {job.name}: another result")
    if left := world.leftovers():
        campaign.blame(f"two of {job.name}: left behind {left}")


def set_clock_back(campaign: Campaign, world: World, dice: random.Random) -> None:
    """All files are from tomorrow."""
    job = campaign.draw_job(dice)
    tomorrow = time.time() + 86_400
    for path in world.folder.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    code, _, err = world.run(job.arguments)
    campaign.count("clocks set back")
    if code != 0 or world.state(job.target) != campaign.known.after[job.name]:
        campaign.blame(f"{job.name} on files of tomorrow: {code}: {err[-1500:]}")


def smallest_budget(campaign: Campaign, world: World, dice: random.Random) -> None:
    """The smallest memory that is taken, and one thread: the same result, or a clear refusal."""
    taking = [job for job in JOBS if job.name not in ("catalog", "report")]
    job = campaign.draw_job(dice, taking)
    before = world.state(job.target)
    memory = () if job.name == "synth" else ("--memory", "256MiB")
    code, _, err = world.run((*job.arguments, *memory, "--threads", "1"))
    campaign.count("smallest budgets")
    expected = before if code else campaign.known.after[job.name]
    if code not in (0, 5) or "Traceback" in err or world.state(job.target) != expected:
        campaign.blame(f"{job.name} in the smallest budget: {code}: {err[-1500:]}")


FAULTS: Mapping[Fault, int] = {
    kill: 30, kill_at_call: 12, damage: 42, fill_disk: 6, two_at_once: 6, set_clock_back: 2,
    smallest_budget: 2,
}  # fmt: skip
"""How many of a hundred faults are of each kind."""


@contextmanager
def mounted(disk: Path, n_kib: int) -> Iterator[bool]:
    """A small disk in memory; False where there is no right to mount one."""
    disk.mkdir(exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={n_kib}k".encode()
    done = libc.mount(b"none", os.fsencode(disk), b"tmpfs", 0, options) == 0
    try:
        yield done
    finally:
        if done:
            libc.umount2(os.fsencode(disk), 2)  # even if somebody is still in it
        disk.rmdir()


def without_times(text: str) -> str:
    """Printed output less the figures that are times and sizes."""
    import re

    text = re.sub(r'"[a-z_]*(seconds|bytes|mtime_ns)": [0-9.e+-]+', "", text)
    return re.sub(r"\d+\.\d\d$", "", text, flags=re.MULTILINE)  # the last column of a check


def drawn(seed: int, until: float) -> Iterator[Fault]:
    """Faults in random order, until a time."""
    dice = random.Random(seed)
    kinds, weights = list(FAULTS), list(FAULTS.values())
    while time.monotonic() < until:
        yield dice.choices(kinds, weights)[0]


def main() -> int:
    """Run a campaign of some minutes, and print what it did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bigrec-campaign-") as folder:
        campaign = Campaign(Path(folder), given.seed)
        campaign.run(drawn(given.seed, started + 60 * given.minutes))
    print(campaign.line((time.monotonic() - started) / 60))
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
