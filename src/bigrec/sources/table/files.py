"""The files below a path that may hold a table, in groups of parts that belong together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from bigrec.errors import DataError
from bigrec.magic import ZIP
from bigrec.sources.raw import RawFile, RawFolder, empty_file_error, list_members, reading
from bigrec.sources.streams import open_stream

_PART: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
_HIVE: Final = re.compile(r"(^|/)([^/=]+)=[^/]*")
_COMPRESSED: Final = re.compile(r"\.(?:gz|zst)$")
_BLOCK_BYTES: Final = 1 << 20
_DIGITS: Final = re.compile(r"(\d+)")
_WORDS_ABOUT: Final = ("readme", "license", "licence", "changelog", "citation", "about", "checksum")
_OTHER_ENDINGS: Final = frozenset(
    ".md .rst .html .htm .pdf .py .ipynb .r .tex .bib .png .jpg .jpeg .gif .svg .xml .yaml .yml "
    ".md5 .sha1 .sha256 .crc .sql .sh .doc .docx .xls .xlsx .pkl .npy .npz".split()
)


def group_files(root: Path) -> dict[str, list[RawFile]]:
    """The files that may hold tables, by what their names have in common.

    Parts of one table differ by numbers only, or by a partition such as `year=2020`.

    Args:
        root: a file, a folder with all below it, or a zip archive.

    Returns:
        the files of each group in the order of their numbers; empty files are left out.

    Raises:
        DataError: there is no file, or the path cannot be read.
    """
    folder = RawFolder(root)
    files = sorted(_list_files(root), key=lambda file: _in_order(_name(root, file)))
    if len(files) > 1:
        files = [file for file in files if not _is_about(_name(root, file))] or files
    if not files:
        folder.require_readable()
        raise DataError(f"{root} holds no files", hint="give the file that holds the ratings")
    filled = [file for file in files if file.size]
    if not filled:
        raise empty_file_error(files[0])
    groups: dict[str, list[RawFile]] = {}
    for file in filled:
        groups.setdefault(_without_numbers(_name(root, file)), []).append(file)
    return groups


def read_head(file: RawFile, n_bytes: int) -> bytes:
    """The first lines of a file of text, unpacked; the last one is whole.

    Args:
        file: of text.
        n_bytes: how many bytes to read, at most.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    head = b"".join(read_blocks(file, n_bytes))
    if len(head) < n_bytes or b"\n" not in head:
        return head
    return head[: head.rindex(b"\n") + 1]


def read_blocks(file: RawFile, n_bytes: int) -> Iterator[bytes]:
    """The beginning of a file of text, unpacked, in blocks.

    Args:
        file: of text.
        n_bytes: how many bytes to read, at most.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    with open_stream(file) as stream:
        while n_bytes and (block := stream.read(min(n_bytes, _BLOCK_BYTES))):
            yield block
            n_bytes -= len(block)


def bare_name(file: RawFile) -> str:
    """The name of a file without its folder and without a suffix of compression."""
    return _COMPRESSED.sub("", file.label.name)


def _list_files(root: Path) -> Iterator[RawFile]:
    paths = _walk(root) if root.is_dir() else [root]
    for path in paths:
        file = RawFile(path)
        if file.kind != ZIP:
            yield file
            continue
        members = list_members(path)
        if any(member.member == "xl/workbook.xml" for member in members):
            if path == root:
                raise DataError(f"{path} is an Excel workbook", hint="save its sheet as csv")
            continue
        yield from members


def _walk(root: Path) -> Iterator[Path]:
    """All files below a folder, without those that tools hide."""
    with reading(RawFile(root)):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith((".", "_"))]
            yield from (Path(folder) / name for name in names if not name.startswith((".", "_")))


def _name(root: Path, file: RawFile) -> str:
    """The name of a file below the path that was given."""
    path = file.path.relative_to(root).as_posix() if file.path != root else root.name
    return f"{path}/{file.member}" if file.member else path


def _is_about(name: str) -> bool:
    """Whether a file is about data, and holds none."""
    path = PurePosixPath(_COMPRESSED.sub("", name.lower()))
    return path.name.startswith(_WORDS_ABOUT) or path.suffix in _OTHER_ENDINGS


def _without_numbers(name: str) -> str:
    return _PART.sub("#", _HIVE.sub(r"\1\2=#", _COMPRESSED.sub("", name)))


def _in_order(name: str) -> list[tuple[int, str]]:
    """A key that puts part-2 before part-10."""
    parts: Iterable[str] = _DIGITS.split(name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
