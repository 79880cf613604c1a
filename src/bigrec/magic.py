"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import re
from typing import Final

HEAD_BYTES: Final = 512
"""How many bytes from the beginning of a file tell its kind."""

TEXT: Final = "text"
GZIP: Final = "a gzip file"
ZSTD: Final = "a zstd file"
ZIP: Final = "a zip archive"
PARQUET: Final = "a Parquet file"
ARROW: Final = "an Arrow file"
UTF_16: Final = "UTF-16 text"
UNKNOWN: Final = "no text"

_KINDS: Final = (
    (b"\x1f\x8b", GZIP),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"PK\x07\x08", ZIP),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"PAR1", PARQUET),
    (b"ARROW1", ARROW),
    (b"FEA1", ARROW),
    (b"\xff\xff\xff\xff", ARROW),
    (b"SQLite format 3\0", "an SQLite file"),
    (b"%PDF-", "a PDF file"),
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<HTML", "a web page"),
)
_STARTS: Final = re.compile(b"|".join(re.escape(start) for start, _ in _KINDS))
_TAR_MARK: Final = slice(257, 262)
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")
_HALF_NUL: Final = 0.3  # share of NUL at even or at odd places from which on text is UTF-16
_RARE: Final = 0.1  # as often as at these places it may stand at the others
_PACKED: Final = ("zip", "7z", "rar", "tar", "xz", "bzip2", "gzip", "zstd")


def kind_of(head: bytes) -> str:
    """What kind of file begins with these bytes: TEXT, GZIP, ZSTD, ZIP, or other words.

    Args:
        head: the first HEAD_BYTES of the file, or all of it if it is shorter.
    """
    if start := _STARTS.match(head):
        return dict(_KINDS)[start[0]]
    if head[_TAR_MARK] == b"ustar":
        return "a tar archive"
    if _CONTROL.search(head):
        return UTF_16 if _is_utf_16(head) else UNKNOWN
    return TEXT


def remedy_of(kind: str) -> str:
    """What to do about a file of a kind that is not read.

    Args:
        kind: as kind_of has it.
    """
    if kind == UTF_16:
        return "write it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"
    if kind == "a web page":
        return "a page was saved in place of the file; fetch the file again"
    if kind.endswith(("archive", "file")) and kind.split()[1] in _PACKED:
        return "unpack it, and give the folder or the file that it makes"
    return "write it as a text file such as csv, or fetch the file again"


def _is_utf_16(head: bytes) -> bool:
    """Whether every other byte is NUL, as in UTF-16 without a mark, where letters are ASCII."""
    fewer, more = sorted(head[start::2].count(0) for start in (0, 1))
    return more > _HALF_NUL * len(head) / 2 and fewer <= _RARE * more
