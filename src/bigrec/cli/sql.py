"""`bigrec sql`: ask the store in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import typer

from bigrec.cli import console
from bigrec.cli.options import JsonOption, MemoryOption, StoreOption, ThreadsOption
from bigrec.errors import SettingsError
from bigrec.settings import resolve_settings

if TYPE_CHECKING:
    from bigrec.query.library import NamedQuery

_SUFFIXES = {"csv": "csv", "json": "json", "ndjson": "ndjson", "jsonl": "ndjson",
             "parquet": "parquet", "arrow": "arrow"}  # fmt: skip


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
        typer.Option("--format", help="table, csv, json, ndjson, parquet or arrow."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write to a file, its format by its name.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help="At most so many rows; a table shows 40 by itself."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="Add train, validation, test and more of a split."),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="List the queries of the library.")
    ] = False,
    store: StoreOption = None,
    memory: MemoryOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask in SQL: ratings, ratings_by_user, movies, users, probe, qualifying, manifest."""
    if show_list:
        _print_library(as_json=as_json)
        return
    chosen = _choose_format("json" if as_json else output_format, output)
    question = _read_question(query, file, name)
    parameters = question.bind(_split_parameters(param or []))
    settings = resolve_settings(store=store, memory=memory, threads=threads)
    if question.needs_split and split is None:
        raise SettingsError(f"{question.name} asks about a split", hint="choose one with --split")

    from bigrec.query.session import open_session
    from bigrec.splits.views import split_view_queries
    from bigrec.store.layout import StoreLayout

    views = split_view_queries(StoreLayout(settings.store), split) if split else {}
    with open_session(settings.store, budget=settings.budget, views=views) as session:
        result = session.run(question.sql, parameters)
        with _open_output(output, inputs=[file] if file else []) as stream:
            if chosen in ("parquet", "arrow"):
                from bigrec.query.arrow_output import write_arrow

                write_arrow(result, chosen, stream, limit=limit)
            else:
                from bigrec.query.output import write_text

                write_text(result, chosen, stream, limit=limit)


def _choose_format(given: str | None, output: Path | None) -> str:
    from bigrec.query.output import FORMATS

    by_name = _SUFFIXES.get(output.suffix.lstrip(".").lower()) if output else None
    chosen = given or by_name or "table"
    if chosen not in FORMATS:
        raise SettingsError.unknown_name("format", chosen, FORMATS)
    return chosen


def _read_question(query: str | None, file: Path | None, name: str | None) -> NamedQuery:
    from bigrec.query.library import find_query, parse_query

    if sum(source is not None for source in (query, file, name)) != 1:
        raise SettingsError(
            "expected one query", hint="give it in quotes, or with --file, or with --name"
        )
    if name is not None:
        return find_query(name)
    if file is None:
        return parse_query(query or "")
    try:
        return parse_query(file.read_text(encoding="utf-8"), name=file.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error


def _split_parameters(texts: list[str]) -> dict[str, str]:
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"expected NAME=VALUE, found {text!r}")
        values[name.strip()] = value
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
