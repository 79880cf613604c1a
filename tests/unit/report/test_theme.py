"""Colours: enough contrast in light and dark, and none left over in files."""

from __future__ import annotations

import itertools

import pytest

from bigrec.report.theme import DARK, LIGHT, css_variables, paint


def linear(colour: str) -> list[float]:
    channels = [int(colour[position : position + 2], 16) / 255 for position in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    weights = (0.2126, 0.7152, 0.0722)
    bright = sorted(
        sum(w * c for w, c in zip(weights, linear(colour), strict=True)) for colour in (one, other)
    )
    return (bright[1] + 0.05) / (bright[0] + 0.05)


# Machado, Oliveira, Fernandes 2009, severity 1, on linear RGB.
COLOUR_BLINDNESS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}  # fmt: skip


def seen(colour: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    """The colour as a colour-blind eye sees it, in gamma-encoded RGB."""
    channels = linear(colour)
    mixed = (sum(w * c for w, c in zip(row, channels, strict=True)) for row in matrix)
    return [max(0.0, min(1.0, c)) ** (1 / 2.4) for c in mixed]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_marks_stand_out_from_their_paper(palette: dict[str, str]) -> None:
    for name in ("ink", "muted"):
        assert contrast(palette[name], palette["paper"]) >= 4.5, name
        assert contrast(palette[name], palette["panel"]) >= 4.5, name
    for name, colour in palette.items():
        if name.startswith("series"):
            assert contrast(colour, palette["paper"]) >= 3, name


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_series_differ_for_the_colour_blind(palette: dict[str, str], kind: str) -> None:
    series = {name: colour for name, colour in palette.items() if name.startswith("series")}
    for one, other in itertools.combinations(series, 2):
        pair = (seen(series[name], COLOUR_BLINDNESS[kind]) for name in (one, other))
        distance = sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) ** 0.5
        assert distance > 0.2, (one, other, kind)


def test_both_palettes_have_the_same_names() -> None:
    assert LIGHT.keys() == DARK.keys()
    for name in LIGHT:
        assert css_variables().count(f"--{name}:") == 4


def test_a_painted_picture_has_plain_colours_on_white() -> None:
    svg = '<svg width="9"><path fill="var(--series-1)"/></svg>'
    painted = paint(svg)
    assert LIGHT["series-1"] in painted
    assert "var(" not in painted
    assert painted.startswith('<svg width="9"><rect')
