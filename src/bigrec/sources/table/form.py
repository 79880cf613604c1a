"""In which form a file holds its table."""

from __future__ import annotations

from typing import Final

from bigrec.magic import ARROW as ARROW_FILE
from bigrec.magic import HEAD_BYTES, kind_of
from bigrec.magic import PARQUET as PARQUET_FILE
from bigrec.sources.raw import RawFile
from bigrec.sources.streams import BOM, open_bytes
from bigrec.sources.table.files import read_head
from bigrec.sources.table.plan import ARROW, JSON_LINES, PARQUET, TEXT

_JSON_STARTS: Final = (b"{", b"[")


def form_of(file: RawFile) -> str:
    """One of plan.FORMS, by the first bytes of the file once it is unpacked.

    Raises:
        DataError: it cannot be read, or is of no such form.
    """
    with open_bytes(file) as stream:
        kind = kind_of(stream.read(HEAD_BYTES))
    if kind in (PARQUET_FILE, ARROW_FILE):
        return PARQUET if kind == PARQUET_FILE else ARROW
    start = read_head(file, HEAD_BYTES).removeprefix(BOM).lstrip()
    return JSON_LINES if start.startswith(_JSON_STARTS) else TEXT
