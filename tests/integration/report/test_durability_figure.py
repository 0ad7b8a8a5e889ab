"""The figure of the durability campaign: a panel for each fault and quantity, a mark for each run."""

from __future__ import annotations

from factorylab.report import plots
from tests.support.campaign_runs import FROZEN_FIRST, campaign_run

RUNS = [
    *(campaign_run(acks="1", lost=n, recovery=9 + n) for n in (0, 3)),
    campaign_run(acks="1", faults=FROZEN_FIRST, lost=7_000, recovery=60, censored=True),
    campaign_run(acks="0", recovery=5),
    campaign_run(acks="all", valid=False),
]


def test_every_run_has_its_mark_and_every_empty_place_its_word() -> None:
    """Runs are marks, lower bounds other marks, and a place without a number says why."""
    lost, recovery, lost_late, recovery_late = plots.durability(RUNS, "lost", "recovery").axes
    assert [text.get_text() for text in lost.texts] == ["not recorded", "INVALID alone"]
    assert [text.get_text() for text in recovery.texts] == ["INVALID alone"]
    assert [text.get_text() for text in lost_late.texts] == ["not run", "not run"]
    marks = [(line.get_marker(), list(line.get_xdata())) for line in lost.lines]
    assert marks == [("o", [0, 3]), ("|", [1.5])]
    assert [line.get_marker() for line in recovery_late.lines] == [">"]
    assert (lost.get_title("left"), lost_late.get_title("left")) == ("kill leader", "pause followers, kill leader")
    assert (lost.get_xscale(), recovery.get_xscale()) == ("symlog", "linear")


def test_the_figure_is_the_same_bytes_each_time() -> None:
    """Drawing twice gives the same SVG."""
    assert plots.svg(plots.durability(RUNS, "lost")) == plots.svg(plots.durability(RUNS, "lost"))
