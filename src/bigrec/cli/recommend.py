"""`bigrec recommend`: the best unseen movies of a user."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from bigrec.cli import console
from bigrec.cli.loading import load_run
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunsOption,
    StoreOption,
    ThreadsOption,
    load_tensorflow,
)
from bigrec.settings import resolve_settings


def recommend(
    run: Annotated[str, typer.Argument(help="Name of the run.")],
    user_id: Annotated[int, typer.Argument(help="Id of the user, as in the raw files.")],
    top: Annotated[int, typer.Option("--top", min=1, help="Length of the list.")] = 10,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the movies with the highest scores that a user has not rated."""
    load_tensorflow()
    from bigrec.recommend.recommend import recommend_movies

    loaded = load_run(
        resolve_settings({"store": store, "runs": runs, "memory": memory, "threads": threads}), run
    )
    movies = recommend_movies(*loaded, user_id, top=top)
    if as_json:
        items = [dataclasses.asdict(movie) for movie in movies]
        console.print_json({"user_id": user_id, "items": items})
        return
    console.print_table(
        ("movie_id", "title", "year", "score"),
        [(str(movie.movie_id), movie.title, movie.year and str(movie.year), movie.score)
         for movie in movies],
        title=f"For user {user_id}, by run {run}",
    )  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(recommend)
