"""Scratch memory goes back to the system with the thread that filled it."""

from __future__ import annotations

from tests.support.peak_memory import peak_bytes

# Each thread's arrays are smaller than what malloc was given back before, so it would take them
# from its heap, where small ones among them, which stay, hold the rest.
ROUNDS = """
    import threading
    import numpy as np
    from bigrec.workspace import Workspace
    workspace, kept = Workspace(), []

    def work(scale):
        for number in range(16):
            workspace.array(str(number), scale << 20, np.uint8)[:] = 1
            kept.append(np.ones(1000))

    for scale in range(int(sys.argv[1]), 0, -1):
        thread = threading.Thread(target=work, args=(scale,))
        thread.start()
        thread.join()
    resident = Path("/proc/self/statm").read_text().split()[1]
    reported = int(resident) * 4096
"""


def test_nothing_stays_resident_of_a_thread_that_has_ended() -> None:
    _, idle = peak_bytes(ROUNDS, 0)
    peak, after = peak_bytes(ROUNDS, 8)
    assert peak - idle > 16 * 8 << 20  # the first thread had so much
    assert after - idle < 8 << 20
