"""`bigrec info`: what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption, read_settings

if TYPE_CHECKING:
    from bigrec.store.manifest import Manifest


_SHOWN_FILES: Final = 3


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
    manifest = read_manifest(StoreLayout(settings.store))
    fields = {
        "store": settings.store,
        "source": manifest.source,
        "files": _describe_files(manifest),
        "ratings": manifest.n_ratings,
        "users": manifest.n_users,
        "items": manifest.n_items,
        "keys": _describe_keys(manifest),
        "probe pairs": manifest.n_probe,
        "qualifying pairs": manifest.n_qualifying,
        **_describe_ratings(manifest),
        "repeats merged": f"{manifest.n_merged:,}, by {manifest.repeats}"
        if manifest.n_merged
        else None,
        "lines left out": manifest.n_rejected or None,
        "size": format_bytes(found["store_bytes"]),
        "fingerprint": manifest.fingerprint,
        "splits": ", ".join(found["splits"]) or "none yet",
    }
    console.print_fields({name: value for name, value in fields.items() if value is not None})
    if plot:
        from bigrec.report.text_plots import draw_store

        console.print_line("")
        for line in draw_store(settings.store, budget=settings.budget):
            console.print_line(line)


def _describe_files(manifest: Manifest) -> str:
    """The raw files that it was made from, the first of them by name."""
    names = [file.name for file in manifest.source_files]
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return ", ".join(names[:_SHOWN_FILES]) + more


def _describe_keys(manifest: Manifest) -> str | None:
    """Who is called by a text of the source's own; None where all are called by numbers."""
    keyed = {"users": manifest.user_keys, "items": manifest.item_keys}
    names = " and ".join(name for name, is_keyed in keyed.items() if is_keyed)
    return f"of {names}" if names else None


def _describe_ratings(manifest: Manifest) -> dict[str, object]:
    """Their mean, their scale or what they count, and their times."""
    from bigrec.cli.store_words import TIMES, scale_words
    from bigrec.interactions import EXPLICIT
    from bigrec.schema import NO_TIME

    scale = manifest.scale
    told: dict[str, object] = {**scale_words(manifest.feedback, scale.low, scale.high)}
    if manifest.feedback == EXPLICIT:
        told |= {"mean rating": manifest.mean_rating}
    elif scale.values != (1,):
        told |= {"mean count": manifest.mean_rating}
    kept = TIMES[manifest.time_unit]
    return told | {"times": kept if manifest.time_unit == NO_TIME else f"{manifest.dates}, {kept}"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(info)
