"""Made-up tables of ratings in every form, and what a store of them must hold."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from bigrec.store.catalog import open_catalog

LETTERS = "abcXYZ019_- .'éßЖ本"


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    user: str
    item: str
    rating: float
    time: int  # seconds since 1970


def made_rows(n: int, seed: int = 0, *, odd_keys: bool = True) -> list[Row]:
    """Rows of distinct pairs, with times from before 1970 on.

    Args:
        n: how many, about.
        seed: of the choice.
        odd_keys: whether keys have letters of all kinds; else they are integers from 1.
    """
    rng = random.Random(seed)

    def key(number: int) -> str:
        if not odd_keys:
            return f"{number + 1}"
        length = rng.choice([1, 3, 8, 14, 16, 17, 36, 120])
        text = "".join(rng.choices(LETTERS, k=length)).strip() or "x"
        return f"{text}{number:03}" if number % 3 else f"{number:07}"

    users = [key(number) for number in range(max(3, n // 9))]
    items = [key(number) for number in range(max(3, n // 15))]
    pairs = {(rng.choice(users), rng.choice(items)) for _ in range(n)}
    scale = [1, 2, 2.5, 3, 4, 5]
    return [
        Row(user, item, rng.choice(scale), rng.randrange(-(10**8), 16 * 10**8))
        for user, item in sorted(pairs, key=lambda _: rng.random())
    ]


def iso(row: Row) -> str:
    """The time of a row as ISO 8601."""
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=row.time)
    return moment.isoformat(sep=" ")


def csv_text(rows: list[Row], *, separator: str = ",", header: bool = True, end: str = "\n") -> str:
    """The rows as text with quotes where they are needed."""

    def quoted(text: str) -> str:
        needed = separator in text or '"' in text or (separator == " " and " " in text)
        return '"' + text.replace('"', '""') + '"' if needed else text

    lines = ["user_id,item_id,rating,timestamp".replace(",", separator)] if header else []
    lines += [
        separator.join((quoted(row.user), quoted(row.item), f"{row.rating:g}", f"{row.time}"))
        for row in rows
    ]
    return end.join([*lines, ""])


def write_form(rows: list[Row], form: str, folder: Path) -> Path:
    """Write the rows in a form; the file or folder to ingest."""
    path = folder / f"table.{form.split()[0]}"
    columns: dict[str, Any] = {
        "user_id": [row.user for row in rows],
        "item_id": [row.item for row in rows],
        "rating": [row.rating for row in rows],
        "timestamp": [row.time for row in rows],
    }
    if form.startswith(("parquet", "arrow", "feather")):
        table = pa.table(columns)
        if "timestamps" in form:
            stamps = table["timestamp"].cast(pa.timestamp("s")).cast(pa.timestamp("us", "UTC"))
            table = table.set_column(3, "timestamp", stamps)
        if form.startswith("parquet"):
            pq.write_table(table, path, row_group_size=50)
        elif form.startswith("arrow"):
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        else:
            pyarrow.feather.write_feather(table, path)
        return path
    if form.startswith("json"):
        lines = [
            {"reviewerID": row.user, "asin": row.item, "overall": row.rating, "date": iso(row)}
            for row in rows
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path
    separator = {"tsv": "\t", "dat": "::", "semicolons": ";", "bars": "|"}.get(form.split()[0], ",")
    text = csv_text(
        rows,
        separator=separator,
        header="bare" not in form,
        end="\r\n" if "windows" in form else "\n",
    )
    data = text.encode("utf-8-sig" if "mark" in form else "utf-8")
    if "gz" in form:
        path = path.with_suffix(".csv.gz")
        data = gzip.compress(data)
    if "zip" in form:
        path = path.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("set/ratings.csv", data)
            archive.writestr("__MACOSX/set/._ratings.csv", b"\0\0")
        return path
    if "parts" in form:
        folder = path.with_suffix("")
        folder.mkdir()
        third = len(rows) // 3
        for number, part in enumerate((rows[:third], rows[third : 2 * third], rows[2 * third :])):
            (folder / f"part-{number}.csv").write_text(csv_text(part), encoding="utf-8")
        return folder
    path.write_bytes(data)
    return path


def stored_rows(store: Path, *, by_user: bool = False) -> set[tuple[str, str, float, int]]:
    """What a store holds, with its keys: user, item, rating, seconds since 1970."""
    catalog = open_catalog(store)
    frame = catalog.ratings_by_user() if by_user else catalog.ratings()
    for role, table in (("user", catalog.users()), ("item", catalog.items())):
        name = f"{role}_id"
        if "key" in table.collect_schema().names():
            table = table.select(name, pl.col("key").alias(role))
        else:
            table = table.select(name, pl.col(name).cast(pl.String).alias(role))
        frame = frame.join(table, on=name)
    rows = frame.with_columns(time=pl.col("time").dt.epoch("s")).collect()
    return set(rows.select("user", "item", "rating", "time").iter_rows())


def expected_rows(rows: list[Row]) -> set[tuple[str, str, float, int]]:
    """The same of the rows."""
    return {(row.user, row.item, float(row.rating), row.time) for row in rows}
