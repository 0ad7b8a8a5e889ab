"""Figures of signals."""

from __future__ import annotations

import numpy as np

from factorylab.operations import sensor_preview as preview
from factorylab.report import plots

DICE = np.random.default_rng(1)


def test_figures_are_drawn_with_and_without_recorded_data() -> None:
    """Comparison, faults and windows have a titled axes each, with a recording and without one."""
    ours = preview.simulated("temperature", 2000)
    theirs = preview.RecordedSignal("another machine", "K", 0.5, DICE.normal(size=1000).cumsum())
    assert len([ax for ax in plots.compare(ours, "temperature_c", theirs, 48).axes if ax.lines]) == 5
    assert len([ax for ax in plots.compare(ours, "temperature_c", None, 48).axes if ax.lines]) == 4
    drawn = plots.faults(preview.faults("energy", "machine"), preview.simulated("energy", 200), ["energy_kwh"])
    assert [ax.get_title(loc="left") for ax in drawn.axes] == ["leak", "left on", "outage"]
    assert len(plots.windows(preview.windows()).axes) == 10
