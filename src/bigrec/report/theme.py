"""Colours and chart defaults of the report.

Charts name colours as CSS variables, so that one drawing follows the page from light to dark;
`paint` puts the light values in for pictures that leave the page. The series colours keep their
order under the common kinds of colour blindness and stand out 3:1 against their paper; shapes and
dashes say the same again.
"""

from __future__ import annotations

import re
from typing import Any, Final

LIGHT: Final = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "ink": "#1b1f24",
    "muted": "#57606a",
    "grid": "#e1e4e8",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#008a65",
    "series-4": "#b319e6",
    "series-5": "#663000",
    "series-6": "#383c42",
}
DARK: Final = {
    "paper": "#14171a",
    "panel": "#1e2226",
    "ink": "#eceff2",
    "muted": "#a3adb8",
    "grid": "#31373d",
    "series-1": "#56b4e9",
    "series-2": "#ff8a3d",
    "series-3": "#2bc79a",
    "series-4": "#ba30e8",
    "series-5": "#fffa66",
    "series-6": "#676f79",
}

FONT: Final = "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 7))
ACCENT: Final = SERIES[0]
SECOND: Final = SERIES[1]
MUTED: Final = "var(--muted)"

_FILE_FONT: Final = "sans-serif"
_VARIABLE: Final = re.compile(r"var\(--([\w-]+)\)")

CHART_CONFIG: Final[dict[str, Any]] = {
    "background": "transparent",
    "font": FONT,
    # The figure as a whole has its text; hundreds of marks reading themselves out would drown it.
    "aria": False,
    "padding": {"left": 2, "right": 8, "top": 4, "bottom": 4},
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--muted)",
        "tickColor": "var(--muted)",
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    },
    "axisX": {"grid": False},
    "axisY": {
        "domain": False,
        "ticks": False,
        "tickCount": 5,
        "titleAnchor": "end",
        "titleAngle": 0,
        "titleAlign": "left",
        "titleY": -12,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "labelColor": "var(--ink)",
        "titleColor": "var(--muted)",
        "labelFontSize": 12,
        "symbolSize": 90,
        "columnPadding": 14,
        # Above the axis title, which stands at the top left.
        "offset": 30,
        "layout": {
            "top": {
                "anchor": "start",
                "direction": {"signal": "containerSize()[0] < 640 ? 'vertical' : 'horizontal'"},
                "margin": 6,
            }
        },
    },
    "bar": {"fill": ACCENT},
    "point": {"opacity": 1},
    "line": {"stroke": ACCENT, "strokeWidth": 2},
    "text": {"fill": "var(--ink)", "fontSize": 11},
}


def css_variables() -> str:
    """The rules that give the colours their values: light, dark by the system, dark by choice."""
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in palette.items())
        for palette in (LIGHT, DARK)
    )
    return (
        f":root{{color-scheme:light;{light}}}\n"
        "@media (prefers-color-scheme: dark){:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media print{{:root:root:root{{color-scheme:light;{light}}}}}\n"
    )


def paint(svg: str) -> str:
    """An SVG of the page as a file of its own: light colours, white paper, a generic font."""
    painted = _VARIABLE.sub(lambda found: LIGHT[found[1]], svg).replace(FONT, _FILE_FONT)
    head, rest = painted.split(">", 1)
    return f'{head}><rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>{rest}'
