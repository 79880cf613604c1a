"""`bigrec download`: the Netflix Prize set from Kaggle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, require_extra


def download(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Fetch the Netflix Prize set from Kaggle; run it again to continue an interrupted download."""
    require_extra("download", "kagglehub")
    from bigrec.ingest.download import download_netflix
    from bigrec.resources import format_bytes

    summary = download_netflix(out)
    if as_json:
        console.print_json(summary)
        return
    console.print_fields(
        {
            "folder": summary.folder,
            "files": len(summary.files),
            "size": format_bytes(summary.n_bytes),
        }
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(download)
