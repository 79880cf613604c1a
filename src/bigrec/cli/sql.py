"""`bigrec sql`: ask the store in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from bigrec.cli import console
from bigrec.cli.options import (
    JsonOption,
    MemoryOption,
    StoreOption,
    ThreadsOption,
    as_utf8,
    check_result,
    read_settings,
)
from bigrec.errors import SettingsError

if TYPE_CHECKING:
    from bigrec.query.library import NamedQuery


def sql(
    query: Annotated[str | None, typer.Argument(help="One SELECT, in quotes.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the query from a file.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="A query of the library; see --list.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="NAME=VALUE for $NAME in the query; may be repeated."),
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--format", help="table, csv, tsv, json, ndjson, parquet or arrow."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to a file, its format by its name.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=0, max=2**62, help="At most so many rows; a table shows 40 by itself."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Add train, validation, test and more of a split."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds that the query may take.")
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the queries of the library.")
    ] = False,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask in SQL: ratings, ratings_by_user, items, users, probe, qualifying, manifest.

    In csv and tsv, NULL is nothing and empty text is two quotes.
    """
    if show_list:
        _print_library(as_json=as_json)
        return
    from bigrec.query.endings import choose_format

    if as_json and output_format not in (None, "json"):
        raise SettingsError(
            f"--json and --format {output_format} say different things", hint="leave out one"
        )
    chosen = choose_format("json" if as_json else output_format, output, limited=limit is not None)
    question = _read_question(query, file, name)
    parameters = question.bind(_split_parameters(param or []))
    settings = read_settings(store=store, memory=memory, threads=threads)
    if output is not None:
        check_result(output, settings.store, file)
    if question.needs_split and split is None:
        raise SettingsError(f"{question.name} asks about a split", hint="choose one with --split")

    from bigrec.query.session import open_session
    from bigrec.splits.views import split_view_queries
    from bigrec.store.layout import StoreLayout

    views = split_view_queries(StoreLayout(settings.store), split) if split else {}
    with open_session(
        settings.store, budget=settings.budget, views=views, timeout=timeout
    ) as session:
        result = session.run(question.sql, parameters)
        with _open_output(output, inputs=[file] if file else []) as stream:
            if chosen in ("parquet", "arrow"):
                from bigrec.query.arrow_output import write_arrow

                write_arrow(result, chosen, stream, limit=limit)
            else:
                from bigrec.query.output import write_text

                write_text(
                    result, chosen, stream, limit=limit,
                    one_line=output is not None or not console.is_terminal(),
                )  # fmt: skip


def _read_question(query: str | None, file: Path | None, name: str | None) -> NamedQuery:
    from bigrec.query.library import find_query, parse_query

    if sum(source is not None for source in (query, file, name)) != 1:
        raise SettingsError(
            "expected one query", hint="give it in quotes, or with --file, or with --name"
        )
    if name is not None:
        return find_query(name)
    if file is None:
        return parse_query(as_utf8(query or ""))
    try:
        if file.exists() and not file.is_file() and not file.is_fifo():
            raise SettingsError(f"{file} is no file", hint="name a file with a query")
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
    return parse_query(text, name=file.stem)


def _split_parameters(texts: list[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SettingsError(f"expected NAME=VALUE, found {text!r}")
        if name in values:
            raise SettingsError(f"the parameter {name} was given twice")
        values[name] = as_utf8(value)
    return values


@contextmanager
def _open_output(path: Path | None, inputs: list[Path]) -> Iterator[BinaryIO]:
    """stdout, or a file that appears under its name when it is complete."""
    if path is None:
        yield cast(BinaryIO, _Stdout())
        return
    from bigrec.store.publish import publishing_file

    with publishing_file(path, inputs=inputs) as partial, partial.open("wb") as stream:
        yield stream


class _Stdout:
    """The process's stdout as a stream of bytes."""

    closed = False

    def write(self, data: bytes) -> int:
        """Write all of it."""
        console.write_bytes(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def _print_library(*, as_json: bool) -> None:
    from bigrec.query.library import list_queries

    queries = list_queries()
    if as_json:
        rows = [
            {
                "name": query.name,
                "kind": query.kind,
                "title": query.title,
                "description": query.description,
                "needs_split": query.needs_split,
                "parameters": [
                    {"name": p.name, "type": p.type, "default": p.default,
                     "description": p.description}
                    for p in query.parameters
                ],
            }
            for query in queries
        ]  # fmt: skip
        console.print_json({"queries": rows})
        return
    console.print_table(
        ("name", "kind", "what it answers", "parameters"),
        [
            (
                query.name,
                query.kind,
                query.title,
                ", ".join(
                    p.name if p.default is None else f"{p.name}={p.default}"
                    for p in query.parameters
                ),
            )
            for query in queries
        ],
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)
