"""The probe of the memory tests: peak resident memory of Python code in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap


def peak_bytes(body: str, *arguments: object) -> tuple[int, int]:
    """Run Python code in a fresh process: its peak resident memory, and what it reported."""
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        + textwrap.dedent(body)
        + textwrap.dedent(
            """
            status = Path("/proc/self/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
            print(json.dumps([peak * 1024, reported]))
            """
        )
    )
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, reported = json.loads(done.stdout.splitlines()[-1])
    return peak, reported
