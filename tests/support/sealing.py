"""Changing what bigrec wrote, with and without its knowledge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bigrec.store.seal import Kind, mark_kind, write_seal


def seal_again(folder: Path) -> None:
    """Mark a folder as if bigrec had written what it holds now."""
    label = mark_kind(folder)
    write_seal(folder, next(kind for kind in Kind if kind.label == label))


def rewrite_json(path: Path, **changes: Any) -> dict[str, Any]:
    """Change fields of a JSON file and mark its folder anew; the fields as they were."""
    fields: dict[str, Any] = json.loads(path.read_text())
    path.write_text(json.dumps(fields | changes))
    seal_again(path.parent)
    return fields


def flip_byte(path: Path, position: int, bits: int = 0x11) -> None:
    """Damage one byte."""
    content = bytearray(path.read_bytes())
    content[position] ^= bits
    path.write_bytes(content)
