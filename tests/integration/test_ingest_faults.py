"""Whatever happens to an ingest, the store is the old one or the new one."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.support.netflix_files import snapshot, write_netflix

from bigrec.errors import DataError, StoreError
from bigrec.ingest.ingest import ingest_ratings
from bigrec.ingest.options import IngestOptions
from bigrec.ingest.parts import PartWriter
from bigrec.sources.netflix import NetflixSource
from bigrec.sources.parsed import Titles
from bigrec.store.catalog import open_catalog
from bigrec.store.locks import writer_lock
from bigrec.synthetic import write_synthetic

N_KILLS = 8

CHILD = """
    import sys
    from pathlib import Path
    from bigrec.ingest.ingest import ingest_ratings
    from bigrec.ingest.options import IngestOptions
    raw, store = Path(sys.argv[1]), Path(sys.argv[2])
    print("ready", flush=True)
    ingest_ratings(raw, store, options=IngestOptions(overwrite=True))
    print("done", flush=True)
"""


def _start_child(raw: Path, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(raw), str(store)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_sigkill_at_any_moment_leaves_the_old_store_or_the_new_one(
    store_small: Path, tmp_path: Path
) -> None:
    raw, store = tmp_path / "raw", tmp_path / "store"
    write_synthetic(raw, n_ratings=300_000, seed=1)
    with _start_child(raw, store) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        started = time.monotonic()
        assert child.wait() == 0
        duration = time.monotonic() - started
    new = open_catalog(store).manifest.fingerprint
    old = open_catalog(store_small).manifest.fingerprint
    moments = random.Random(5)
    n_old = 0
    for kill in range(N_KILLS):
        shutil.rmtree(store)
        shutil.copytree(store_small, store)
        before = snapshot(store)
        with _start_child(raw, store) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(duration * (kill + moments.random()) / N_KILLS)
            child.send_signal(signal.SIGKILL)
        found = open_catalog(store)
        assert found.manifest.fingerprint in (old, new)
        if found.manifest.fingerprint == old:
            n_old += 1
            assert snapshot(store) == before
        else:
            assert found.ratings_by_user().collect().height == 300_000
    assert n_old > 0
    ingest_ratings(raw, store, options=IngestOptions(overwrite=True))
    assert open_catalog(store).manifest.fingerprint == new
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders == {"raw", "store"}


def test_two_ingests_into_one_store_at_once(tmp_path: Path) -> None:
    raw, store = write_netflix(tmp_path / "raw"), tmp_path / "store"
    with (
        writer_lock(store),
        pytest.raises(StoreError, match=f"process id {os.getpid()}"),
    ):
        ingest_ratings(raw, store)
    ingest_ratings(raw, store)


FULL_DISK = """
    import subprocess, sys
    from pathlib import Path
    from bigrec.cli.app import main
    raw, disk, size = sys.argv[1:]
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=True)
    code = main(["ingest", raw, "--store", f"{disk}/store"])
    print(code, sorted(path.name for path in Path(disk).iterdir() if path.is_dir()))
"""


@pytest.mark.parametrize("size_kib", [16, 260, 330])
def test_a_full_disk_leaves_nothing_behind(size_kib: int, raw_small: Path, tmp_path: Path) -> None:
    """A tmpfs too small for the spill file, for the first parts, and for the last files."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare to mount a small disk with")
    command = [unshare, "--mount", "--map-root-user", sys.executable, "-c"]
    arguments = [str(raw_small), str(tmp_path), str(size_kib)]
    done = subprocess.run(
        [*command, textwrap.dedent(FULL_DISK), *arguments], capture_output=True, text=True
    )
    if "unshare failed" in done.stderr or "mount" in done.stderr:
        pytest.skip("no right to mount a small disk")
    assert done.stdout == "5 []\n", done.stderr
    assert "is full" in done.stderr


@pytest.mark.parametrize("change", ["shrinks", "is written to"])
def test_a_file_that_changes_while_it_is_read_is_an_error(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_netflix(tmp_path / "raw")
    path = raw / "combined_data_1.txt"
    text = path.read_bytes()
    read_titles = NetflixSource.titles

    def titles(self: NetflixSource, bad_lines: None) -> Titles:
        path.write_bytes(text[:-40] if change == "shrinks" else text.replace(b",1,", b",2,"))
        return read_titles(self, bad_lines)

    monkeypatch.setattr(NetflixSource, "titles", titles)
    with pytest.raises(DataError, match=r"combined_data_1\.txt"):
        ingest_ratings(raw, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_fault_in_a_worker_thread_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_netflix(tmp_path / "raw")

    def parse(*_: object, **__: object) -> None:
        raise MemoryError("worker")

    monkeypatch.setattr(NetflixSource, "parse", parse)
    with pytest.raises(MemoryError, match="worker"):
        ingest_ratings(raw, tmp_path / "store")
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == ["raw"]


def test_orders_with_different_rows_are_never_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_netflix(tmp_path / "raw")
    write_bucket = PartWriter.write_bucket

    def lose_digest(*arguments: object, **options: object) -> object:
        part = write_bucket(*arguments, **options)  # type: ignore[arg-type]
        object.__setattr__(part, "digest", part.digest ^ 1)
        return part

    monkeypatch.setattr(PartWriter, "write_bucket", lose_digest)
    with pytest.raises(StoreError, match="do not hold the same rows"):
        ingest_ratings(raw, tmp_path / "store")
    assert not (tmp_path / "store").exists()
