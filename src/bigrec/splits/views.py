"""A saved split as SQL: the SELECT behind each view that a SQL session adds for it.

The same rules as `subsets`, over the views of the store and the split's tables of users and items.
Nothing here imports Polars, so that a query of a split starts as fast as any other.
"""

from __future__ import annotations

import os
from pathlib import Path

from bigrec.errors import SplitError
from bigrec.schema import BY_SECOND, DATE, TIME
from bigrec.splits.random_key import random_key, second_seed, threshold
from bigrec.splits.spec import SplitSpec
from bigrec.store.item_names import add_item_names
from bigrec.store.layout import StoreLayout, split_names
from bigrec.store.manifest import read_manifest
from bigrec.store.seal import SEAL, Kind, damaged, open_sealed, read_object
from bigrec.store.sql_text import quote_text, select_files

_COUNTS = ("n_train", "n_validation", "n_test", "n_users", "n_items", "n_dropped")


def split_view_queries(layout: StoreLayout, name: str) -> dict[str, str]:
    """The SELECT of each view of a split, in the order in which they build on each other.

    `split_users` and `split_items` hold the counts of each id (n_train, n_validation, n_test), and
    `split` the name, protocol and counts in one row. `split_rows` holds every row that the filters
    keep, with in_train, in_validation, in_test, and is_dropped where the split is warm; `train`,
    `validation` and `test` are the subsets with the columns of ratings.

    Args:
        layout: the store that holds the split.
        name: of the split.

    Raises:
        SplitError: the store has no such split, it cannot be read, or it belongs to other data.
    """
    folder = Path(os.path.realpath(layout.split(name)))
    path = folder / "split.json"
    if name not in (names := split_names(layout)):
        raise SplitError.unknown(name, names)
    try:
        open_sealed(folder, Kind.SPLIT)
        fields = read_object(path, Kind.SPLIT)
        spec, digest = SplitSpec.from_json(fields["spec"]), fields["digest"]
        counts = {key: int(fields["counts"].get(key, 0)) for key in _COUNTS}
        test_from = fields["counts"].get("test_from")
    except FileNotFoundError:
        raise damaged(Kind.SPLIT, folder, f"it lacks {SEAL}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(Kind.SPLIT, path, f"a field lacks or is wrong ({error})") from error
    manifest = read_manifest(layout)
    if digest != spec.digest(manifest.fingerprint):
        raise SplitError(
            f"the split {name!r} was made of other ratings than the store holds now",
            hint=f"remove {path.parent} and make the split again",
        )
    columns = _rating_columns(manifest.time_unit)
    subsets = {
        subset: f"SELECT {columns} FROM split_rows WHERE in_{subset}"  # noqa: S608
        for subset in ("train", "validation", "test")
    }
    numbers = ", ".join(f"CAST({n} AS BIGINT) AS {key}" for key, n in counts.items())
    views = {
        "split_users": select_files([folder / "users.parquet"]),
        "split_items": select_files([folder / "items.parquet"]),
        "split": f"SELECT {quote_text(name)} AS name, "
        f"{quote_text(spec.protocol())} AS protocol, {numbers}",
        "split_rows": rows_query(spec, test_from, manifest.time_unit),
        **subsets,
    }
    return add_item_names(views, manifest.item_name)


def rows_query(spec: SplitSpec, test_from: str | None, time_unit: str) -> str:
    """The rows that a split's filters keep and the subsets that they are on, as a SELECT.

    Args:
        spec: the split.
        test_from: first day or time of the test subset in the temporal method, ISO 8601.
        time_unit: of the store.
    """
    steps: list[str] = []
    is_test = _is_test(spec, test_from, time_unit, steps)
    is_validation = "false"
    if spec.validation_fraction:
        key = _key(second_seed(spec.seed), steps)
        is_validation = f"{key} < {threshold(spec.validation_fraction)}"
    is_warm = "user_n_train > 0 AND item_n_train > 0" if spec.warm else "true"
    rows = _kept_rows(spec, time_unit)
    for number, step in enumerate(steps):
        rows = f"SELECT *, {step} AS {_step_name(number)} FROM ({rows}) AS rows_{number}"  # noqa: S608
    return (
        f"SELECT {_rating_columns(time_unit)}, "  # noqa: S608
        "NOT is_test AND NOT is_validation AS in_train, "
        "NOT is_test AND is_validation AND is_warm AS in_validation, "
        "is_test AND is_warm AS in_test, "
        "(is_test OR is_validation) AND NOT is_warm AS is_dropped "
        f"FROM (SELECT *, {is_test} AS is_test, {is_validation} AS is_validation, "
        f"{is_warm} AS is_warm FROM ({rows}) AS keyed) AS divided"
    )


def _kept_rows(spec: SplitSpec, time_unit: str) -> str:
    columns = ["ratings.*"]
    joins = ["JOIN split_items ON ratings.item_id = split_items.item_id",
             "JOIN split_users ON ratings.user_id = split_users.user_id"]  # fmt: skip
    if spec.warm:
        columns.append("split_items.n_train AS item_n_train")
        columns.append("split_users.n_train AS user_n_train")
    if spec.method == "leave-last":
        columns += [f"split_users.{_start(time_unit)}", "split_users.test_from_item_id"]
    if spec.method == "probe":
        columns.append("probe.item_id IS NOT NULL AS in_probe")
        joins.append(
            "LEFT JOIN probe ON ratings.item_id = probe.item_id AND ratings.user_id = probe.user_id"
        )
    days = ((">=", spec.first_date), ("<=", spec.last_date))
    bounds = [
        f"ratings.date {sign} DATE {quote_text(day)}" for sign, day in days if day is not None
    ]
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT {', '.join(columns)} FROM ratings {' '.join(joins)}{where}"  # noqa: S608


def _is_test(spec: SplitSpec, test_from: str | None, time_unit: str, steps: list[str]) -> str:
    time, start = _time(time_unit), _start(time_unit)
    if spec.method == "temporal":
        kind = "TIMESTAMP" if time_unit == BY_SECOND else "DATE"
        return f"{time} >= {kind} {quote_text(test_from)}"
    if spec.method == "leave-last":
        return f"({time} > {start} OR ({time} = {start} AND item_id >= test_from_item_id))"
    if spec.method == "probe":
        return "in_probe"
    low, high = spec.key_range
    key = _key(spec.seed, steps)
    return f"({key} >= {low} AND {key} < {high})"


def _rating_columns(time_unit: str) -> str:
    return ", ".join(
        ["item_id, user_id, rating, date", *([TIME] if time_unit == BY_SECOND else [])]
    )


def _time(time_unit: str) -> str:
    """The column that orders rows in time."""
    return TIME if time_unit == BY_SECOND else DATE


def _start(time_unit: str) -> str:
    """The column of split_users in the leave-last method: when a user's first test row is."""
    return f"test_from_{_time(time_unit)}"


def _key(seed: int, steps: list[str]) -> str:
    user, item = (_Term(f"CAST({name} AS BIGINT)", steps) for name in ("user_id", "item_id"))
    return str(random_key(user, item, seed))


class _Term:
    """A number of a row as SQL; each remainder becomes a column of its own, computed once."""

    def __init__(self, text: str, steps: list[str]) -> None:
        self._text = text
        self._steps = steps

    def __str__(self) -> str:
        return self._text

    def __add__(self, other: object) -> _Term:
        return _Term(f"({self} + {other})", self._steps)

    def __mul__(self, other: object) -> _Term:
        return _Term(f"({self} * {other})", self._steps)

    def __mod__(self, other: object) -> _Term:
        self._steps.append(f"{self} % {other}")
        return _Term(_step_name(len(self._steps) - 1), self._steps)


def _step_name(number: int) -> str:
    return f"key_{number}"
