"""The description of a split: which rows take part, and which of them are the test subset."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from bigrec.errors import RawFormatError, SettingsError, SplitError, StoreError
from bigrec.magic import TEXT, kind_of
from bigrec.schema import MAX_ID
from bigrec.splits.random_key import MAX_SEED, PRIME, threshold

METHODS: Final = ("random", "temporal", "leave-last", "probe", "folds")
MAX_LAST: Final = 100
MAX_FOLDS: Final = 100

PRESETS: Final[dict[str, dict[str, int]]] = {
    "notebook-small": {"min_item_ratings": 53_001, "min_user_ratings": 831},
    "notebook-large": {"min_item_ratings": 10_001, "min_user_ratings": 231},
}
"""The two filters of the notebook, which keeps what has *more* ratings than 53,000, 830, …: small
for its cosine and AutoRec cells, large for the others."""

_RULES_VERSION: Final = 3
_MAX_COUNT: Final = 2**31 - 1  # what a store counts fits INT32
_BOM: Final = b"\xef\xbb\xbf"
_LINE_BYTES: Final = 1000
_ID: Final = re.compile("0*([0-9]{1,10})")


@dataclass(frozen=True)
class SplitSpec:
    """What decides a split. Two stores with the same rows and the same spec have the same split.

    Filters apply in this order: minimum counts, lists and dates; then the k-core of what is left;
    then the method on what is left of that.
    """

    min_item_ratings: int = 0
    """Keep items with at least so many ratings in the whole store; 0: all."""
    min_user_ratings: int = 0
    """Keep users with at least so many ratings in the whole store; 0: all."""
    method: str = "random"
    """How rows go to the test subset; one of METHODS.

    random: each row is drawn on its own. temporal: the rows from one time on. leave-last: the
    latest rows of each user, of one time those with the greatest item_id. probe: the pairs of the
    probe file. folds: one of equal parts of a random partition.
    """
    test_fraction: float = 0.2
    """Share of rows in the test subset, above 0 and below 1. The temporal method takes the first
    day or second whose share is nearest to it. The other methods that are not random do not use
    it."""
    seed: int = 0
    """Seed of the random choices, from 0 to MAX_SEED."""
    k_core: int = 0
    """Keep the largest set of rows in which every user and item has at least this many; 0: all."""
    first_date: str | None = None
    """Keep ratings from this day on, ISO 8601. None: from the first."""
    last_date: str | None = None
    """Keep ratings up to this day, inclusive, ISO 8601. None: to the last."""
    item_ids: tuple[int, ...] | None = None
    """Keep these items only. None: all."""
    user_ids: tuple[int, ...] | None = None
    """Keep these users only. None: all."""
    test_from: str | None = None
    """First day of the test subset of the temporal method, or its first second where the store has
    seconds, ISO 8601 in UTC. None: by test_fraction."""
    last: int = 0
    """Test rows of each user in the leave-last method, from 1 to MAX_LAST; else 0."""
    folds: int = 0
    """Number of parts in the folds method, from 2 to MAX_FOLDS; else 0."""
    fold: int = 0
    """The part that is the test subset in the folds method, from 1 to `folds`; else 0."""
    validation_fraction: float = 0.0
    """Share of the train rows that go to the validation subset, from 0 and below 1."""
    warm: bool = False
    """Whether validation and test rows are dropped whose user or item has no train row."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SettingsError.unknown_name("split method", self.method, METHODS)
        if not 0 < self.test_fraction < 1:
            raise SettingsError(
                f"expected a test fraction between 0 and 1, found {self.test_fraction}"
            )
        if not 0 <= self.validation_fraction < 1:
            raise SettingsError(
                "expected a validation fraction of at least 0 and below 1, "
                f"found {self.validation_fraction}"
            )
        for name, highest in (
            ("min_item_ratings", _MAX_COUNT), ("min_user_ratings", _MAX_COUNT),
            ("k_core", _MAX_COUNT), ("seed", MAX_SEED),
        ):  # fmt: skip
            _check_range(name, getattr(self, name), 0, highest)
        for name in ("first_date", "last_date"):
            _check_date(name, getattr(self, name))
        if self.test_from is not None:
            object.__setattr__(self, "test_from", _check_time("test_from", self.test_from))
        if self.first_date and self.last_date and self.first_date > self.last_date:
            raise SettingsError(
                f"expected a first date not after the last date {self.last_date}, "
                f"found {self.first_date}"
            )
        for name in ("item_ids", "user_ids"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _check_ids(name, getattr(self, name)))
        self._check_method()

    def _check_method(self) -> None:
        used: dict[str, tuple[str, ...]] = {
            "temporal": ("test_from",), "leave-last": ("last",), "folds": ("folds", "fold"),
        }  # fmt: skip
        for method, names in used.items():
            for name in names:
                if self.method != method and getattr(self, name):
                    raise SettingsError(
                        f"{name} belongs to the method {method}, not to {self.method}"
                    )
        if self.method == "leave-last":
            _check_range("last", self.last, 1, MAX_LAST)
        if self.method == "folds":
            _check_range("folds", self.folds, 2, MAX_FOLDS)
            _check_range("fold", self.fold, 1, self.folds)

    @property
    def key_range(self) -> tuple[int, int]:
        """Random keys of the test subset of the methods random and folds: from, up to."""
        if self.method == "folds":
            return (self.fold - 1) * PRIME // self.folds, self.fold * PRIME // self.folds
        return 0, threshold(self.test_fraction)

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        fields = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in fields.items()
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SplitSpec:
        """Read the fields back.

        Args:
            fields: as `to_json` gives them.

        Raises:
            SplitError: a field is unknown.
        """
        try:
            return cls(**fields)
        except TypeError as error:
            raise SplitError(f"a split description cannot be read: {error}") from error

    def digest(self, fingerprint: str) -> str:
        """Identity of the split of one store: of its rows and of the spec.

        Args:
            fingerprint: of the store's rows.
        """
        text = json.dumps([_RULES_VERSION, fingerprint, self.to_json()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def protocol(self) -> str:
        """The split in one line, as every result states it."""
        parts = [self._kept(), self._method()]
        if self.validation_fraction:
            parts.append(f"validation {_percent(self.validation_fraction)}% of train")
        if self.warm:
            parts.append("warm rows only")
        return "; ".join(parts)

    def _kept(self) -> str:
        filters = []
        if self.min_item_ratings:
            filters.append(f"items with at least {self.min_item_ratings:,} ratings")
        if self.min_user_ratings:
            filters.append(f"users with at least {self.min_user_ratings:,}")
        for word, ids in (("items", self.item_ids), ("users", self.user_ids)):
            if ids is not None:
                filters.append(f"{len(ids):,} listed {word} ({_list_digest(ids)})")
        if self.first_date:
            filters.append(f"ratings from {self.first_date}")
        if self.last_date:
            filters.append(f"ratings to {self.last_date}")
        if self.k_core:
            filters.append(f"{self.k_core}-core")
        return " and ".join(filters) or "all ratings"

    def _method(self) -> str:
        shares = f"{_percent(1 - self.test_fraction)}/{_percent(self.test_fraction)}"
        seed = f", seed {self.seed}"
        if self.method == "temporal":
            train_test = f"test from {self.test_from}" if self.test_from else f"{shares} by time"
            return f"temporal, {train_test}" + (seed if self.validation_fraction else "")
        if self.method == "leave-last":
            return f"last {self.last} of each user" + (seed if self.validation_fraction else "")
        if self.method == "probe":
            return "official probe" + (seed if self.validation_fraction else "")
        if self.method == "folds":
            return f"fold {self.fold} of {self.folds}{seed}"
        return f"random {shares}{seed}"


def read_id_list(path: Path, column: str, *headers: str) -> tuple[int, ...]:
    """Read ids from a text file: one a line, after an optional header that names the column.

    A byte order mark, blank lines, quotes around an id, CR LF and repeated ids are forgiven.

    Args:
        path: the file.
        column: item_id or user_id.
        headers: what else the header may say.

    Raises:
        RawFormatError: a line is no id.
        StoreError: the file cannot be read, is no text, or holds no id.
    """
    hint = f"write one {column} a line, as bigrec sql with --format csv does"
    try:
        with path.open("rb") as file:
            ids = _read_ids(file, path, (column, *headers), hint)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    if not ids:
        raise StoreError(f"{path} lists no {column}", hint=hint)
    return tuple(sorted(ids))


def _read_ids(file: BinaryIO, path: Path, headers: tuple[str, ...], hint: str) -> set[int]:
    ids = set()
    for number, line in enumerate(iter(lambda: file.readline(_LINE_BYTES), b""), start=1):
        if number == 1 and (kind := kind_of(line)) != TEXT:
            raise StoreError(f"{path} is {kind}, expected text", hint=hint)
        found = line.removeprefix(_BOM if number == 1 else b"").decode("utf-8", "replace")
        text = found.strip().strip('"')
        if not text or (number == 1 and text in headers):
            continue
        digits = _ID.fullmatch(text)
        if not digits or not 1 <= int(digits[1]) <= MAX_ID:
            expected = f"one {headers[0]} a line, from 1 to {MAX_ID}, and nothing else"
            raise RawFormatError(path, number, found.rstrip("\r\n"), expected, hint=hint)
        ids.add(int(digits[1]))
    return ids


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if value < lowest:
        raise SettingsError(f"expected {name} of at least {lowest}, found {value}")
    if value > highest:
        raise SettingsError(f"expected {name} of at most {highest}, found {value}")


def _check_date(name: str, text: str | None) -> None:
    if text is None:
        return
    try:
        canonical = dt.date.fromisoformat(text).isoformat()
    except ValueError:
        canonical = ""
    if canonical != text:
        raise SettingsError(f"expected {name} as YYYY-MM-DD, found {text!r}")


def _check_time(name: str, text: str) -> str:
    """A day, or a day and a time of it, with a blank between them."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None:
        for canonical in (str(moment.date()), str(moment.replace(tzinfo=None))):
            if text.replace("T", " ") == canonical:
                return canonical
    raise SettingsError(
        f"expected {name} as YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS in UTC, found {text!r}"
    )


def _check_ids(name: str, ids: Sequence[int]) -> tuple[int, ...]:
    unique = tuple(sorted({int(one) for one in ids}))
    if not unique:
        raise SettingsError(f"expected at least one id in {name}, found none")
    if unique[0] < 1 or unique[-1] > MAX_ID:
        raise SettingsError(f"expected {name} from 1 to {MAX_ID}, found {unique[0]}, {unique[-1]}")
    return unique


def _list_digest(ids: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:8]


def _percent(share: float) -> str:
    return f"{round(100 * share, 3):g}"
