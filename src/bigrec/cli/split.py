"""`bigrec split`: create, list and show train/test splits."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, SeedOption, StoreOption, ThreadsOption
from bigrec.errors import SettingsError
from bigrec.settings import resolve_settings

if TYPE_CHECKING:
    from bigrec.splits.splits import Split

split = typer.Typer(help="Filters and train/test splits.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the split.")]


@split.command()
def create(
    name: NameArgument,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="The notebook's filters: notebook-small or notebook-large."),
    ] = None,
    min_movie_ratings: Annotated[
        int | None,
        typer.Option("--min-movie-ratings", help="Keep movies with more ratings than this."),
    ] = None,
    min_user_ratings: Annotated[
        int | None,
        typer.Option("--min-user-ratings", help="Keep users with more ratings than this."),
    ] = None,
    method: Annotated[str, typer.Option("--method", help="How rows are drawn: random.")] = "random",
    test_fraction: Annotated[
        float, typer.Option("--test-fraction", help="Share of rows on the test side.")
    ] = 0.2,
    seed: SeedOption = 0,
    materialize: Annotated[
        bool, typer.Option("--materialize", help="Write the shards that training reads, too.")
    ] = False,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a split, count its rows in one scan, and save it under a name."""
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.spec import PRESETS, SplitSpec
    from bigrec.splits.splits import create_split
    from bigrec.store.catalog import open_catalog

    if preset is not None and preset not in PRESETS:
        raise SettingsError.unknown_name("preset", preset, PRESETS)
    filters = dict(PRESETS[preset]) if preset else {}
    for key, value in (
        ("min_movie_ratings", min_movie_ratings),
        ("min_user_ratings", min_user_ratings),
    ):
        if value is not None:
            filters[key] = value
    spec = SplitSpec(method=method, test_fraction=test_fraction, seed=seed, **filters)
    settings = resolve_settings({"store": store, "memory": memory, "threads": threads})
    catalog = open_catalog(settings.store)
    with console.progress_bars() as progress:
        saved = create_split(catalog, name, spec, budget=settings.budget, progress=progress)
        if materialize:
            materialize_split(saved, budget=settings.budget, progress=progress)
    _print_split(saved, as_json=as_json)


@split.command("list")
def list_splits(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the splits of the store."""
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    catalog = open_catalog(resolve_settings({"store": store}).store)
    splits = [open_split(catalog, name) for name in catalog.split_names()]
    if as_json:
        console.print_json({"splits": [_fields(saved) for saved in splits]})
    elif splits:
        rows = [
            (s.name, s.summary.n_train, s.summary.n_test, s.summary.n_users, s.summary.n_movies,
             s.spec.protocol())
            for s in splits
        ]  # fmt: skip
        console.print_table(("split", "train", "test", "users", "movies", "protocol"), rows)
    else:
        console.print_note("No splits yet; make one with: bigrec split create NAME")


@split.command()
def show(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the protocol and the counts of a split."""
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    catalog = open_catalog(resolve_settings({"store": store}).store)
    _print_split(open_split(catalog, name), as_json=as_json)


def _fields(saved: Split) -> dict[str, object]:
    return {
        **dataclasses.asdict(saved.summary),
        "protocol": saved.spec.protocol(),
        "spec": saved.spec.to_json(),
        "digest": saved.digest,
        "materialized": (saved.shards / "manifest.json").exists(),
    }


def _print_split(saved: Split, *, as_json: bool) -> None:
    if as_json:
        console.print_json(_fields(saved))
        return
    summary = saved.summary
    density = (summary.n_train + summary.n_test) / summary.n_users / summary.n_movies
    console.print_fields(
        {
            "split": saved.name,
            "protocol": saved.spec.protocol(),
            "train ratings": summary.n_train,
            "test ratings": summary.n_test,
            "users": summary.n_users,
            "movies": summary.n_movies,
            "density": f"{density:.2%}",
            "digest": saved.digest,
            "materialized": (saved.shards / "manifest.json").exists(),
        }
    )


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(split, name="split")
