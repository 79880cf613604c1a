"""What a file, a folder or an archive holds: the table of ratings in it, and how to read it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bigrec.errors import BigrecError, DataError
from bigrec.sources.raw import RawFile
from bigrec.sources.table.columns import choose_columns, find_column
from bigrec.sources.table.dialect import find_encoding, sample_text
from bigrec.sources.table.files import bare_name, group_files, read_blocks, read_head
from bigrec.sources.table.form import form_of
from bigrec.sources.table.named_sets import NamedSet, merge_options
from bigrec.sources.table.plan import (
    JSON_LINES,
    RATING,
    TEXT,
    TableOptions,
    TablePlan,
)

_HEAD_BYTES: Final = 1 << 20
_ENCODING_BYTES: Final = 64 << 20
_PART_HEAD_BYTES: Final = 1 << 16
_N_EXAMPLES: Final = 3
_SHOWN_TABLES: Final = 8
_NAME_OF_RATINGS: Final = re.compile(r"rating|interaction|\.inter$", re.IGNORECASE)


def recognise(root: Path, options: TableOptions, named: NamedSet | None = None) -> TablePlan:
    """Find the table of ratings, and how it is written.

    Args:
        root: a file, a folder of parts or of several tables, or a zip archive.
        options: what somebody says of it, which decides.
        named: the published set that it is; None to see what it is.

    Raises:
        SettingsError: the options name what is not there.
        DataError: there is no table of ratings, or it is a question which it is, or which of its
            columns is what.
    """
    groups = group_files(root)
    if named:
        groups = _of_named_set(root, groups, named)
    plans: list[TablePlan] = []
    errors: list[BigrecError] = []
    for files in groups.values():
        try:
            plans.append(_recognise_table(files, options, named))
        except BigrecError as error:
            if len(groups) == 1:
                raise
            errors.append(error)
    if len(groups) > 1:
        plans = _likely(plans, only_table=not errors)
        if len(plans) != 1:
            raise _which_table(root, plans, groups)
    plan = plans[0]
    for file in plan.files[1:]:
        _check_part(plan, file, options)
    return plan


def _of_named_set(
    root: Path, groups: Mapping[str, list[RawFile]], named: NamedSet
) -> dict[str, list[RawFile]]:
    """The groups that a set's ratings may be in; a file of another name is the user's choice."""
    if len(groups) == 1:
        return dict(groups)
    for pattern in named.patterns:
        found = {
            name: files
            for name, files in groups.items()
            if fnmatch.fnmatchcase(bare_name(files[0]).lower(), pattern)
        }
        if found:
            return found
    raise DataError(
        f"{root} holds no ratings of {named.title}: expected {' or '.join(named.patterns)}; "
        f"found {_listed([files[0] for files in groups.values()])}",
        hint="give the file that holds the ratings",
    )


def _recognise_table(
    files: Sequence[RawFile], options: TableOptions, named: NamedSet | None
) -> TablePlan:
    """Recognize one table by its first file."""
    first = files[0]
    form = form_of(first)
    head = read_head(first, _HEAD_BYTES) if form in (TEXT, JSON_LINES) else b""
    if named:
        options = merge_options(_for_form(named.options, form), options)
    sample = None
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    if form == TEXT:
        if options.encoding is None:
            # Letters outside of ASCII may be rare.
            found = find_encoding(read_blocks(first, _ENCODING_BYTES))
            options = replace(options, encoding=found)
        sample = sample_text(head, options, first.label)
        names, rows = sample.names, sample.rows
    else:
        names, rows = _peek(form, first)
    plan = TablePlan(
        form,
        tuple(files),
        names,
        {},
        None,
        sample.dialect if sample else None,
        rows[:_N_EXAMPLES],
        options.no_rating,
        options.no_rating_rows,
        options.implicit,
        {find_column(names, said): text for said, text in options.only.items()},
        options.wide,
        form == TEXT and any("\n" in field for row in rows for field in row),
    )
    if options.wide:
        return plan
    chosen = choose_columns(
        names, rows, options, has_names=sample is None or sample.dialect.has_header,
        label=first.label,
    )  # fmt: skip
    forgets = bool(options.no_rating) and options.no_rating_rows == "implicit"
    return replace(
        plan,
        columns=chosen.positions,
        time_unit=chosen.time_unit,
        implicit=chosen.implicit or forgets,
    )


def _for_form(options: TableOptions, form: str) -> TableOptions:
    """What is known of a set in this form: positions are known of its text only."""
    if form == TEXT:
        return options
    columns = {role: said for role, said in options.columns.items() if not said.isdecimal()}
    return replace(options, columns=columns)


def _peek(form: str, file: RawFile) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Names of columns and some rows of what is no delimited text."""
    if form == JSON_LINES:
        from bigrec.sources.table.json_lines import peek_json_lines

        return peek_json_lines(file)
    from bigrec.sources.table.columnar import peek_columnar

    return peek_columnar(file)


def _likely(plans: Sequence[TablePlan], *, only_table: bool) -> list[TablePlan]:
    """Those of several tables that look most like ratings.

    Args:
        plans: of the tables that have users and items.
        only_table: whether nothing else is there that might be ratings.
    """
    rated = [plan for plan in plans if RATING in plan.columns or plan.wide]
    if len(rated) > 1:
        called = [plan for plan in rated if _NAME_OF_RATINGS.search(bare_name(plan.files[0]))]
        return called or rated
    if rated or only_table:
        return rated or list(plans)
    # Two columns without names may be anything.
    return [plan for plan in plans if plan.dialect is None or plan.dialect.has_header]


def _which_table(
    root: Path, plans: Sequence[TablePlan], groups: Mapping[str, list[RawFile]]
) -> DataError:
    """The question which of several tables is meant."""
    firsts = [plan.files[0] for plan in plans] or [files[0] for files in groups.values()]
    words = "several tables of ratings" if plans else "no table that is plainly one of ratings"
    hint = "unpack it, and give one of its files"
    if not firsts[0].member:
        hint = f"give one of them, for example {firsts[0].path}"
    return DataError(f"{root} holds {words}: {_listed(firsts)}. Which is meant?", hint=hint)


def _listed(files: Sequence[RawFile]) -> str:
    shown = ", ".join(bare_name(file) for file in files[:_SHOWN_TABLES])
    more = len(files) - _SHOWN_TABLES
    return f"{shown} and {more} more" if more > 0 else shown


def _check_part(plan: TablePlan, file: RawFile, options: TableOptions) -> None:
    """Stop at a part that is written in another way than the first."""
    if plan.form == JSON_LINES:
        return
    if plan.form == TEXT:
        assert plan.dialect is not None  # noqa: S101 - text has one
        # A part may hold a row or none, from which nothing could be judged.
        told = replace(
            options,
            separator=plan.dialect.separator,
            header=plan.dialect.has_header,
            encoding=plan.dialect.encoding,
        )
        head = read_head(file, _PART_HEAD_BYTES)
        if plan.dialect.has_header and b"\n" not in head.strip():
            return  # a header and no rows
        names = sample_text(head, told, file.label).names
    else:
        names = _peek(plan.form, file)[0]
    if names != plan.names:
        raise DataError(
            f"{file.label} has other columns than {plan.files[0].label}: found "
            f"{', '.join(names)}, expected {', '.join(plan.names)}",
            hint="give files of one kind, or one file",
        )
