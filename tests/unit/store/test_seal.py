"""The mark of a folder: damage is noticed, and what bigrec did not write is never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.sealing import flip_byte

from bigrec.errors import BigrecError, SettingsError, StoreError
from bigrec.store import seal
from bigrec.store.publish import publishing
from bigrec.store.seal import SEAL, Kind, enclosing_folder, open_sealed, read_seal


def publish(target: Path, kind: Kind = Kind.STORE) -> Path:
    with publishing(target, kind) as draft:
        (draft.folder / "large").write_bytes(bytes(range(256)) * 8)
        (draft.folder / "sub").mkdir()
        (draft.folder / "sub" / "small").write_bytes(b"abc")
    return target


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_whole_folder_opens(tmp_path: Path) -> None:
    assert set(open_sealed(publish(tmp_path / "s"), Kind.STORE).files) == {"large", "sub/small"}


@pytest.mark.parametrize("name", ["large", "sub/small", SEAL])
def test_any_changed_byte_is_an_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    folder = publish(tmp_path / "s")
    size = (folder / name).stat().st_size
    for position in range(0, size, max(1, size // 40)):
        for bits in (0x01, 0x20):
            flip_byte(folder / name, position, bits)
            with pytest.raises(StoreError, match=f"{name}.*is damaged"):
                open_sealed(folder, Kind.STORE)
            flip_byte(folder / name, position, bits)
    open_sealed(folder, Kind.STORE)


@pytest.mark.parametrize("harm", ["cut", "emptied", "lengthened", "removed", "a folder"])
def test_other_damage_is_an_error_too(harm: str, tmp_path: Path) -> None:
    folder = publish(tmp_path / "s")
    path = folder / "large"
    content = path.read_bytes()
    path.unlink()
    changed = {"cut": content[:-1], "emptied": b"", "lengthened": content + b"x"}
    if harm in changed:
        path.write_bytes(changed[harm])
    elif harm == "a folder":
        path.mkdir()
    with pytest.raises(StoreError, match=r"large is damaged") as caught:
        open_sealed(folder, Kind.STORE)
    assert caught.value.hint
    assert [name for name, _ in read_seal(folder, Kind.STORE).damage()] == ["large"]


def test_swapped_files_are_damage(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    with publishing(folder, Kind.STORE) as draft:
        (draft.folder / "a").write_bytes(b"one")
        (draft.folder / "b").write_bytes(b"two")
    (folder / "a").rename(folder / "c")
    (folder / "b").rename(folder / "a")
    (folder / "c").rename(folder / "b")
    assert len(read_seal(folder, Kind.STORE).damage()) == 2
    with pytest.raises(StoreError, match="damaged"):
        open_sealed(folder, Kind.STORE)


def test_of_large_files_opening_compares_sizes_and_a_check_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "VERIFIED_BYTES", 100)
    folder = publish(tmp_path / "s")
    flip_byte(folder / "large", 7)
    open_sealed(folder, Kind.STORE)
    assert [name for name, _ in read_seal(folder, Kind.STORE).damage()] == ["large"]
    flip_byte(folder / "sub" / "small", 1)
    with pytest.raises(StoreError, match="small is damaged"):
        open_sealed(folder, Kind.STORE)


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '{"bigrec": 3}', "[" * 100_000, "\0"])
def test_a_mark_that_is_none_is_damage(content: str, tmp_path: Path) -> None:
    folder = publish(tmp_path / "s")
    (folder / SEAL).write_text(content)
    with pytest.raises(StoreError, match=f"{SEAL} is damaged"):
        open_sealed(folder, Kind.STORE)


def test_the_mark_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(BigrecError, match="is no run but bigrec's store"):
        open_sealed(publish(tmp_path / "s"), Kind.RUN)
    with pytest.raises(FileNotFoundError):
        open_sealed(tmp_path / "none", Kind.RUN)


def test_known_digests_are_those_of_the_files(tmp_path: Path) -> None:
    with publishing(tmp_path / "s", Kind.STORE) as draft:
        (draft.folder / "a").write_bytes(b"one")
        draft.digests[draft.folder / "a"] = "0" * 64
    assert [wrong for _, wrong in read_seal(tmp_path / "s", Kind.STORE).damage()]


def test_a_folder_of_the_same_kind_is_replaced(tmp_path: Path) -> None:
    target = publish(tmp_path / "s")
    with publishing(target, Kind.STORE) as draft:
        (draft.folder / "new").write_bytes(b"new")
    assert set(tree(target)) == {"new", SEAL}


@pytest.mark.parametrize(
    "there", ["a foreign folder", "a file", "another kind", "a file inside", "a file deep inside",
              "a broken mark", "a link inside"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [Kind.STORE, Kind.RUN, Kind.EXPORT, None])
def test_what_bigrec_did_not_write_is_never_replaced(
    kind: Kind | None, there: str, tmp_path: Path
) -> None:
    target = tmp_path / "t"
    if there == "a foreign folder":
        target.mkdir()
        (target / "thesis").write_text("precious")
    elif there == "a file":
        target.write_text("precious")
    elif there == "another kind":
        publish(target, Kind.EXPORT if kind is not Kind.EXPORT else Kind.STORE)
    else:
        publish(target, kind or Kind.STORE)
        if there == "a broken mark":
            (target / SEAL).write_text('{"bigrec": "store", ')
        elif there == "a link inside":
            (target / "link").symlink_to(tmp_path)
        else:
            inside = target / ("sub" if "deep" in there else ".")
            (inside / "thesis").write_text("precious")
    before = tree(tmp_path)
    with pytest.raises(SettingsError), publishing(target, kind) as draft:
        (draft.folder / "new").write_text("new")
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_users_file_in_a_marked_folder_inside_is_found(tmp_path: Path) -> None:
    store = publish(tmp_path / "s")
    split = publish(store / "splits" / "x", Kind.SPLIT)
    with publishing(store, Kind.STORE) as draft:
        (draft.folder / "new").write_text("new")
    assert not split.exists()  # its own are bigrec's
    publish(store / "splits" / "x", Kind.SPLIT)
    (store / "splits" / "x" / "thesis").write_text("precious")
    with pytest.raises(SettingsError, match="thesis"), publishing(store, Kind.STORE):
        pass


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    assert publish(tmp_path / "t").exists()


def test_the_folder_that_one_is_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    for target in (Path(), Path(".."), Path("../..")):
        with pytest.raises(SettingsError, match="the folder that you are in"):
            publish(target)


def test_the_folder_that_a_path_lies_in_is_known(tmp_path: Path) -> None:
    store = publish(tmp_path / "s")
    assert enclosing_folder(store / "sub" / "deep" / "x") == (store, "store")
    (tmp_path / "link").symlink_to(store / "sub")
    assert enclosing_folder(tmp_path / "link" / "x") == (store, "store")
    assert enclosing_folder(tmp_path / "x") is None
    assert json.loads((store / SEAL).read_text())["bigrec"] == "store"
