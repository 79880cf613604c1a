"""Raw files as they come: plain, compressed with gzip or zstd, or inside zip archives.

Which there are, of what kind, size and age; `streams` reads them.
"""

from __future__ import annotations

import fnmatch
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from bigrec.errors import DataError, ResourceError, of_the_system
from bigrec.magic import (
    ARROW,
    GZIP,
    HEAD_BYTES,
    PARQUET,
    TEXT,
    UNKNOWN,
    ZIP,
    ZSTD,
    kind_of,
    remedy_of,
)
from bigrec.store.manifest import SourceFile

_KIND_OF_SUFFIX: Final = {".gz": GZIP, ".zst": ZSTD, ".zip": ZIP}
_READ_KINDS: Final = (TEXT, GZIP, ZSTD, PARQUET, ARROW, UNKNOWN)
_TAR_SUFFIXES: Final = (".tar", ".tgz")
_SUBFOLDERS: Final = ("training_set",)
_SHOWN_NAMES: Final = 3
DISK_FAILURES: Final = (OSError, zipfile.BadZipFile)
_ARCHIVE_FAILURES: Final = (
    *DISK_FAILURES, NotImplementedError, EOFError, ValueError, OverflowError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class RawFile:
    """One text file of the raw data."""

    path: Path
    """The file on disk."""
    member: str = ""
    """Its name inside the zip archive `path`; empty for a file of its own."""
    member_bytes: int = 0
    """Its size when unpacked, of a member."""

    @property
    def label(self) -> Path:
        """The path as it is shown to people."""
        return Path(f"{self.path}/{self.member}") if self.member else self.path

    @cached_property
    def kind(self) -> str:
        """What the file on disk is, in words of `magic`.

        Raises:
            DataError: it is missing, no regular file, or cannot be read.
        """
        with reading(self):
            # A pipe would wait for its writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._require_regular(os.fstat(descriptor))
                kind = kind_of(os.pread(descriptor, HEAD_BYTES, 0))
            finally:
                os.close(descriptor)
        # What begins with no text is what its name says, and damaged.
        return _KIND_OF_SUFFIX.get(self.path.suffix, kind) if kind == UNKNOWN else kind

    @property
    def is_plain(self) -> bool:
        """Whether it can be read from the middle."""
        return not self.member and self.kind not in (GZIP, ZSTD)

    @property
    def size(self) -> int:
        """Bytes on disk; of a member, when unpacked.

        Raises:
            DataError: it is missing, or no regular file.
        """
        return self.member_bytes if self.member else self._status().st_size

    def describe(self, root: Path) -> SourceFile:
        """Name, size and time for the manifest.

        Args:
            root: the raw folder or archive, below which the file is named.

        Raises:
            DataError: it is missing, empty or no regular file.
        """
        status = self._status()
        size = self.member_bytes if self.member else status.st_size
        if not size:
            raise empty_file_error(self)
        inside = self.path.name
        if self.path != root and self.path.is_relative_to(root):
            inside = self.path.relative_to(root).as_posix()
        return SourceFile(
            f"{inside}/{self.member}" if self.member else inside, size, status.st_mtime_ns
        )

    def _status(self) -> os.stat_result:
        with reading(self):
            status = self.path.stat()
            self._require_regular(status)
        return status

    def _require_regular(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise DataError(
                f"{self.label} is {what}, expected a file", hint="put the raw file there"
            )


def empty_file_error(file: RawFile) -> DataError:
    """The error for a file without a line."""
    return DataError(
        f"{file.label} is empty", hint="fetch the file again; the store is as it was before"
    )


@contextmanager
def reading(file: RawFile, failures: tuple[type[Exception], ...] = DISK_FAILURES) -> Iterator[None]:
    """Turn every failure to read a file into a DataError that names it."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{file.label} is missing", hint="fetch the file again") from None
    except failures as error:
        if isinstance(error, OSError):
            known = of_the_system(error, file.path)
            if isinstance(known, ResourceError):
                raise known from error
        reason = getattr(error, "strerror", None) or str(error)
        hint = "it may be damaged or incomplete; fetch the file again"
        if isinstance(error, PermissionError):
            hint = f"take the right to read it: chmod u+r {file.path}"
        raise DataError(f"{file.label} cannot be read: {reason}", hint=hint) from error


class RawFolder:
    """The files below a raw folder or inside a zip archive, by name without compression suffix.

    A file that is no archive is a folder of that one file.

    Of a folder, the members of its zip archives belong to it too: of one that holds several files,
    and of any that hold a single one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_single = False
        """Whether it is one file that is no archive."""
        self.archives: list[Path] = []
        """Zip archives of several files in the folder."""
        self._files: dict[str, list[RawFile]] = {}
        self._unreadable: list[DataError] = []
        with reading(RawFile(root)):
            try:
                is_folder = stat.S_ISDIR(root.stat().st_mode)
            except FileNotFoundError:
                hint = "give the folder that holds the raw files, or a zip archive of it"
                raise DataError(f"{root} is missing", hint=hint) from None
        if is_folder:
            self._add_folder(root)
        elif (kind := RawFile(root).kind) == ZIP:
            self._add_members(list_members(root))
        elif kind in _READ_KINDS and not {*_TAR_SUFFIXES} & {*root.suffixes}:
            self.is_single = True
            self._add(root.name, RawFile(root))
        else:
            raise _not_a_folder(root, kind)

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._files)

    def find(self, *names: str) -> RawFile | None:
        """The first of these files that is there; None if none is.

        Args:
            names: without a suffix of compression; `training_set/NAME` in that folder.

        Raises:
            DataError: several archives hold one of this name.
        """
        return next((self._choose(name) for name in names if name in self._files), None)

    def has(self, *names: str) -> bool:
        """Whether one of these files is there.

        Args:
            names: as in `find`.
        """
        return any(name in self._files for name in names)

    def has_any(self, pattern: str) -> bool:
        """Whether the name of a file matches.

        Args:
            pattern: as in `fnmatch`.
        """
        return any(fnmatch.fnmatchcase(name, pattern) for name in self._files)

    def glob(self, pattern: str, *, looks_inside: bool) -> list[RawFile]:
        """The files whose name matches, in order of names.

        Args:
            pattern: as in `fnmatch`.
            looks_inside: whether each is opened to see whether it is a zip archive that is not
                named as one, which takes long for many thousands.
        """
        names = fnmatch.filter(self.names, pattern)
        if looks_inside:
            return [self._choose(name) for name in names]
        return [self._one_of(name, self._files[name]) for name in names]

    def missing(self, *names: str) -> DataError:
        """The error for a set that lacks a file.

        Args:
            names: what the file may be called.
        """
        if self._unreadable:
            return self._unreadable[0]
        above = self.root.absolute().parent
        hint = "it belongs to the set; fetch it again"
        if any((above / f"{name}{suffix}").exists() for name in names for suffix in _SUFFIXES):
            hint = f"did you mean the folder {above}? it is there"
        folder = self.root.parent if self.is_single else self.root
        return DataError(f"{folder / names[0]} is missing", hint=hint)

    def require_readable(self) -> None:
        """Stop if an archive of the folder cannot be read.

        Raises:
            DataError: one cannot.
        """
        if self._unreadable:
            raise self._unreadable[0]

    def _choose(self, name: str) -> RawFile:
        """The file of a name; a member of it, if it is a zip archive that is not named as one."""
        file = self._one_of(name, self._files[name])
        if file.member or file.kind != ZIP:
            return file
        members = list_members(file.path)
        if not members:
            raise empty_file_error(file)
        same = [member for member in members if PurePosixPath(member.member).name == name]
        return self._one_of(name, same or members)

    def _one_of(self, name: str, files: list[RawFile]) -> RawFile:
        """The one to read: a plain copy, which is the fastest, then compressed, then packed."""
        if len(files) == 1:
            return files[0]
        first, *others = sorted(
            files,
            key=lambda file: (bool(file.member), file.path.suffix in _KIND_OF_SUFFIX, file.label),
        )
        if first.member:
            shown = ", ".join(str(file.label) for file in [first, *others][:_SHOWN_NAMES])
            raise DataError(
                f"{self.root} holds more than one {name}: {shown}",
                hint="unpack one of them, and give the folder that it makes",
            )
        return first

    def _add_folder(self, root: Path) -> None:
        with reading(RawFile(root)):
            paths = {"": sorted(root.iterdir(), key=str)}
            for name in _SUBFOLDERS:
                if (root / name).is_dir():
                    paths[f"{name}/"] = sorted((root / name).iterdir(), key=str)
        for prefix, inside in paths.items():
            for path in inside:
                name = path.name
                if name.startswith(".") or f"{name}/" in paths:
                    continue
                if not name.endswith(".zip") or not self._add_archive(path):
                    self._add(f"{prefix}{name}", RawFile(path))
        if len(self.archives) == 1:
            self._add_members(list_members(self.archives[0]))

    def _add_archive(self, path: Path) -> bool:
        """Note an archive of a folder; False if it is none that can be read."""
        try:
            if RawFile(path).kind != ZIP:
                return False
            members = list_members(path)
        except DataError as error:
            self._unreadable.append(error)
            return False
        if len(members) == 1:
            self._add_members(members)
        elif members:
            self.archives.append(path)
        else:
            self._unreadable.append(empty_file_error(RawFile(path)))
        return True

    def _add_members(self, members: list[RawFile]) -> None:
        for file in members:
            parts = PurePosixPath(file.member.replace("\\", "/")).parts
            # Archives often hold one folder of the set's own name around everything.
            keep = 2 if len(parts) > 1 and parts[-2] in _SUBFOLDERS else 1
            self._add("/".join(parts[-keep:]), file)

    def _add(self, name: str, file: RawFile) -> None:
        bare = name
        for suffix in _KIND_OF_SUFFIX:
            if suffix != ".zip" or not file.member:  # a zip inside a zip is not looked into
                bare = bare.removesuffix(suffix)
        self._files.setdefault(bare, []).append(file)


_SUFFIXES: Final = ("", *_KIND_OF_SUFFIX)


def list_members(path: Path) -> list[RawFile]:
    """The files inside a zip archive, without those that macOS adds.

    Raises:
        DataError: it cannot be read.
    """
    with reading(RawFile(path), _ARCHIVE_FAILURES), zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename and not info.is_dir()]
    files = []
    for info in members:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        if parts and "__MACOSX" not in parts and not parts[-1].startswith("."):
            files.append(RawFile(path, info.filename, info.file_size))
    return files


def _not_a_folder(root: Path, kind: str) -> DataError:
    """The error for a file that holds no data, in place of a raw folder."""
    if {*_TAR_SUFFIXES} & {*root.suffixes}:
        kind = "a tar archive"
    return DataError(
        f"{root} is {kind}, expected a file of ratings, a folder that holds raw files, or a zip "
        "archive of it",
        hint=remedy_of(kind),
    )
