"""What a process of its own has loaded at its end."""

from __future__ import annotations

import subprocess
import sys


def loaded_after(code: str) -> set[str]:
    """The modules that are loaded in a process after some code."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def loaded_by(*commands: list[str]) -> set[str]:
    """The modules that are loaded in a process after these commands, which succeed."""
    return loaded_after(
        "from bigrec.cli.app import main\n"
        f"for command in {list(commands)!r}: assert main(command) == 0, command"
    )
