"""Ids as a source has them: spans of a text, with no object for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bigrec.compiled import compiled
from bigrec.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

Array = np.ndarray[Any, Any]

MAX_KEY_BYTES: Final = 1000
"""Bytes of UTF-8 of an id as a source has it, at most."""
KEY_PADDING: Final = 16
"""Bytes behind a key that may be looked at."""


@dataclass(frozen=True)
class Keys:
    """Ids as a source has them: texts of 1 to MAX_KEY_BYTES bytes of UTF-8, without NUL."""

    text: Array
    """uint8; KEY_PADDING bytes may be looked at behind each key."""
    starts: Array
    """(n,) int64, where each begins in the text."""
    lengths: Array
    """(n,) int32, bytes of each."""

    def take(self, rows: Array) -> Keys:
        """Some of them, in the same text.

        Args:
            rows: (m,) their positions, or (n,) bool.
        """
        return Keys(self.text, self.starts[rows], self.lengths[rows])

    def to_arrow(self) -> pa.Array:
        """The same as (n,) strings."""
        import pyarrow as pa

        offsets = np.zeros(len(self.starts) + 1, np.int64)
        np.cumsum(self.lengths, out=offsets[1:])
        text = np.empty(int(offsets[-1]), np.uint8)
        gather_text(self.text, self.starts, self.lengths, text)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
        return pa.Array.from_buffers(pa.large_string(), len(self.starts), buffers)

    def bytes_at(self, row: int) -> bytes:
        """One of them."""
        start = int(self.starts[row])
        return self.text[start : start + int(self.lengths[row])].tobytes()


def keys_of(column: pa.Array, workspace: Workspace | None = None, name: str = "keys") -> Keys:
    """Texts, or integers in decimal digits, as keys; a null has no bytes.

    Args:
        column: of an Arrow table.
        workspace: scratch memory that holds the result; None for memory of its own.
        name: of the arrays in it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    workspace = workspace or Workspace()
    if not pa.types.is_string(column.type):
        column = column.cast(pa.large_string())
    if column.null_count:
        column = pc.fill_null(column, "")
    kind = np.int32 if pa.types.is_string(column.type) else np.int64
    n_rows = len(column)
    offsets = np.frombuffer(column.buffers()[1], kind)[column.offset :][: n_rows + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    text = workspace.array(f"{name} text", last - first + KEY_PADDING, np.uint8)
    if last > first:
        text[: last - first] = np.frombuffer(column.buffers()[2], np.uint8)[first:last]
    text[last - first :] = 0
    starts = workspace.array(f"{name} starts", n_rows, np.int64)
    np.subtract(offsets[:-1], first, out=starts)
    lengths = workspace.array(f"{name} lengths", n_rows, np.int32)
    np.subtract(offsets[1:], offsets[:-1], out=lengths)
    return Keys(text, starts, lengths)


@compiled
def gather_text(text, starts, lengths, out):  # type: ignore[no-untyped-def]
    """Copy spans of a text one behind the other.

    Args:
        text: uint8.
        starts, lengths: (n,) the spans.
        out: uint8 out, as long as they are together.
    """
    position = 0
    for row in range(len(starts)):
        for byte in range(starts[row], starts[row] + lengths[row]):
            out[position] = text[byte]
            position += 1
