"""`bigrec recommend`: the best unseen items of a user, of all users, or of a new person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    as_utf8,
    check_result,
    read_settings,
)
from bigrec.errors import SettingsError
from bigrec.recommend.endings import check_ending
from bigrec.resources import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bigrec.opened import OpenedRun
    from bigrec.recommend.choice import Choice
    from bigrec.recommend.explain import Reason
    from bigrec.recommend.recommend import RecommendedItem
    from bigrec.store.vocabulary import Key


def recommend(
    run: RunArgument,
    context: typer.Context,
    user_id: Annotated[
        str | None, typer.Argument(help="Id of the user, as in the raw files.", show_default=False)
    ] = None,
    top: TopOption = 10,
    ratings: Annotated[
        Path | None,
        typer.Option(
            "--ratings",
            help="Recommend to a person who is not in the data: "
            "a csv file with item_id or title, and rating.",
        ),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Write the list of every user to --output.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="With --all: the .parquet file to write.")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Name the liked items or the near users behind each."),
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="CONDITION", help="Only items for which it is true in SQL."
        ),
    ] = None,
    only: Annotated[
        Path | None,
        typer.Option("--only", help="Only items of a file, one id a line."),
    ] = None,
    exclude: Annotated[
        Path | None, typer.Option("--not", help="No item of a file, one id a line.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds that --where may take.")
    ] = None,
    store: StoreOption = None,
    runs: RunsOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the items with the highest scores that a user has not rated.

    Give a USER_ID, or --ratings my.csv for a person who is not in the data,
    or --all --output top.parquet for every user of the split.

    Choose items by what the store knows of them: --where "year >= 1990".
    """
    if [user_id is not None, ratings is not None, everybody].count(True) != 1:
        raise SettingsError("expected one of USER_ID, --ratings FILE and --all --output FILE")
    if everybody != (output is not None):
        raise SettingsError("--all and --output FILE go together")
    if everybody and explain:
        raise SettingsError("--explain is for one person, not for --all")
    if timeout is not None and where is None:
        raise SettingsError("--timeout is for --where")
    settings = read_settings(store=store, runs=runs, memory=memory, threads=threads)
    if output is not None:
        check_ending(output, ".parquet")
        check_result(output, settings.store, only, exclude)
    opened = open_trained(settings, run)
    note_long_lists(top, opened.data)
    choice = _choice(where, only, exclude, timeout)
    if output is not None:
        _write_all(opened, output, top, choice, as_json)
    elif ratings is not None:
        _recommend_to_person(opened, ratings, top, explain, choice, as_json)
    elif user_id is not None:
        key = user_id if opened.catalog.manifest.user_keys else _read_whole(user_id, context)
        _recommend_to_user(opened, key, top, explain, choice, as_json)


def _choice(
    where: str | None, only: Path | None, exclude: Path | None, timeout: float | None
) -> Choice | None:
    """What lists may hold; None, and nothing is loaded, if nothing is said of it."""
    if where is None and only is None and exclude is None:
        return None
    from bigrec.recommend.choice import Choice

    return Choice(None if where is None else as_utf8(where), only, exclude, timeout)


def _read_whole(text: str, context: typer.Context) -> int:
    """The id of a user of a store whose ids are numbers."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a valid int.", ctx=context, param_hint="'user_id'"
        ) from None


def _recommend_to_user(
    opened: OpenedRun, user_id: Key, top: int, explain: bool, choice: Choice | None, as_json: bool
) -> None:
    answer = opened.recommend(user_id, top=top, explain=explain, choice=choice)
    if as_json:
        console.print_json(answer.to_json())
    else:
        _print(answer.items, explain, f"For user {user_id}, by run {opened.name}")


def _recommend_to_person(
    opened: OpenedRun, ratings: Path, top: int, explain: bool, choice: Choice | None, as_json: bool
) -> None:
    answer = opened.recommend_to_person(ratings, top=top, explain=explain, choice=choice)
    if as_json:
        console.print_json(answer.to_json())
    else:
        n = answer.n_ratings
        _print(answer.items, explain, f"From {n:,} ratings in {ratings}, by run {opened.name}")
        if answer.left_out:
            console.print_note(f"Not in the split, left out: {'; '.join(answer.left_out)}")


def _write_all(
    opened: OpenedRun, output: Path, top: int, choice: Choice | None, as_json: bool
) -> None:
    with console.progress_bars() as progress:
        summary = opened.recommend_to_all(output, top=top, choice=choice, progress=progress)
    if as_json:
        console.print_json(summary)
        return
    console.print_fields(
        {
            "users": summary.n_users,
            "users left out": summary.n_left_out,
            "rows": summary.n_rows,
            "seconds": f"{summary.seconds:,.2f}",
            "rows a second": int(summary.rows_per_second),
            "peak memory": format_bytes(summary.peak_rss_bytes),
            "output": summary.output,
        }
    )


def _print(items: Sequence[RecommendedItem], explain: bool, title: str) -> None:
    if not items:
        console.print_note("All items that the list may hold are rated already.")
    columns, rows = item_columns(items)
    columns.append("score")
    for row, item in zip(rows, items, strict=True):
        row.append(item.score)
    if explain:
        columns.append("because of")
        for row, item in zip(rows, items, strict=True):
            row.append("\n".join(map(_reason, item.because)) or "nothing rated speaks for it")
    console.print_table(columns, rows, title=title)


def _reason(reason: Reason) -> str:
    from bigrec.recommend.explain import NearUser
    from bigrec.recommend.items import item_name

    if isinstance(reason, NearUser):
        name = f"user {reason.user_id}"
    else:
        name = reason.title or item_name(None, None, reason.item_id)
    return f"{name}, rated {reason.rating:g}, similarity {reason.similarity:.2f}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(recommend)
