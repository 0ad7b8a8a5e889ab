"""Figures within a page: the same drawing in fewer bytes, and nothing of one figure in another."""

from __future__ import annotations

import re

import pytest

from factorylab.report.inline_svg import InlineFigures
from factorylab.report.short_path import short_path

SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 9 9">
 <metadata><title>made by</title></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="axes_1"><g id="line_1">
  <defs><path id="m1" d="M 0 0 \nL 0 3.5 \n" style="stroke: #abcdef"/></defs>
  <use xlink:href="#m1" x="1.23456" y="2" style="stroke: #abcdef"/>
  <path d="M 1 1 \nL 2 1 \n" clip-path="url(#c1)" style="fill: url(#h1); stroke: #abcdef"/>
  <text style="font-size: 9px; font-family: 'DejaVu Sans'" transform="rotate(-0 1 2)">a &lt;script&gt; &amp; b</text>
 </g></g>
 <defs><clipPath id="c1"><rect width="1.004"/></clipPath><pattern id="h1"/></defs>
</svg>"""


def test_a_path_is_drawn_through_the_same_points() -> None:
    """Relative moves, with straight lines in one number and runs in one direction joined."""
    assert short_path("M 10 20 \nL 20 20 \nL 30.5 20 \nL 30.5 5 \nL 31 6 \nz \nM 1 1 \nL 1 2 \n") == (
        "M10 20h20.5v-15l.5 1zM1 1v1"
    )


def test_rounding_does_not_add_up() -> None:
    """A hundred steps of 0.04 end where they should: four points further on."""
    steps = " ".join(f"L {0.04 * n:.6f} {n % 2}" for n in range(1, 101))
    moved = [float(x) for x in re.findall(r"[lh](-?[\d.]+)", short_path(f"M 0 0 {steps}"))]
    assert sum(moved) == pytest.approx(4.0, abs=0.05)


def test_a_line_that_turns_back_keeps_its_turn() -> None:
    """Two moves on one axis are one only in the same direction."""
    assert short_path("M 0 0 L 5 0 L 2 0") == "M0 0h5h-3"


def test_curves_keep_their_points() -> None:
    """All points of a curve count from its beginning."""
    assert short_path("M 10 10 C 11 10 12 11 12 12 L 12 13") == "M10 10c1 0 2 1 2 2v1"


def test_an_unknown_command_is_refused() -> None:
    """What nobody expected is not drawn in some other way."""
    with pytest.raises(ValueError, match="other commands"):
        short_path("M 0 0 A 1 1 0 0 0 2 2")


def test_figures_of_a_page_share_looks_and_no_ids() -> None:
    """The same document twice: different ids, each pointed at by its own figure, and one rule for each look."""
    figures = InlineFigures()
    first, second = figures.element(SVG, "one"), figures.element(SVG, "two")
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (first, second)]
    pointed = [set(re.findall(r'(?:href="#|url\(#)([^")]+)', text)) for text in (first, second)]
    assert ids == pointed and len(ids[0]) == 3 and not ids[0] & ids[1]
    assert figures.css == ".l0{stroke:#abcdef}.l1{font-size:9px}"


def test_a_figure_says_what_it_shows_and_leaves_out_what_the_page_says() -> None:
    """It has its alternative text; metadata, style sheets, fonts and turns by nothing are gone."""
    text = InlineFigures().element(SVG, 'a "quoted" <figure>')
    assert 'role="img" aria-label="a &quot;quoted&quot; &lt;figure&gt;"' in text and 'viewBox="0 0 9 9"' in text
    assert not re.search("metadata|made by|<style|font-family|rotate|xmlns|1.23456|<g", text)


def test_words_of_a_run_stay_words() -> None:
    """Markup in a label is shown, not obeyed."""
    assert "a &lt;script&gt; &amp; b" in InlineFigures().element(SVG, "one")
