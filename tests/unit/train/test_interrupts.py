"""A real SIGINT waits for the end of the block."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from bigrec.train.interrupts import uninterrupted


def strike() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_for_the_end() -> None:
    reached = []

    def work() -> None:
        with uninterrupted():
            strike()
            reached.append("the end")
        reached.append("what comes after")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_in_the_block_comes_first() -> None:
    def work() -> None:
        with uninterrupted():
            strike()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()


def test_without_an_interrupt_nothing_happens_in_any_thread() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(threading.current_thread().name)

    work()
    thread = threading.Thread(target=work, name="other")
    thread.start()
    thread.join()
    assert done == [threading.main_thread().name, "other"]
