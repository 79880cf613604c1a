"""`bigrec info`: what a store holds."""

from __future__ import annotations

from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings


def info(
    store: StoreOption = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the rating distribution and the timeline too.")
    ] = False,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the store holds and what it was made from."""
    from bigrec.inspection import describe_store
    from bigrec.resources import format_bytes

    settings = read_settings(store=store, memory=memory, threads=threads)
    found = describe_store(settings.store)
    if as_json:
        console.print_json(found)
        return
    console.print_fields(
        {
            "store": settings.store,
            "source": found["source"],
            "ratings": found["n_ratings"],
            "users": found["n_users"],
            "items": found["n_items"],
            "probe pairs": found["n_probe"],
            "qualifying pairs": found["n_qualifying"],
            "mean rating": found["mean_rating"],
            "dates": f"{found['first_date']} to {found['last_date']}",
            "size": format_bytes(found["store_bytes"]),
            "fingerprint": found["fingerprint"],
            "splits": ", ".join(found["splits"]) or "none yet",
        }
    )
    if plot:
        from bigrec.report.text_plots import draw_store

        console.print_line("")
        for line in draw_store(settings.store, budget=settings.budget):
            console.print_line(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(info)
