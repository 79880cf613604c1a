"""Files that are asked for: whole or not at all, and never over what must stay."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.netflix_files import write_netflix

from bigrec.errors import ResourceError, SettingsError, StoreError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.splits.materialize import materialize_split
from bigrec.splits.spec import SplitSpec
from bigrec.splits.splits import create_split
from bigrec.store import locks
from bigrec.store.catalog import open_catalog
from bigrec.store.locks import LOCK, PARTIAL, hidden_sibling, writer_lock
from bigrec.store.publish import check_output, publishing, publishing_file
from bigrec.store.seal import Kind


def write(target: Path, text: str = "new", inputs: list[Path] | None = None) -> None:
    with publishing_file(target, inputs=inputs or []) as partial:
        partial.write_text(text)


@pytest.fixture(autouse=True)
def nothing_hidden_stays(tmp_path: Path) -> Iterator[None]:
    yield
    assert list(tmp_path.rglob(".*.bigrec-*")) == []


def test_a_file_appears_whole_and_replaces_one(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    write(target, "one")
    with pytest.raises(ZeroDivisionError), publishing_file(target) as partial:
        partial.write_text(f"half{1 / 0}")
    assert target.read_text() == "one"
    write(target, "two")
    assert target.read_text() == "two"


def test_rights_of_a_replaced_file_stay(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    target.touch(0o640)
    write(target)
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("not-yet")
    write(tmp_path / "link")
    write(tmp_path / "dangling")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dangling").is_symlink()
    assert (tmp_path / "real").read_text() == (tmp_path / "not-yet").read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join(10)
    assert found == ["new"]
    assert pipe.is_fifo()


def test_a_device_is_written_to() -> None:
    write(Path("/dev/null"))
    with pytest.raises(ResourceError, match="full"):
        write(Path("/dev/full"))
    assert Path("/dev/full").is_char_device()


def test_standard_output_by_its_path_is_written_to() -> None:
    code = (
        "from pathlib import Path; from bigrec.store.publish import publishing_file\n"
        "with publishing_file(Path('/dev/stdout')) as partial: partial.write_text('rows')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("rows", "")


def test_names_of_any_length_that_the_system_takes(tmp_path: Path) -> None:
    for name in ("x" * 255, "é" * 127):
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"
    with pytest.raises(SettingsError, match="256 bytes"):
        write(tmp_path / ("x" * 256))
    began = []
    with pytest.raises(SettingsError, match="256 bytes"), publishing(tmp_path / ("x" * 256), None):
        began.append("the work")
    assert not began


@pytest.mark.parametrize(
    "what", ["folder", "below a file", "no folder", "empty", "circle", "input", "link to input",
             "hard link to input", "store", "link into store", "store itself", "unfinished"],
)  # fmt: skip
def test_paths_that_cannot_be_are_refused_before_any_work(what: str, tmp_path: Path) -> None:
    file, store = tmp_path / "file", tmp_path / "store"
    file.write_text("precious")
    with publishing(store, Kind.STORE) as draft:
        (draft.folder / "x").write_text("rows")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "to-file").symlink_to(file)
    (tmp_path / "hard").hardlink_to(file)
    (tmp_path / "into").symlink_to(store / "x")
    (tmp_path / ".y.bigrec-unfinished").mkdir()
    target = {
        "folder": tmp_path, "below a file": file / "r.csv", "no folder": tmp_path / "no" / "r.csv",
        "empty": Path(), "circle": tmp_path / "circle", "input": file,
        "link to input": tmp_path / "to-file", "hard link to input": tmp_path / "hard",
        "store": store / "new.csv", "link into store": tmp_path / "into", "store itself": store,
        "unfinished": tmp_path / ".y.bigrec-unfinished" / "r",
    }[what]  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        check_output(target, inputs=[file])
    assert caught.value.message
    with pytest.raises(SettingsError):
        write(target, inputs=[file])
    (tmp_path / ".y.bigrec-unfinished").rmdir()
    assert file.read_text() == "precious"
    assert (store / "x").read_text() == "rows"


WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from bigrec.errors import SettingsError
from bigrec.store.publish import publishing, publishing_file
for target in sys.argv[1:]:
    try:
        with publishing_file(Path(target)) as partial:
            partial.write_text("new")
        print("written")
    except SettingsError as error:
        print(error.message)
"""


def test_without_the_right_to_write_it_is_said_so(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    kept = tmp_path / "kept"
    kept.write_text("old")
    kept.chmod(0o444)
    folder.chmod(0o555)
    command = [sys.executable, "-c", WITHOUT_RIGHTS, str(folder / "r.csv"), str(kept)]
    if os.geteuid() == 0:
        dropped = "--bounding-set=-dac_override,-dac_read_search,-fowner"
        command = ["setpriv", dropped, "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True)
    folder.chmod(0o755)
    assert done.stdout.count("Permission denied") == 2, done.stdout + done.stderr
    assert kept.read_text() == "old"


def test_of_two_writers_of_one_file_one_is_told(tmp_path: Path) -> None:
    target = tmp_path / "r.csv"
    with publishing_file(target) as partial:
        with pytest.raises(StoreError, match=f"process id {os.getpid()}"):
            write(target)
        partial.write_text("first")
    assert target.read_text() == "first"


def test_what_libraries_put_beside_a_file_goes_with_it(tmp_path: Path) -> None:
    with publishing_file(tmp_path / "c.duckdb") as partial:
        partial.write_text("new")
        partial.with_name(partial.name + ".wal").write_text("log")
    assert [path.name for path in tmp_path.iterdir()] == ["c.duckdb"]


def test_who_waits_goes_on_when_the_other_is_done(tmp_path: Path) -> None:
    target, order = tmp_path / "shards", list[str]()
    words: list[str] = []
    held = threading.Event()

    def first() -> None:
        with writer_lock(target):
            held.set()
            while not words:
                pass
            order.append("first")

    other = threading.Thread(target=first)
    other.start()
    held.wait()
    with writer_lock(target, wait=words.append):
        order.append("second")
    other.join()
    assert order == ["first", "second"]
    assert words == [f"waiting for process {os.getpid()}, which is writing {target}"]


def test_a_users_own_files_with_like_names_stay(tmp_path: Path) -> None:
    own = [".store.lock", ".store.partial", "store.partial", ".store.bigrec", ".bigrec.lock"]
    for name in own:
        (tmp_path / name).write_text("mine")
    with publishing(tmp_path / "store", Kind.STORE) as draft:
        (draft.folder / "x").write_text("rows")
    write(tmp_path / "store.csv")
    assert all((tmp_path / name).read_text() == "mine" for name in own)
    for name in own:
        (tmp_path / name).unlink()


def test_folders_made_for_a_target_go_again_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), publishing(tmp_path / "a" / "b" / "s", Kind.STORE):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_whose_holder_has_not_said_who_it_is_is_held_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.csv"
    descriptor = os.open(hidden_sibling(target, LOCK), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as another process has it before it writes its number
    steps = []

    def release(_: float) -> None:
        steps.append("asked")
        if len(steps) == 3:
            os.close(descriptor)
            steps.append("released")

    monkeypatch.setattr("time.sleep", release)
    with writer_lock(target):
        steps.append("held")
    assert steps == ["asked", "asked", "asked", "released", "held"]


def test_a_lock_whose_holder_never_says_who_it_is_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "x.csv"
    descriptor = os.open(hidden_sibling(target, LOCK), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    monkeypatch.setattr(locks, "_SWEEP_SECONDS", 0.05)
    with pytest.raises(StoreError, match="another process"), writer_lock(target):
        pass
    hidden_sibling(target, LOCK).unlink()
    os.close(descriptor)


def test_what_is_already_there_is_left_tidy(tmp_path: Path) -> None:
    """A process that dies between publishing and unlocking leaves a lock, which no writer needs."""
    raw, store = write_netflix(tmp_path / "raw"), tmp_path / "store"
    spec = SplitSpec(test_fraction=0.5)

    def make() -> None:
        ingest_ratings(raw, store)
        split = create_split(open_catalog(store), "s", spec)
        materialize_split(split, with_days=True)

    make()
    split = store / "splits" / "s"
    leftovers = [
        hidden_sibling(target, ending)
        for target in (store, split, split / "shards", split / "days")
        for ending in (LOCK, PARTIAL)
    ]
    for path in leftovers:
        path.touch() if path.name.endswith(LOCK) else path.mkdir()
    make()
    assert [path.name for path in leftovers if path.exists()] == []
