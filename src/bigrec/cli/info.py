"""`bigrec info`: what a store holds."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption
from bigrec.settings import resolve_settings


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
    from bigrec.resources import format_bytes
    from bigrec.store.layout import StoreLayout, split_names
    from bigrec.store.manifest import read_manifest
    from bigrec.store.publish import folder_bytes

    settings = resolve_settings(store=store, memory=memory, threads=threads)
    layout = StoreLayout(settings.store)
    manifest = read_manifest(layout)
    splits = split_names(layout)
    n_bytes = folder_bytes(layout.root)
    if as_json:
        console.print_json(
            dataclasses.asdict(manifest)
            | {
                "mean_rating": manifest.mean_rating,
                "fingerprint": manifest.fingerprint,
                "store_bytes": n_bytes,
                "splits": splits,
            }
        )
        return
    console.print_fields(
        {
            "store": layout.root,
            "source": manifest.source,
            "ratings": manifest.n_ratings,
            "users": manifest.n_users,
            "items": manifest.n_items,
            "probe pairs": manifest.n_probe,
            "qualifying pairs": manifest.n_qualifying,
            "mean rating": manifest.mean_rating,
            "dates": f"{manifest.first_date} to {manifest.last_date}",
            "size": format_bytes(n_bytes),
            "fingerprint": manifest.fingerprint,
            "splits": ", ".join(splits) or "none yet",
        }
    )
    if plot:
        from bigrec.report.text_plots import draw_store

        console.print_line("")
        for line in draw_store(layout.root, budget=settings.budget):
            console.print_line(line)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(info)
