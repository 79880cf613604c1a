"""Build the wheel and use it in a clean environment without source tree, extras or dev packages.

Not a test module: `make wheel-smoke` runs it, since it installs packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        venv.create(folder / "venv", with_pip=True)
        pip = [folder / "venv" / "bin" / "python", "-m", "pip"]
        call(*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        constraints = ROOT / "constraints.txt"
        call(*pip, "install", "--quiet", "-c", constraints, wheel, cwd=folder)
        bigrec = folder / "venv" / "bin" / "bigrec"
        call(bigrec, "synth", "raw", "--ratings", "5000", cwd=folder)
        call(bigrec, "ingest", "raw", cwd=folder)
        call(bigrec, "check", cwd=folder)
        call(bigrec, "sql", "SELECT count(*) AS n FROM ratings", cwd=folder)
        call(bigrec, "sql", "--list", cwd=folder)
        call(bigrec, "split", "create", "s", "--materialize", cwd=folder)
        refused = subprocess.run(
            [bigrec, "train", "dnn", "--split", "s"], cwd=folder, capture_output=True, text=True
        )
        assert refused.returncode == 5, refused.stderr
        assert "pip install 'bigrec[train]'" in refused.stderr, refused.stderr
    sys.stdout.write("the wheel works on its own\n")


def call(*command: object, cwd: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BIGREC"))}
    subprocess.run([str(part) for part in command], cwd=cwd, check=True, env=environment)


if __name__ == "__main__":
    main()
