"""Ctrl-C during a training: never in the middle of a step, and what it is raised as."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped a training whose state is saved; its text says where it stands."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back a Ctrl-C until the block has ended.

    Signals reach the main thread only; in any other the block just runs.

    Raises:
        KeyboardInterrupt: at the end of the block, if there was a Ctrl-C meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck = False

    def note(*_: object) -> None:
        nonlocal struck
        struck = True

    previous = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if struck:
        raise KeyboardInterrupt
