"""`bigrec split`: create, list and show train/test splits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bigrec.cli import console
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    SeedOption,
    StoreOption,
    ThreadsOption,
    read_settings,
)
from bigrec.errors import SettingsError

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
    min_item_ratings: Annotated[
        int | None,
        typer.Option("--min-item-ratings", help="Keep items with at least so many ratings."),
    ] = None,
    min_user_ratings: Annotated[
        int | None,
        typer.Option("--min-user-ratings", help="Keep users with at least so many ratings."),
    ] = None,
    k_core: Annotated[
        int | None,
        typer.Option("--k-core", help="Keep users and items with this many ratings of the rest."),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Keep ratings from this day on: YYYY-MM-DD.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Keep ratings up to this day, inclusive.")
    ] = None,
    items_from: Annotated[
        Path | None,
        typer.Option("--items-from", help="Keep the items of this file: one id a line."),
    ] = None,
    users_from: Annotated[
        Path | None, typer.Option("--users-from", help="Keep the users of this file.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="What is test: random, temporal, leave-last, probe or folds."
        ),
    ] = "random",
    test_fraction: Annotated[
        float,
        typer.Option(
            "--test-fraction", help="Share of rows in the test subset, of random and temporal."
        ),
    ] = 0.2,
    test_from: Annotated[
        str | None,
        typer.Option("--test-from", help="First test day, or time, of temporal: YYYY-MM-DD."),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", help="Test rows of each user in leave-last. [default: 1]"),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", help="Parts in folds; makes NAME-1, NAME-2, … [default: 5]"),
    ] = None,
    validation_fraction: Annotated[
        float, typer.Option("--validation-fraction", help="Share of train rows for validation.")
    ] = 0.0,
    warm: Annotated[
        bool,
        typer.Option("--warm", help="Drop test rows whose user or item has no train row."),
    ] = False,
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
    settings = read_settings(store=store, memory=memory, threads=threads)
    from bigrec.splits.key_lists import read_item_list, read_key_list
    from bigrec.splits.materialize import materialize_split
    from bigrec.splits.spec import PRESETS, SplitSpec
    from bigrec.splits.splits import create_folds, create_split
    from bigrec.store.catalog import open_catalog
    from bigrec.store.vocabulary import users_of

    if preset is not None and preset not in PRESETS:
        raise SettingsError.unknown_name("preset", preset, PRESETS)
    catalog = open_catalog(settings.store)
    given = {
        "min_item_ratings": min_item_ratings,
        "min_user_ratings": min_user_ratings,
        "k_core": k_core,
        "first_date": since,
        "last_date": until,
        "item_ids": read_item_list(items_from, catalog) if items_from else None,
        "user_ids": read_key_list(users_from, users_of(catalog)) if users_from else None,
        "test_from": test_from,
        "last": 1 if last is None and method == "leave-last" else last,
        "folds": 5 if folds is None and method == "folds" else folds,
        "fold": 1 if method == "folds" else None,
    }
    filters: dict[str, Any] = dict(PRESETS[preset]) if preset else {}
    filters |= {name: value for name, value in given.items() if value is not None}
    spec = SplitSpec(
        method=method,
        test_fraction=test_fraction,
        seed=seed,
        validation_fraction=validation_fraction,
        warm=warm,
        **filters,
    )
    with console.progress_bars() as progress:
        make: Any = create_folds if method == "folds" else create_split
        made = make(catalog, name, spec, budget=settings.budget, progress=progress)
        saved_splits: list[Split] = made if isinstance(made, list) else [made]
        if materialize:
            for saved in saved_splits:
                materialize_split(saved, budget=settings.budget, progress=progress)
    if method == "folds":
        _print_splits(saved_splits, as_json=as_json)
    else:
        _print_split(saved_splits[0], as_json=as_json)


@split.command("list")
def list_splits(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the splits of the store."""
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    catalog = open_catalog(read_settings(store=store).store)
    splits = [open_split(catalog, name) for name in catalog.split_names()]
    if splits or as_json:
        _print_splits(splits, as_json=as_json)
    else:
        console.print_note("No splits yet; make one with: bigrec split create NAME")


@split.command()
def show(name: NameArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the protocol and the counts of a split."""
    from bigrec.splits.splits import open_split
    from bigrec.store.catalog import open_catalog

    catalog = open_catalog(read_settings(store=store).store)
    _print_split(open_split(catalog, name), as_json=as_json)


def _is_materialized(saved: Split) -> bool:
    from bigrec.splits.shards import are_current
    from bigrec.store.seal import Kind

    return are_current(saved.shards, Kind.SHARDS, saved.digest)


def _fields(saved: Split) -> dict[str, object]:
    from bigrec.store.vocabulary import items_of, users_of

    spec = saved.spec.to_json()
    for name, find in (("item_ids", items_of), ("user_ids", users_of)):
        if spec[name] is not None:
            spec[name] = find(saved.catalog).keys_of(spec[name]).to_list()
    return {
        **dataclasses.asdict(saved.summary),
        "protocol": saved.spec.protocol(),
        "spec": spec,
        "digest": saved.digest,
        "materialized": _is_materialized(saved),
    }


def _print_splits(splits: list[Split], *, as_json: bool) -> None:
    if as_json:
        console.print_json({"splits": [_fields(saved) for saved in splits]})
        return
    rows = [
        (s.name, s.summary.n_train, s.summary.n_test, s.summary.n_users, s.summary.n_items,
         s.spec.protocol())
        for s in splits
    ]  # fmt: skip
    console.print_table(("split", "train", "test", "users", "items", "protocol"), rows)


def _print_split(saved: Split, *, as_json: bool) -> None:
    if as_json:
        console.print_json(_fields(saved))
        return
    summary = saved.summary
    n_rows = summary.n_train + summary.n_validation + summary.n_test
    density = n_rows / summary.n_users / summary.n_items
    optional = {
        "validation ratings": summary.n_validation if saved.spec.validation_fraction else None,
        "cold ratings dropped": summary.n_dropped if saved.spec.warm else None,
        "k-core rounds": summary.k_core_rounds or None,
        "test from": summary.test_from,
    }
    console.print_fields(
        {
            "split": saved.name,
            "protocol": saved.spec.protocol(),
            "train ratings": summary.n_train,
            "test ratings": summary.n_test,
            **{name: value for name, value in optional.items() if value is not None},
            "users": summary.n_users,
            "items": summary.n_items,
            "density": f"{density:.2%}",
            "digest": saved.digest,
            "materialized": _is_materialized(saved),
        }
    )


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(split, name="split")
