"""What mkdocs runs: the repository's own pages become pages of the site.

README.md is its first page. Links between documents are written as they work in the repository, and
are turned here into those of the site; a link to a file that is no page becomes its plain words.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT: Final = Path(__file__).parents[1]

PAGES: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Documents outside docs/, and the pages that they become."""

_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that lie outside docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=translate(text, source)))
    return files


def on_page_markdown(markdown: str, page: object, config: object, files: object) -> str:  # noqa: ARG001
    """Turn the links of a page of docs/ into those of the site."""
    path = page.file.src_uri  # type: ignore[attr-defined]
    return markdown if path in PAGES.values() else translate(markdown, f"docs/{path}")


def translate(text: str, source: str) -> str:
    """A document with the links of the site.

    Args:
        text: Markdown.
        source: where it lies in the repository.
    """

    def turn(found: re.Match[str]) -> str:
        image, words, target, anchor = found.groups()
        if ":" in target:
            return found[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        below = PAGES.get(path) or path.removeprefix("docs/")
        if below == path and (ROOT / path).exists():
            return words
        here = posixpath.dirname(PAGES.get(source) or source.removeprefix("docs/"))
        return f"{image}[{words}]({posixpath.relpath(below, here or '.')}{anchor or ''})"

    return _LINK.sub(turn, text)
