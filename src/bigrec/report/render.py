"""Drawing without a browser: Vega specifications for the page, SVG and PNG, the Vega runtime."""

from __future__ import annotations

import json
from typing import Any, Final

from bigrec.errors import ResourceError
from bigrec.report.figures import Figure
from bigrec.report.theme import paint

try:
    import vl_convert
except ImportError as error:
    raise ResourceError.missing_extra("report", "vl-convert-python") from error

FIGURE_MARK: Final = "<!-- a figure of bigrec -->"
"""How a file that may be drawn anew is known."""
FILE_WIDTH: Final = 640
"""Width of the plot in a picture that leaves the page, in pixels."""
_PNG_SCALE: Final = 2


def vega_spec(figure: Figure) -> dict[str, Any]:
    """A figure compiled to Vega, as wide as its container.

    Compiling here keeps the Vega-Lite compiler out of the page and its work off the reader's phone.
    """
    spec: dict[str, Any] = vl_convert.vegalite_to_vega(figure.spec())
    return spec


def svg_image(figure: Figure) -> str:
    """A figure as SVG for the page, in the page's colours."""
    svg: str = vl_convert.vegalite_to_svg(figure.still_spec(FILE_WIDTH))
    return svg


def svg_file(figure: Figure) -> str:
    """A figure as an SVG file, with FIGURE_MARK at its beginning."""
    head, rest = paint(svg_image(figure)).split(">", 1)
    return f"{head}>{FIGURE_MARK}{rest}"


def png_file(svg: str) -> bytes:
    """An SVG file as a PNG file of twice its pixels."""
    png: bytes = vl_convert.svg_to_png(svg, scale=_PNG_SCALE)
    return png


def vega_runtime() -> str:
    """JavaScript that defines `vegaEmbed`, from the copy that vl-convert carries."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script


def script_json(value: object) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
