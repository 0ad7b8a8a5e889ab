"""How every figure looks: colours that the colour-blind can tell apart, and a second sign for those who print in grey.

Okabe and Ito's palette (Color Universal Design, 2008). Each series has a colour and a line style, each bar a colour
and a hatch. SVG comes out the same byte for byte: no date, fixed ids.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, BLACK)
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
HATCHES = ("", "///", "\\\\\\", "xx", "--", "||", "++", "//")  # no dots: as SVG they weigh 150 kB each
FILLS = ("#9EC9E8", "#F5D08A", "#8FD3BD", "#E9C3D8", "#CFE8F7", "#EFB08A", "#F8F1A5", "#BBBBBB")
FAULT_FILL, FAULT_EDGE = "#D9D9D9", "#555555"
RC: Any = {
    "svg.hashsalt": "factorylab",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "hatch.linewidth": 0.5,
    "hatch.color": "#444444",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
}


@contextmanager
def styled() -> Iterator[None]:
    with style.context(["default", RC]):  # whatever matplotlibrc there is besides
        yield


class Picture(Figure):
    """A figure that JupyterLab shows by itself, without pyplot and its global state, never wider than the page.

    `alt` says what it shows to those who do not see it; without one its titles do.
    """

    alt: str = ""

    @property
    def described(self) -> str:
        titles = (ax.get_title(loc="left") for ax in self.axes)
        return self.alt or "; ".join(filter(None, (self.get_suptitle(), *titles))) or "figure"

    def __repr__(self) -> str:
        return f"<figure: {self.described}>"

    def _repr_html_(self) -> str:
        data = b64encode(svg(self).encode()).decode()
        alt = escape(self.described)
        return f'<img alt="{alt}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'


def settled(figure: Picture) -> Picture:
    """Fix where the axes are: the layout's solver is exact only to the last bits, which would change the SVG's ids. A
    figure with a layout of its own would be drawn once more each time that it is written."""
    ConstrainedLayoutEngine().execute(figure)
    for ax in figure.axes:
        ax.set_position(tuple(round(v, 4) for v in ax.get_position().bounds))
    return figure


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same data."""
    out = io.StringIO()
    with styled():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
