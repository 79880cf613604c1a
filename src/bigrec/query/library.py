"""The named queries: one file a question, below sql/checks and sql/analysis.

A file opens with comments that say what it answers and what it takes:

    -- title: Items rated together with one item
    -- description: Which items do its raters rate more often than other users?
    -- param: item_id ITEM  -- the item
    -- param: top INTEGER = 20  -- how many items
    -- needs: split

The SQL below reads parameters as `$item_id`. A USER or an ITEM is given as the source calls it, and
is the store's number in SQL. `needs: split` marks queries over a chosen split.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from bigrec.errors import QueryError, SettingsError

ANALYSIS: Final = "analysis"
CHECKS: Final = "checks"
KINDS: Final = (ANALYSIS, CHECKS)

_HEADER_LINE: Final = re.compile(r"--\s*(title|description|param|needs):\s*(.*)")
_CONTINUED_LINE: Final = re.compile(r"--\s{2,}(\S.*)")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_PARAMETER: Final = re.compile(r"(\w+)\s+(\w+)(?:\s*=\s*(.*?))?\s*(?:--\s*(.*))?")


def _read_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


class Untyped(str):
    """A value of a type that the query decides: text, unless only a number will do."""


class UserKey(str):
    """A user as the source calls it; in SQL, the store's number of it."""


class ItemKey(str):
    """An item as the source calls it; in SQL, the store's number of it."""


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "INTEGER": int,
    "BIGINT": int,
    "DOUBLE": float,
    "VARCHAR": str,
    "DATE": dt.date.fromisoformat,
    "BOOLEAN": _read_boolean,
    "USER": UserKey,
    "ITEM": ItemKey,
}


def as_number(value: object) -> object:
    """An untyped value as the number that it looks like; others as they are."""
    if not isinstance(value, Untyped) or not _NUMBER.fullmatch(value):
        return value
    return float(value) if any(sign in value for sign in ".eE") else int(value)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query."""

    name: str
    """As in `$name`."""
    type: str
    """INTEGER, BIGINT, DOUBLE, VARCHAR, DATE (ISO 8601), BOOLEAN, USER or ITEM."""
    default: str | None
    """Its value, as text, if none is given; None if one has to be."""
    description: str
    """What it means, for people."""

    def read(self, text: str) -> object:
        """Read a value of this parameter's type.

        Raises:
            SettingsError: the text is no such value.
        """
        try:
            return _READERS[self.type](text)
        except (ValueError, KeyError):
            raise SettingsError(
                f"expected {self.type} for the parameter {self.name}, found {text!r}",
                hint=self.description,
            ) from None


@dataclass(frozen=True)
class NamedQuery:
    """One query with its header."""

    name: str
    """The file's name without suffix."""
    kind: str
    """analysis or checks; empty for a query that is not of the library."""
    title: str
    """What it answers, in a few words."""
    description: str
    """What it answers and how, in a sentence or more."""
    parameters: tuple[Parameter, ...]
    """Its parameters, in order of the header."""
    needs_split: bool
    """Whether it reads the views of a chosen split."""
    sql: str
    """The whole text, header included."""

    def bind(self, values: Mapping[str, str]) -> dict[str, object]:
        """Typed values of all parameters, defaults filled in.

        A query without declared parameters takes any, whose types the query decides.

        Raises:
            SettingsError: an unknown parameter, a value of the wrong type, or one is missing.
        """
        if not self.parameters and not self.kind:
            return {name: Untyped(text) for name, text in values.items()}
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                raise SettingsError.unknown_name(f"parameter of {self.name}", name, known)
        bound = {}
        for name, parameter in known.items():
            text = values.get(name, parameter.default)
            if text is None:
                raise SettingsError(
                    f"{self.name} needs a value for {name} ({parameter.description})",
                    hint=f"--param {name}=…",
                )
            bound[name] = parameter.read(text)
        return bound


def list_queries(kind: str | None = None) -> list[NamedQuery]:
    """The queries of the library, sorted by kind and name; of one kind if it is given."""
    root = library_folder()
    return [
        parse_query(path.read_text(encoding="utf-8"), name=path.stem, kind=folder)
        for folder in KINDS
        if kind in (None, folder)
        for path in sorted((root / folder).glob("*.sql"))
    ]


def find_query(name: str) -> NamedQuery:
    """The query of that name.

    Raises:
        SettingsError: there is none.
    """
    queries = {query.name: query for query in list_queries()}
    if name not in queries:
        raise SettingsError.unknown_name("query", name, queries)
    return queries[name]


def parse_query(text: str, *, name: str = "query", kind: str = "") -> NamedQuery:
    """Read a query and its header, if it has one.

    Raises:
        QueryError: the header breaks its form.
    """
    fields: dict[str, str] = {"title": "", "description": "", "needs": ""}
    parameters = []
    last = ""
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        if found := _HEADER_LINE.fullmatch(line.rstrip()):
            last, value = found[1], found[2].strip()
            if last == "param":
                parameters.append(_parse_parameter(value, name))
            else:
                fields[last] = value
        elif last == "description" and (found := _CONTINUED_LINE.fullmatch(line.rstrip())):
            fields[last] += " " + found[1]
    return NamedQuery(
        name=name,
        kind=kind,
        title=fields["title"],
        description=fields["description"],
        parameters=tuple(parameters),
        needs_split=fields["needs"] == "split",
        sql=text,
    )


def library_folder() -> Path:
    """The folder sql/: inside the package where bigrec is installed, else of the source tree."""
    installed = Path(str(resources.files("bigrec"))) / "sql"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[3] / "sql"


def _parse_parameter(text: str, query: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if found is None or found[2].upper() not in _READERS or found[1] in _READERS:
        raise QueryError(
            f"{query}: the parameter line {text!r} is not understood",
            hint=f"name TYPE = default -- meaning, with a TYPE of {', '.join(_READERS)}",
        )
    return Parameter(found[1], found[2].upper(), found[3], found[4] or "")
