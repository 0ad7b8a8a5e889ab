"""Figures: `timeline(run)`, `latency(run)`, `ack_gaps(run)`, `exposure(run)`, `blind(run)`, `load_curve(run)`,
`views(run)`, `life(run)`, `waterfall(run)`, each a figure of a run; `spread(runs, quantity)` and
`durability(runs, *quantities)` of several runs; `capacity(found)` of a search."""

from factorylab.report.plots.draw_capacity import capacity
from factorylab.report.plots.draw_durability import durability
from factorylab.report.plots.draw_signals import compare, faults, windows
from factorylab.report.plots.draw_spread import spread, spread_of_sets
from factorylab.report.plots.figures import (
    ack_gaps,
    blind,
    drawn,
    exposure,
    latency,
    life,
    load_curve,
    save,
    timeline,
    views,
    waterfall,
)
from factorylab.report.plots.recorded import detection
from factorylab.report.plots.style import Picture, svg
from factorylab.report.plots.subject import subject

__all__ = [
    "Picture", "ack_gaps", "blind", "capacity", "compare", "detection", "drawn", "durability", "exposure", "faults",
    "latency", "life", "load_curve", "save", "spread", "spread_of_sets", "subject", "svg", "timeline", "views",
    "waterfall", "windows",
]  # fmt: skip
