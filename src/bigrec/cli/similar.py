"""`bigrec similar`: the items nearest to one item, as a run sees them."""

from __future__ import annotations

from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.listing import item_columns
from bigrec.cli.opening import note_long_lists, open_trained
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunArgument,
    RunsOption,
    StoreOption,
    ThreadsOption,
    TopOption,
    read_settings,
)


def similar(
    run: RunArgument,
    item: Annotated[
        str,
        typer.Argument(help="Id of the item, or its title or a part of it, in any case."),
    ],
    top: TopOption = 10,
    min_ratings: Annotated[
        int, typer.Option("--min-ratings", min=1, help="Train ratings that a listed item needs.")
    ] = 20,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the items nearest to one item.

    Near by the model's own picture of items: the factors of matrix factorization, the embedding of
    a network, the weights of AutoRec, the ratings that neighbors compare.
    """
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    opened = open_trained(settings, run)
    note_long_lists(top, opened.data)
    answer = opened.similar(item, top=top, min_ratings=min_ratings)
    if as_json:
        console.print_json(answer.to_json())
        return
    columns, rows = item_columns(answer.items)
    for row, listed in zip(rows, answer.items, strict=True):
        row += [listed.similarity, listed.n_ratings]
    console.print_table(
        [*columns, "similarity", "train ratings"], rows, title=f"Like {answer.name}, by run {run}"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(similar)
