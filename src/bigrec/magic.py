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
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<HTML", "a web page"),
)
_STARTS: Final = re.compile(b"|".join(re.escape(start) for start, _ in _KINDS))
_TAR_MARK: Final = slice(257, 262)
_CONTROL: Final = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")


def kind_of(head: bytes) -> str:
    """What kind of file begins with these bytes: TEXT, GZIP, ZSTD, ZIP, or other words.

    Args:
        head: the first HEAD_BYTES of the file, or all of it if it is shorter.
    """
    if start := _STARTS.match(head):
        return dict(_KINDS)[start[0]]
    if head[_TAR_MARK] == b"ustar":
        return "a tar archive"
    return UNKNOWN if _CONTROL.search(head) else TEXT
