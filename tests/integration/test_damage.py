"""A damaged file is noticed by whoever opens it, and by a check; nobody answers from it.

Every file that bigrec wrote is harmed in every way, and every command that reads it must give the
answer that it gives of whole files, or end with a DataError or a RunError that names a file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.commands import Capture, places

from bigrec.cli.app import main
from bigrec.store import seal
from bigrec.store.seal import SEAL, Kind, read_seal

READERS = {
    "store": [
        ["info"],
        ["sql", "SELECT count(*), sum(rating), max(date) FROM ratings"],
        ["sql", "FROM users LIMIT 5", "--split", "s"],
        ["split", "list", "--json"],
        ["recommend", "matrix-factorization", "--top", "3"],
        ["evaluate", "cosine-knn"],
    ],
    "runs": [
        ["compare", "cosine-knn", "matrix-factorization", "dnn"],
        ["recommend", "matrix-factorization", "--top", "3"],
        ["similar", "cosine-knn"],
        ["evaluate", "dnn"],
    ],
}


def flipped(content: bytes, share: float) -> bytes:
    position = int(len(content) * share)
    return content[:position] + bytes([content[position] ^ 0x11]) + content[position + 1 :]


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "a byte in front": lambda content: flipped(content, 0.1),
    "a byte behind": lambda content: flipped(content, 0.9),
    "cut": lambda content: content[: len(content) * 2 // 3],
    "emptied": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
    "lost": lambda _: None,
}


@pytest.fixture(scope="module")
def damaged_home(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home, of which each test harms a file and puts it back."""
    folder = tmp_path_factory.mktemp("damage") / "home"
    shutil.copytree(home, folder)
    return folder


def sealed_files(home: Path) -> list[str]:
    """All files of the home's store, split, shards and runs, relative to it."""
    models = ("cosine-knn", "matrix-factorization", "dnn")
    folders = [
        (home / "store", Kind.STORE),
        (home / "store" / "splits" / "s", Kind.SPLIT),
        (home / "store" / "splits" / "s" / "shards", Kind.SHARDS),
        *((home / "runs" / name, Kind.RUN) for name in models),
    ]
    return [
        (folder / name).relative_to(home).as_posix()
        for folder, kind in folders
        for name in (*read_seal(folder, kind).files, SEAL)
    ]


def answers(home: Path, area: str, capsys: Capture) -> list[tuple[int, str]]:
    """The exit code and the output of each reader."""
    user = json.loads((home / "user.json").read_text())
    found = []
    for reader in READERS[area]:
        ids = {"recommend": [str(user[0])], "similar": [str(user[1]), "--min-ratings", "1"]}
        where = places(home)[: 2 if reader[0] in ("info", "sql", "split") else 4]
        capsys.readouterr()
        code = main([*reader, *ids.get(reader[0], []), "--json", *where])
        printed = capsys.readouterr()
        assert code == 0 or printed.err.startswith("error: "), printed.err
        found.append((code, printed.out if code == 0 else printed.err))
    return found


def test_no_command_answers_from_a_damaged_file(damaged_home: Path, capsys: Capture) -> None:
    home = damaged_home
    ask = "SELECT max_by(user_id, n_ratings), (SELECT max_by(item_id, n_ratings) FROM items)"
    assert main(["sql", f"{ask} FROM users", "--format", "csv", *places(home)[:2]]) == 0
    row = capsys.readouterr().out.splitlines()[1].split(",")
    (home / "user.json").write_text(json.dumps([int(field) for field in row]))
    whole = {area: answers(home, area, capsys) for area in READERS}
    assert {code for area in whole.values() for code, _ in area} == {0}
    n_noticed = 0
    for number, name in enumerate(sealed_files(home)):
        path = home / name
        content = path.read_bytes()
        # Each file meets two of the harms, each harm a fifth of the files or more.
        for harm in list(HARMS)[number % 3 :: 3]:
            changed = HARMS[harm](content)
            path.unlink()
            if changed is not None:
                path.write_bytes(changed)
            area = name.split("/")[0]
            found = answers(home, area, capsys)
            for reader, (code, text), (_, expected) in zip(
                READERS[area], found, whole[area], strict=True
            ):
                told = f"{harm}: {name}, {reader}: {code} {text}"
                assert code in (0, 3, 6), told
                assert code != 0 or without_times(text) == without_times(expected), told
                n_noticed += code != 0
            check = ["check", "--runs", str(home / "runs")] if area == "runs" else ["check"]
            store = [] if area == "runs" else places(home)[:2]
            assert main([*check, *store, "--json"]) in (3, 6), f"{harm}: {name}"
            capsys.readouterr()
            path.unlink(missing_ok=True)
            path.write_bytes(content)
    assert n_noticed > 100
    assert main(["check", *places(home)[:2]]) == 0
    assert main(["check", "--runs", str(home / "runs")]) == 0


def without_times(text: str) -> object:
    """Printed JSON less what differs from run to run, and the size of what is there."""
    fields = json.loads(text)
    return (
        {name: value for name, value in fields.items() if not name.endswith(("seconds", "bytes"))}
        if isinstance(fields, dict)
        else fields
    )


def test_two_files_that_were_swapped_are_noticed(damaged_home: Path, capsys: Capture) -> None:
    shards = damaged_home / "store" / "splits" / "s" / "shards"
    one, two = shards / "train" / "item_index.npy", shards / "train" / "rating.npy"
    assert one.stat().st_size == two.stat().st_size
    spare = shards / "spare"
    for first, second in ((one, spare), (two, one), (spare, two)):
        first.rename(second)
    assert main(["evaluate", "cosine-knn", *places(damaged_home)]) == 3
    assert "is damaged" in capsys.readouterr().err
    for first, second in ((one, spare), (two, one), (spare, two)):
        first.rename(second)
    assert main(["evaluate", "cosine-knn", *places(damaged_home)]) == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("store/splits/s/shards/train/indptr.npy", 3),
        ("store/splits/s/shards/train/item_index.npy", 3),
        ("store/splits/s/shards/test/item_index.npy", 3),
        ("runs/cosine-knn/representation/neighbor_index.npy", 6),
    ],
)
def test_indices_out_of_bounds_stop_before_compiled_loops(
    name: str, code: int, damaged_home: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in files that are too large to be read again when they are opened."""
    monkeypatch.setattr(seal, "VERIFIED_BYTES", 0)
    path = damaged_home / name
    content = path.read_bytes()
    for value in (-7, 1 << 30):
        array = np.load(path)
        array.ravel()[array.size // 2] = value
        np.save(path, array)
        assert main(["evaluate", "cosine-knn", *places(damaged_home)]) == code
        assert f"{path.name} is damaged" in capsys.readouterr().err
    path.write_bytes(content)
