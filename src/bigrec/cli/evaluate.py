"""`bigrec evaluate`: errors and lists of a run in the test subset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bigrec.cli import console
from bigrec.cli.opening import describe_scale, note_long_lists, open_trained
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    RunArgument,
    RunsOption,
    SeedOption,
    StoreOption,
    ThreadsOption,
    TopOption,
    read_settings,
)
from bigrec.errors import RunError
from bigrec.interactions import rating_words

if TYPE_CHECKING:
    from bigrec.evaluate.evaluation import Evaluation
    from bigrec.evaluate.ranking import RankingSummary
    from bigrec.models.scoring import DecileErrors, Errors
    from bigrec.opened import OpenedRun
    from bigrec.rows import DataSpec


def evaluate(
    run: RunArgument,
    top: TopOption = 10,
    relevant: Annotated[
        float | None,
        typer.Option(
            "--relevant",
            help="From which rating on an item is relevant. Default: 4 stars, or as far up on "
            "another scale.",
        ),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option("--users", min=1, help="Rank for so many users, at random. Default: all."),
    ] = None,
    seed: SeedOption = 0,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a run in the test subset: errors of its scores, and lists over all unseen items.

    A run that ranks has no errors.

    Where no user of the test subset has a train rating there are errors, of the fallback, and no
    lists.
    """
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    from bigrec.evaluate.evaluation import Evaluation
    from bigrec.evaluate.ranking import check_options

    check_options(relevant, users, seed)
    opened = open_trained(settings, run)
    errors = opened.test_errors
    try:
        with console.progress_bars() as progress:
            found = opened.evaluate(
                top=top, relevant=relevant, n_users=users, seed=seed, progress=progress
            )
    except RunError:
        if errors is None:
            raise
        _print(Evaluation(run, errors, None), opened, as_json=as_json)  # which are right
        raise
    _print(found, opened, as_json=as_json)
    note_long_lists(top, opened.data)


def _print(found: Evaluation, opened: OpenedRun, *, as_json: bool) -> None:
    if as_json:
        console.print_json(found.to_json())
        return
    spec = opened.data.spec
    if found.errors is not None:
        _print_errors(opened.directory.protocol, found.errors, spec)
    else:
        console.print_fields({"protocol": opened.directory.protocol})
    lists = found.lists
    if lists is not None and lists.rows:
        _print_lists(lists, spec)
    elif lists is not None:
        console.print_warning(
            f"No lists: none of the {lists.n_cold:,} users of the test subset has a train rating."
            + ("" if found.errors is None else " The errors are those of the fallback.")
        )


def _print_errors(protocol: str, errors: Errors, spec: DataSpec) -> None:
    console.print_fields(
        {
            "protocol": protocol,
            **describe_scale(spec),
            "test ratings": errors.n,
            "by fallback": errors.n_fallback,
            "test RMSE": errors.rmse,
            "test MAE": errors.mae,
            "RMSE, unclipped": errors.rmse_unclipped,
            "MAE, unclipped": errors.mae_unclipped,
        }
    )
    for article, things, deciles in (
        ("an", "item", errors.item_deciles),
        ("a", "user", errors.user_deciles),
    ):
        console.print_table(
            (
                "tenth",
                f"train ratings of {article} {things}",
                "test ratings",
                "test RMSE",
                "test MAE",
            ),
            [_decile_row(decile) for decile in deciles],
            title=f"By train ratings of the {things}, tenths of all train ratings",
        )


def _decile_row(decile: DecileErrors) -> tuple[object, ...]:
    counts = f"{decile.from_count:,} to {decile.to_count:,}"
    return (decile.decile, counts, decile.n, decile.rmse, decile.mae)


def _print_lists(lists: RankingSummary, spec: DataSpec) -> None:
    console.print_table(
        (
            "lists by", "precision", "recall", "NDCG", "MAP", "hit rate", "coverage", "popularity"
        ),
        [
            (row.name, row.precision, row.recall, row.ndcg, row.map, row.hit_rate, row.coverage,
             f"{row.popularity:,.0f}")
            for row in lists.rows
        ],
        title=f"Lists of the {lists.top} best unseen items, {lists.n_users:,} users, "
        f"relevant from {rating_words(lists.relevant, spec.unit)}",
    )  # fmt: skip
    for number, words in (
        (lists.n_without_relevant, "have no relevant item and do not count"),
        (lists.n_cold, "have no train rating and get no list"),
    ):
        if number:
            console.print_note(f"{number:,} more users of the test subset {words}.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)
