"""`bigrec info`: what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings

if TYPE_CHECKING:
    from bigrec.store.manifest import Manifest


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
    from bigrec.store.layout import StoreLayout
    from bigrec.store.manifest import read_manifest

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
            **_describe_ratings(read_manifest(StoreLayout(settings.store))),
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


def _describe_ratings(manifest: Manifest) -> dict[str, object]:
    """Their mean, their scale unless it is stars, and their dates."""
    from bigrec.interactions import IMPLICIT, STARS, error_unit
    from bigrec.schema import BY_SECOND

    low, high = manifest.scale.low, manifest.scale.high
    if manifest.feedback == IMPLICIT:
        told: dict[str, object] = {"feedback": "implicit", "mean count": manifest.mean_rating}
    else:
        told = {"mean rating": manifest.mean_rating}
        if error_unit(low, high) != STARS:
            told["scale"] = f"{low:g} to {high:g}"
    seconds = ", to the second" if manifest.time_unit == BY_SECOND else ""
    return told | {"dates": manifest.dates + seconds}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(info)
