"""The report: one HTML page of a store and its runs, complete in itself.

Scripts, data and styles stand in the page, whose security policy forbids it to load anything. Each
figure is drawn by Vega in the browser, and stands there as a drawing for readers without scripts.
"""

from __future__ import annotations

import contextlib
import html
import re
import shlex
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from bigrec.errors import SettingsError, SplitError, system_errors
from bigrec.evaluate.compare import sort_out
from bigrec.query.session import open_session
from bigrec.report import render
from bigrec.report.figures import Block, Figure, Lists, Section, Table, without_controls
from bigrec.report.split_section import describe_split
from bigrec.report.store_section import describe_store
from bigrec.report.theme import css_variables
from bigrec.resources import SILENT, Budget, Progress
from bigrec.runs import RunDirectory, list_runs
from bigrec.splits.splits import Split, open_split
from bigrec.store.catalog import Catalog
from bigrec.store.publish import check_output, publishing_file
from bigrec.store.seal import enclosing_folder
from bigrec.version import __version__

_FILES_SHOWN: Final = 8
_MARKED_BYTES: Final = 1024
_RUN_COMMANDS: Final = ("train", "blend", "report")
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
    left_out: tuple[str, ...] = ()
    """Why each run that cannot be read is not in the page."""


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
        split: the split to report on; if None, that of the latest run, else the latest split.
        budget: memory, threads and scratch space.
        progress: told of finished sections.
        figures: a folder that gets each figure as SVG and PNG as well: a new one, an empty one, or
            one that holds nothing else; None for no files.

    Raises:
        SettingsError: the page cannot be written there, or the folder of figures holds something
            else.
        SplitError: the store has no such split.
    """
    started = time.perf_counter()
    check_outputs(output, figures)
    runs, errors = sort_out(list_runs(runs_folder)) if runs_folder is not None else ([], [])
    budget = budget or Budget()
    with ThreadPoolExecutor(1) as pool:
        runtime = pool.submit(render.vega_runtime)
        with open_session(catalog.layout.root, budget=budget) as session:
            progress.start("asking the store", 1, "sections")
            sections = [describe_store(session)]
            progress.advance(1)
            chosen = _choose_split(catalog, runs, split)
            if chosen is not None:
                sections.append(describe_split(chosen, budget=budget, progress=progress))
            if chosen is not None and _of_split(runs, chosen):
                # The model half takes seconds to import, and a store alone does not need it.
                from bigrec.report.models import describe_models

                described, unusable = describe_models(
                    catalog,
                    session,
                    chosen,
                    _of_split(runs, chosen),
                    budget=budget,
                    progress=progress,
                )
                sections += described
                errors += unusable
        page = _write_page(catalog, sections, runtime.result(), runs_folder, chosen)
    drawn = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    if figures is not None:
        _write_files(drawn, figures)
    with publishing_file(output) as partial:
        partial.write_text(page, encoding="utf-8")
    return ReportSummary(
        str(output), len(drawn), time.perf_counter() - started, output.stat().st_size,
        tuple(error.message for error in errors),
    )  # fmt: skip


def _choose_split(catalog: Catalog, runs: Sequence[RunDirectory], name: str | None) -> Split | None:
    """The split of that name, else that of the latest run, else the latest, if there is one."""
    if name is not None:
        return open_split(catalog, name)
    splits = []
    for found in catalog.split_names():
        # One that was made of other ratings has nothing to say about these.
        with contextlib.suppress(SplitError):
            splits.append(open_split(catalog, found))

    def age(split: Split) -> tuple[int, int]:
        trained = max(
            (_written(run.folder / "metrics.json") for run in _of_split(runs, split)), default=0
        )
        return trained, _written(split.folder / "split.json")

    return max(splits, key=age, default=None)


def _of_split(runs: Sequence[RunDirectory], split: Split) -> list[RunDirectory]:
    """The runs that were trained on a split as it is now."""
    return [run for run in runs if run.config.split.digest == split.digest]


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


def check_outputs(page: Path, figures: Path | None) -> None:
    """Refuse what a report could not be written to, before any work is done.

    Args:
        page: the file.
        figures: a folder, which may hold figures of bigrec and nothing else; None for none.

    Raises:
        SettingsError: one of them cannot be written.
    """
    check_output(page)
    if figures is not None:
        with system_errors(figures, SettingsError):
            _check_figures(figures)


def _check_figures(folder: Path) -> None:
    if outer := enclosing_folder(folder):
        raise SettingsError(
            f"--figures {folder} lies in the {outer[1]} {outer[0]}", hint="name another folder"
        )
    if not folder.exists():
        check_output(folder)  # what holds for a new file holds for a new folder
        return
    if not folder.is_dir():
        raise SettingsError(f"expected --figures as a folder, found the file {folder}")
    for path in sorted(folder.iterdir()):
        drawing = path.with_suffix(".svg")
        if path.suffix not in {".svg", ".png"} or not _is_marked(drawing):
            raise SettingsError(
                f"expected --figures as a new or an empty folder, or one of figures of bigrec, "
                f"found {path.name!r} in {folder}",
                hint="name another folder",
            )


def _is_marked(drawing: Path) -> bool:
    if not drawing.is_file():
        return False
    with drawing.open("rb") as file:
        return render.FIGURE_MARK.encode() in file.read(_MARKED_BYTES)


def _write_files(figures: Sequence[Figure], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for figure in figures:
        # A run's folder, whose name stands in some, may have been given another by hand.
        name = re.sub(r"[^\w.-]", "-", figure.name)
        svg = render.svg_file(figure)
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
        (folder / f"{name}.png").write_bytes(render.png_file(svg))


def _write_page(
    catalog: Catalog,
    sections: Sequence[Section],
    runtime: str,
    runs_folder: Path | None,
    split: Split | None,
) -> str:
    drawn = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    manifest = catalog.manifest
    return Template((_ASSETS / "page.html").read_text(encoding="utf-8")).substitute(
        title=f"{manifest.n_ratings:,} ratings",
        lead=_escape(
            f"{manifest.n_users:,} users and {manifest.n_items:,} items, "
            f"{manifest.dates}. Point at a figure for its numbers; click a legend to single "
            "one line out."
        ),
        colours=css_variables(),
        style=(_ASSETS / "page.css").read_text(encoding="utf-8"),
        contents=_contents(sections),
        sections="".join(map(_section, sections)),
        foot=_foot(catalog, sections, runs_folder, split),
        specs=render.script_json({figure.name: render.vega_spec(figure) for figure in drawn}),
        runtime=runtime.replace("</script", "<\\/script"),
        script=(_ASSETS / "page.js").read_text(encoding="utf-8"),
    )


def _escape(text: str) -> str:
    """Text of data as text of the page."""
    return html.escape(without_controls(text))


def _contents(sections: Sequence[Section]) -> str:
    def entry(anchor: str, title: str, inner: str = "") -> str:
        return f'<li><a href="#{anchor}">{_escape(title)}</a>{inner}</li>\n'

    entries = ""
    for section in sections:
        inner = "".join(entry(_anchor(block), block.title) for block in section.blocks)
        entries += entry(section.name, section.title, f"<ul>{inner}</ul>")
    return f"<ul>{entries}{entry('reproduce', 'How this page was made')}</ul>\n"


def _anchor(block: Block) -> str:
    if isinstance(block, Figure):
        return _escape(block.name)
    return "table-" + "-".join(re.findall(r"\w+", block.title.lower()))


def _section(section: Section) -> str:
    numbers = "".join(
        f"<div><dt>{_escape(label)}</dt><dd>{_escape(value)}</dd></div>"
        for label, value in section.numbers.items()
    )
    blocks = "".join(map(_block, section.blocks))
    return (
        f'<section id="{section.name}">\n<h2>{_escape(section.title)}</h2>\n'
        f"<p>{_escape(section.text)}</p>\n"
        + (f'<dl class="numbers">{numbers}</dl>\n' if numbers else "")
        + f"{blocks}</section>\n"
    )


def _block(block: Block) -> str:
    if isinstance(block, Figure):
        return _figure(block)
    return _table(block) if isinstance(block, Table) else _lists(block)


def _figure(figure: Figure) -> str:
    name = _anchor(figure)
    switches = "".join(
        f'<label class="log"><input type="checkbox" value="{axis}" data-of="{name}">'
        "logarithmic</label>"
        for axis in figure.log_axes
    )
    command = f"<p><code>{_escape(figure.command)}</code></p>" if figure.command else ""
    return (
        f'<figure id="{name}">\n'
        f'<div class="head"><h3>{_escape(figure.title)}</h3>{switches}</div>\n'
        f'<div class="chart" data-figure="{name}" role="img" '
        f'aria-label="{_escape(figure.alt)}"><div class="plot"></div></div>\n'
        f"<noscript>{render.svg_image(figure)}</noscript>\n"
        f"<figcaption><p>{_escape(figure.caption)}</p>{command}</figcaption>\n</figure>\n"
    )


def _table(table: Table) -> str:
    formats = list(table.columns.values())

    def cells(tag: str, texts: Iterable[str]) -> str:
        return "".join(
            f'<{tag} class="{"number" if number_format else "text"}">{_escape(text)}</{tag}>'
            for text, number_format in zip(texts, formats, strict=True)
        )

    def row(number: int, values: Sequence[object]) -> str:
        texts = (
            "" if value is None else format(value, number_format)
            for value, number_format in zip(values, formats, strict=True)
        )
        kind = "best" if number == table.best_row else "other"
        return f'<tr class="{kind}">{cells("td", texts)}</tr>\n'

    rows = "".join(row(number, values) for number, values in enumerate(table.rows))
    return (
        f'<figure id="{_anchor(table)}">\n<h3>{_escape(table.title)}</h3>\n'
        f'<div class="scroll"><table><thead><tr>{cells("th", table.columns)}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>\n"
        f"<figcaption><p>{_escape(table.caption)}</p></figcaption>\n</figure>\n"
    )


def _lists(lists: Lists) -> str:
    columns = ""
    for position, (heading, entries) in enumerate(lists.lists.items()):
        items = "".join(
            f"<li><span>{_escape(text)}</span> <b>{_escape(number)}</b></li>"
            for text, number in entries
        )
        kind = "own" if lists.first_is_own and not position else "made"
        columns += f'<div class="{kind}"><h4>{_escape(heading)}</h4><ol>{items}</ol></div>\n'
    return (
        f'<figure id="{_anchor(lists)}">\n<h3>{_escape(lists.title)}</h3>\n'
        f'<div class="lists">{columns}</div>\n'
        f"<figcaption><p>{_escape(lists.caption)}</p></figcaption>\n</figure>\n"
    )


def _foot(
    catalog: Catalog, sections: Sequence[Section], runs_folder: Path | None, split: Split | None
) -> str:
    manifest = catalog.manifest
    positions = ["--store", catalog.layout.root.name]
    report = ["bigrec", "report", "--output", "report.html"]
    if split is not None:
        report += ["--split", split.name]
    lines = []
    for command in [*(command for section in sections for command in section.commands), report]:
        has_runs = runs_folder is not None and command[1] in _RUN_COMMANDS
        runs = ["--runs", runs_folder.name] if runs_folder is not None and has_runs else []
        lines.append(shlex.join([*command, *positions, *runs]))
    shown = [file.name for file in manifest.source_files[:_FILES_SHOWN]]
    n_more = len(manifest.source_files) - len(shown)
    if n_more:
        shown.append(f"and {n_more:,} more")
    facts = {
        "store": manifest.fingerprint,
        "split": split.digest if split is not None else "none",
        "source": f"{manifest.source}: {', '.join(shown)}",
        "bigrec": __version__,
    }
    listed = "".join(
        f"<dt>{_escape(name)}</dt><dd><code>{_escape(value)}</code></dd>"
        for name, value in facts.items()
    )
    commands = _escape("\n".join(lines))
    return (
        f"<p>These commands make this page again:</p>\n<pre>{commands}</pre>\n"
        "<p>Two stores with the same rows have the same fingerprint, wherever they were made:</p>\n"
        f"<dl>{listed}</dl>\n"
    )
