"""Folders for temporary files, which go with the process that made them or with the next one.

A folder is locked while its process lives. Whoever makes another one beside it removes those whose
processes were killed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bigrec.errors import ResourceError

_PREFIX: Final = "bigrec-scratch-"


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder of one's own for the length of a block.

    Args:
        parent: the folder to make it in, such as `Budget.spill_dir`; made if it is missing.

    Raises:
        ResourceError: it cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder, descriptor = _make(parent)
    except OSError as error:
        raise ResourceError(
            f"{parent.absolute()} cannot take temporary files: {error.strerror}",
            hint="name another folder: BIGREC_TEMP_DIR, or temp_dir in bigrec.toml",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make(parent: Path) -> tuple[Path, int]:
    """A new folder, and the descriptor that locks it."""
    while True:
        folder = parent / f"{_PREFIX}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # swept before it was locked
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the folders of processes that are no more."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or swept by somebody else
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(descriptor)
