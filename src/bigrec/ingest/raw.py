"""Raw files as they come: plain, compressed with gzip or zstd, or inside a zip archive.

Which there are, of what size and age; `streams` reads them.
"""

from __future__ import annotations

import fnmatch
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bigrec.errors import DataError
from bigrec.store.manifest import SourceFile

_COMPRESSED: Final = (".gz", ".zst")
_SUBFOLDERS: Final = ("training_set",)
DISK_FAILURES: Final = (OSError, zipfile.BadZipFile)


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
        return self.path / self.member if self.member else self.path

    @property
    def is_plain(self) -> bool:
        """Whether it can be read from the middle."""
        return not self.member and self.path.suffix not in _COMPRESSED

    def describe(self, root: Path) -> SourceFile:
        """Name, size and time for the manifest.

        Raises:
            DataError: it is missing, empty or no regular file.
        """
        with reading(self):
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{self.label} is no regular file", hint="put the raw file there")
        size = self.member_bytes if self.member else status.st_size
        if not size:
            raise empty_file_error(self)
        inside = self.path.relative_to(root).as_posix() if self.path != root else self.path.name
        return SourceFile(
            f"{inside}/{self.member}" if self.member else inside, size, status.st_mtime_ns
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
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{file.label} cannot be read: {reason}",
            hint="it may be damaged or incomplete; fetch the file again",
        ) from error


class RawFolder:
    """The files below a raw folder or inside a zip archive, by name without compression suffix."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[str, RawFile] = {}
        if root.is_dir():
            self._add_folder(root)
            archives = sorted(root.glob("*.zip"))
            if len(archives) == 1:
                self._add_archive(archives[0])
        elif root.exists():
            self._add_archive(root)
        else:
            raise DataError(f"{root} is missing", hint="give the folder that holds the raw files")

    @property
    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._files)

    def find(self, *names: str) -> RawFile | None:
        """The first of these files that is there."""
        return next((self._files[name] for name in names if name in self._files), None)

    def glob(self, pattern: str) -> list[RawFile]:
        """The files whose name matches, in order of names."""
        return [self._files[name] for name in fnmatch.filter(self.names, pattern)]

    def _add_folder(self, root: Path) -> None:
        with reading(RawFile(root)):
            folders = [root, *(root / name for name in _SUBFOLDERS if (root / name).is_dir())]
            for folder in folders:
                for path in folder.iterdir():
                    if path not in folders:
                        self._add(path.relative_to(root).as_posix(), RawFile(path))

    def _add_archive(self, path: Path) -> None:
        with reading(RawFile(path)), zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            parts = PurePosixPath(info.filename).parts
            # Archives often hold one folder of the set's own name around everything.
            keep = 2 if len(parts) > 1 and parts[-2] in _SUBFOLDERS else 1
            self._add("/".join(parts[-keep:]), RawFile(path, info.filename, info.file_size))

    def _add(self, name: str, file: RawFile) -> None:
        bare = name
        for suffix in _COMPRESSED:
            bare = bare.removesuffix(suffix)
        if file.is_plain or bare not in self._files:  # a plain copy is the faster one
            self._files[bare] = file
