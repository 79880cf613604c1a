"""The mark of bigrec in every folder it publishes: which files it wrote, with their digests.

    FOLDER/bigrec.json     kind of the folder, size and SHA-256 of every file, SHA-256 of all that

It serves two promises. What does not bear it is never replaced, and what is not as it was written
is noticed: opening a folder compares the sizes of all files and the digests of the smallest up to
VERIFIED_BYTES, a check compares everything. A folder inside that has a mark of its own (a split in
a store, the shards of a split) is left to that one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from bigrec.errors import (
    BigrecError,
    DataError,
    RunError,
    SettingsError,
    SplitError,
    StoreError,
)

SEAL: Final = "bigrec.json"
FORMAT_VERSION: Final = 1
VERIFIED_BYTES: Final = 16 << 20
"""So much is read again when a folder is opened: a hundredth of a second."""
_LONGEST_NAME: Final = 255  # bytes
TEMPORARY: Final = ".bigrec-"
"""In the name of every lock and of everything unfinished."""


class Kind(Enum):
    """What a folder of bigrec is: its name, the error of one that is not whole, how to mend it."""

    STORE = "store", StoreError, "ingest the raw files again with --overwrite"
    SPLIT = "split", SplitError, "remove the folder and make the split again"
    SHARDS = "shards", StoreError, "remove the folder; it is made anew when it is needed"
    DAYS = "days", StoreError, "remove the folder; it is made anew when it is needed"
    RUN = "run", RunError, "train it again with --overwrite"
    EXPORT = "export", DataError, "export the run again with --overwrite"

    def __init__(self, label: str, error: type[BigrecError], remedy: str) -> None:
        self.label = label
        self.error = error
        self.remedy = remedy


@dataclass(frozen=True)
class SealedFile:
    """A file as it was written."""

    n_bytes: int
    sha256: str
    """In hexadecimal digits."""


@dataclass(frozen=True)
class Seal:
    """What one folder should hold."""

    folder: Path
    kind: Kind
    files: dict[str, SealedFile]
    """By path below the folder, with slashes."""
    digest: str
    """SHA-256 of the kind and of all files, in hexadecimal digits: the identity of the folder."""

    def damage(self) -> list[tuple[str, str]]:
        """The files that are not as they were written: (name, what is wrong). Reads everything."""
        found = []
        for name, file in sorted(self.files.items()):
            if wrong := _wrong_size(self.folder / name, file) or _wrong_digest(
                self.folder / name, file
            ):
                found.append((name, wrong))
        return found

    def verify(self) -> None:
        """Compare all sizes, and digests from the smallest file on up to VERIFIED_BYTES.

        Raises:
            BigrecError: of the kind; a file is not as it was written.
        """
        n_bytes = VERIFIED_BYTES
        for name, file in sorted(self.files.items(), key=lambda item: item[1].n_bytes):
            path = self.folder / name
            wrong = _wrong_size(path, file)
            n_bytes -= file.n_bytes
            if not wrong and n_bytes >= 0:
                wrong = _wrong_digest(path, file)
            if wrong:
                raise damaged(self.kind, path, wrong)


def damaged(kind: Kind, path: Path, wrong: str) -> BigrecError:
    """The error for a file that is not as it was written."""
    return kind.error(f"{path} is damaged: {wrong}", hint=kind.remedy)


def write_seal(folder: Path, kind: Kind, known: Mapping[Path, str] | None = None) -> None:
    """Mark a finished folder.

    Args:
        folder: with all its files.
        kind: what it is.
        known: the SHA-256 of files that need not be read again, in hexadecimal digits, by path.
    """
    digests = known or {}
    files = {
        path.relative_to(folder).as_posix(): SealedFile(
            path.stat().st_size, digests.get(path) or file_digest(path)
        )
        for path in sorted(_files(folder))
    }
    content = _content(kind, files)
    fields = {**content, "digest": _digest(content)}
    (folder / SEAL).write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")


def open_sealed(folder: Path, kind: Kind) -> Seal:
    """Read a folder's mark and verify the folder; see `Seal.verify`.

    Raises:
        FileNotFoundError: there is no such folder, or it bears no mark.
        BigrecError: of the kind; the folder is another kind's, of another format, or damaged.
    """
    seal = read_seal(folder, kind)
    seal.verify()
    return seal


def read_object(path: Path, kind: Kind) -> dict[str, Any]:
    """Read a JSON object from a file of a folder.

    Raises:
        BigrecError: of the kind; the file cannot be read, or holds something else.
    """
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(kind, path, f"it cannot be read ({error})") from error
    if not isinstance(fields, dict):
        raise damaged(kind, path, "it holds no JSON object")
    return fields


def read_seal(folder: Path, kind: Kind) -> Seal:
    """Read a folder's mark, without looking at its files.

    Raises:
        FileNotFoundError: there is no such folder, or it bears no mark.
        BigrecError: of the kind; the mark is another kind's, of another format, or damaged.
    """
    path = folder / SEAL
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        label, version, digest = fields["bigrec"], fields["format_version"], fields.pop("digest")
        is_whole = digest == _digest(fields)
        files = {name: SealedFile(**file) for name, file in fields["files"].items()}
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(kind, path, f"it cannot be read ({error})") from error
    if not is_whole:
        raise damaged(kind, path, "its digest differs from what it holds")
    if label != kind.label:
        raise kind.error(f"{folder} is no {kind.label} but bigrec's {label} folder")
    if version != FORMAT_VERSION:
        raise kind.error(
            f"{folder} has format version {version}, this bigrec reads {FORMAT_VERSION}",
            hint=kind.remedy,
        )
    return Seal(folder, kind, files, digest)


def require_replaceable(target: Path, kind: Kind | None) -> None:
    """Refuse to replace what bigrec did not write, whole or in part.

    Args:
        target: the path that shall be replaced; nothing or an empty folder may be there.
        kind: what may be replaced beside that; None for nothing.

    Raises:
        SettingsError: something else is there.
    """
    require_text_path(target)
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise SettingsError(
            f"{target} is a file, expected a folder to make", hint="choose another path"
        )
    if target == Path.cwd() or target in Path.cwd().parents:
        raise SettingsError(
            f"{target} is the folder that you are in, or one above", hint="name a folder of its own"
        )
    foreign = [target] if mark_kind(target) is None else list(_foreign(target))
    if not any(target.iterdir()) or (kind and mark_kind(target) == kind.label and not foreign):
        return
    what = f"bigrec's own ({kind.label})" if kind else "an empty folder"
    named = ", ".join(str(path) for path in foreign[:3])
    if foreign and foreign != [target]:
        raise SettingsError(
            f"{target} holds what bigrec did not write: {named}",
            hint="move that elsewhere first; bigrec replaces only what it wrote itself",
        )
    raise SettingsError(
        f"{target} exists and is not {what}",
        hint="choose another path, or remove it yourself; bigrec replaces only what it wrote",
    )


def require_text_path(path: Path) -> None:
    """Refuse a path that is no text, which the engines of data cannot open, or of endless names.

    Raises:
        SettingsError: it has bytes that are no UTF-8, or a name that no file system takes.
    """
    try:
        longest = max((len(name.encode()) for name in path.parts), default=0)
    except UnicodeEncodeError as error:
        raise SettingsError(
            f"{path} has bytes in its name that are no UTF-8", hint="rename it, or choose another"
        ) from error
    if longest > _LONGEST_NAME:
        raise SettingsError(
            f"{str(path)[:60]}… has a name of {longest} bytes, file systems take {_LONGEST_NAME}",
            hint="choose a shorter name",
        )


def enclosing_folder(path: Path) -> tuple[Path, str] | None:
    """The folder of bigrec that a path lies in and its kind, if there is one; links resolved."""
    for folder in Path(os.path.realpath(path)).parents:
        if label := mark_kind(folder):
            return folder, label
        if TEMPORARY in folder.name:
            return folder, "unfinished work"
    return None


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(kind: Kind, files: Mapping[str, SealedFile]) -> dict[str, Any]:
    described = {name: vars(file) for name, file in files.items()}
    return {"bigrec": kind.label, "format_version": FORMAT_VERSION, "files": described}


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _wrong_size(path: Path, file: SealedFile) -> str:
    try:
        status = path.stat()
    except OSError as error:
        return f"it cannot be read ({error.strerror})" if path.exists() else "it is missing"
    if not path.is_file():
        return "it is no regular file"
    if status.st_size != file.n_bytes:
        return f"it has {status.st_size:,} bytes, {file.n_bytes:,} were written"
    return ""


def _wrong_digest(path: Path, file: SealedFile) -> str:
    try:
        return (
            "" if file_digest(path) == file.sha256 else "its digest is not that of what was written"
        )
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _files(folder: Path, *, with_marked: bool = False) -> Iterator[Path]:
    """The files below a folder that its own mark is for.

    Args:
        folder: where to look.
        with_marked: whether to yield, instead of leaving out, folders with a mark of their own.
    """
    for path in folder.iterdir():
        if path.name == SEAL or TEMPORARY in path.name:
            continue
        if not path.is_dir() or path.is_symlink():
            yield path
        elif mark_kind(path) is None:
            yield from _files(path, with_marked=with_marked)
        elif with_marked:
            yield path


def mark_kind(folder: Path) -> str | None:
    """The kind that a folder's mark names, even of a damaged one; None without a mark."""
    try:
        with (folder / SEAL).open("rb") as file:
            start = file.read(100).decode("utf-8", "replace")
    except OSError:
        return None
    return next((kind.label for kind in Kind if f'"bigrec": "{kind.label}"' in start), None)


def _foreign(folder: Path) -> Iterator[Path]:
    """What lies in a marked folder and is not bigrec's, that of marked folders inside included."""
    own = _named_files(folder)
    for path in sorted(_files(folder, with_marked=True)):
        if path.is_dir() and not path.is_symlink():
            yield from _foreign(path)
        elif path not in own:
            yield path


def _named_files(folder: Path) -> set[Path]:
    """The files that a folder's mark names, even a damaged one; none where it cannot be read."""
    try:
        return {folder / name for name in json.loads((folder / SEAL).read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
