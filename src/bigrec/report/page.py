"""The report: one HTML page of a store and its runs, complete in itself.

Scripts, data and styles stand in the page, whose security policy forbids it to load anything. Each
figure is drawn by Vega in the browser, and stands there as a drawing for readers without scripts.
"""

from __future__ import annotations

import html
import shlex
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from bigrec.query.session import open_session
from bigrec.report import render
from bigrec.report.figures import Figure, Section, Table
from bigrec.report.store_section import describe_store
from bigrec.report.theme import css_variables
from bigrec.resources import SILENT, Budget, Progress
from bigrec.store.catalog import Catalog
from bigrec.store.manifest import Manifest
from bigrec.store.writer import publishing_file
from bigrec.version import __version__

_ASSETS: Final = resources.files("bigrec.report") / "assets"


@dataclass(frozen=True)
class ReportSummary:
    """What a report wrote."""

    output: str
    """The page."""
    n_figures: int
    seconds: float
    """Wall time."""
    n_bytes: int
    """Size of the page."""


def write_report(
    catalog: Catalog,
    output: Path,
    *,
    runs_folder: Path | None = None,
    split: str | None = None,
    budget: Budget | None = None,
    progress: Progress = SILENT,
    figures: Path | None = None,
) -> ReportSummary:
    """Write a page about a store, and about the runs of one of its splits where there are any.

    Args:
        catalog: the store.
        output: the page to write.
        runs_folder: the folder of runs; None for a report of the data alone.
        split: the split to report on; if None, that of the latest run, else the store's only one.
        budget: memory, threads and scratch space.
        progress: told of finished sections.
        figures: a folder that gets each figure as SVG and PNG as well; None for no files.

    Raises:
        SplitError: the store has no such split.
        RunError: a run cannot be read.
    """
    started = time.perf_counter()
    budget = budget or Budget()
    with ThreadPoolExecutor(1) as pool:
        runtime = pool.submit(render.vega_runtime)
        with open_session(catalog.layout.root, budget=budget) as session:
            sections = [describe_store(session)]
        if runs_folder is not None and any(runs_folder.glob("*/metrics.json")):
            # The model half takes seconds to import, and a store alone does not need it.
            from bigrec.report.models import describe_models

            sections += describe_models(
                catalog, runs_folder, split=split, budget=budget, progress=progress
            )
        page = _write_page(catalog, sections, runtime.result(), runs_folder, split)
    with publishing_file(output) as partial:
        partial.write_text(page, encoding="utf-8")
    drawn = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    if figures is not None:
        _write_files(drawn, figures)
    return ReportSummary(
        str(output), len(drawn), time.perf_counter() - started, output.stat().st_size
    )


def _write_files(figures: Sequence[Figure], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for figure in figures:
        svg = render.svg_file(figure)
        (folder / f"{figure.name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{figure.name}.png").write_bytes(render.png_file(svg))


def _write_page(
    catalog: Catalog,
    sections: Sequence[Section],
    runtime: str,
    runs_folder: Path | None,
    split: str | None,
) -> str:
    drawn = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    manifest = catalog.manifest
    return Template((_ASSETS / "page.html").read_text(encoding="utf-8")).substitute(
        title=f"{manifest.n_ratings:,} ratings",
        lead=html.escape(
            f"{manifest.n_users:,} users and {manifest.n_movies:,} movies, {manifest.first_date} "
            f"to {manifest.last_date}. Point at a figure for its numbers; click a legend to single "
            "one line out."
        ),
        colours=css_variables(),
        style=(_ASSETS / "page.css").read_text(encoding="utf-8"),
        contents=_contents(sections),
        sections="".join(map(_section, sections)),
        foot=_foot(catalog.layout.root, manifest, runs_folder, split),
        specs=render.script_json({figure.name: render.vega_spec(figure) for figure in drawn}),
        runtime=runtime.replace("</script", "<\\/script"),
        script=(_ASSETS / "page.js").read_text(encoding="utf-8"),
    )


def _contents(sections: Sequence[Section]) -> str:
    def entry(anchor: str, title: str, inner: str = "") -> str:
        return f'<li><a href="#{anchor}">{html.escape(title)}</a>{inner}</li>\n'

    entries = ""
    for section in sections:
        inner = "".join(entry(_anchor(block), block.title) for block in section.blocks)
        entries += entry(section.name, section.title, f"<ul>{inner}</ul>")
    return f"<ul>{entries}{entry('reproduce', 'How this page was made')}</ul>\n"


def _anchor(block: Figure | Table) -> str:
    if isinstance(block, Figure):
        return block.name
    return "table-" + "-".join(block.title.lower().split())


def _section(section: Section) -> str:
    numbers = "".join(
        f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(value)}</dd></div>"
        for label, value in section.numbers.items()
    )
    blocks = "".join(
        _figure(block) if isinstance(block, Figure) else _table(block) for block in section.blocks
    )
    return (
        f'<section id="{section.name}">\n<h2>{html.escape(section.title)}</h2>\n'
        f"<p>{html.escape(section.text)}</p>\n"
        + (f'<dl class="numbers">{numbers}</dl>\n' if numbers else "")
        + f"{blocks}</section>\n"
    )


def _figure(figure: Figure) -> str:
    switches = "".join(
        f'<label class="log"><input type="checkbox" value="{axis}" data-of="{figure.name}">'
        "logarithmic</label>"
        for axis in figure.log_axes
    )
    command = f"<p><code>{html.escape(figure.command)}</code></p>" if figure.command else ""
    return (
        f'<figure id="{figure.name}">\n'
        f'<div class="head"><h3>{html.escape(figure.title)}</h3>{switches}</div>\n'
        f'<div class="chart" data-figure="{figure.name}" role="img" '
        f'aria-label="{html.escape(figure.alt)}"></div>\n'
        f"<noscript>{render.svg_image(figure)}</noscript>\n"
        f"<figcaption><p>{html.escape(figure.caption)}</p>{command}</figcaption>\n</figure>\n"
    )


def _table(table: Table) -> str:
    numeric = [
        any(isinstance(row[column], int | float) for row in table.rows)
        for column in range(len(table.columns))
    ]

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f'<{tag} class="{"number" if right else "text"}">{html.escape(_text(value))}</{tag}>'
            for value, right in zip(values, numeric, strict=True)
        )

    rows = "".join(
        f'<tr class="{"best" if number == table.best_row else "other"}">{cells("td", row)}</tr>\n'
        for number, row in enumerate(table.rows)
    )
    return (
        f'<figure id="{_anchor(table)}">\n<h3>{html.escape(table.title)}</h3>\n'
        f'<div class="scroll"><table><thead><tr>{cells("th", table.columns)}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>\n"
        f"<figcaption><p>{html.escape(table.caption)}</p></figcaption>\n</figure>\n"
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)


def _foot(root: Path, manifest: Manifest, runs_folder: Path | None, split: str | None) -> str:
    at_store = ["--store", root.name]
    commands: list[list[str]] = [
        ["bigrec", "ingest", "RAW", "--source", manifest.source, *at_store],
    ]
    report = ["bigrec", "report", "--output", "report.html", *at_store]
    if runs_folder is not None:
        report += ["--runs", runs_folder.name]
    if split is not None:
        report += ["--split", split]
    lines = "\n".join(shlex.join(command) for command in [*commands, report])
    facts: Mapping[str, str] = {
        "store fingerprint": manifest.fingerprint,
        "made from": f"{manifest.source} files: "
        + ", ".join(file.name for file in manifest.source_files[:8])
        + ("…" if len(manifest.source_files) > 8 else ""),
        "bigrec": __version__,
    }
    listed = "".join(
        f"<dt>{html.escape(name)}</dt><dd><code>{html.escape(value)}</code></dd>"
        for name, value in facts.items()
    )
    return (
        "<p>The same rows have the same fingerprint, wherever they were ingested. "
        f"These commands make this page again:</p>\n<pre>{html.escape(lines)}</pre>\n"
        f"<dl>{listed}</dl>\n"
    )
