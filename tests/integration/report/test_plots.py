"""Figures: they show what the frames hold, the same each time."""

from __future__ import annotations

from html import escape
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from factorylab import analysis
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import Run
from factorylab.report import plots
from factorylab.report.legends import LEGENDS
from factorylab.report.plots.style import FAULT_FILL
from tests.support.histories import (
    at_ns,
    broker_loss,
    consumer_loss,
    forget_acked,
    healthy,
    network_partition,
    scenario,
)
from tests.support.run_sets import missing, over, run_set

FIGURES = [plots.timeline, plots.latency, plots.ack_gaps, plots.blind, plots.waterfall]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return broker_loss(tmp_path_factory.mktemp("results")).run()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_the_same_bytes_each_time(run: Run, figure: plots.Figure) -> None:
    """Drawing twice gives the same well-formed SVG."""
    first, second = plots.svg(figure(run)), plots.svg(figure(run))
    assert first == second and ElementTree.fromstring(first).tag.endswith("svg")
    assert len(first) < 120_000


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_says_what_it_shows(run: Run, figure: plots.Figure) -> None:
    """In a notebook it is an image no wider than the page, with what was done, its legend, and numbers as its text."""
    made = figure(run)
    shown = made._repr_html_()
    assert f'alt="{escape(made.alt)}"' in shown and "max-width: 100%" in shown and "data:image/svg+xml;base64," in shown
    assert made.alt.startswith(f"{plots.subject(run)}. {LEGENDS[figure.__name__].alt}: ")
    assert any(char.isdigit() for char in made.alt.split(": ", 2)[2])


def test_the_timeline_goes_to_the_end_of_the_drain(run: Run) -> None:
    """All axes reach the final read, the last bin is drawn to its end, and the last transaction is marked and named."""
    axes = plots.timeline(run).axes
    until_s = (run.phases["final_read"] - run.t0_ns) / 1e9
    last_s = (int(run.commits.query("not refused and rows > 0")["t_ns"].max()) - run.t0_ns) / 1e9
    assert [ax.get_xlim()[1] for ax in axes] == pytest.approx([until_s] * 4)
    assert all(any(line.get_xdata()[0] == pytest.approx(last_s) for line in ax.lines) for ax in axes)
    assert f"last stored {last_s:.1f} s" in [text.get_text() for text in axes[0].texts]
    stored = next(line for line in axes[0].lines if line.get_label() == "stored")
    assert last_s <= stored.get_xdata()[-1] and until_s - stored.get_xdata()[-1] < 1


def test_a_figure_of_no_run_is_described_by_its_titles() -> None:
    """A figure without a text of its own has its titles."""
    figure = plots.spread_of_sets([run_set("a", recovery=[9, 10])], "recovery")
    assert figure.described.startswith("recovery: ") and figure.described in figure._repr_html_()


def test_a_figure_heeds_no_matplotlibrc(run: Run) -> None:
    """What a matplotlibrc in the current or the user's folder says of figures changes no byte of the lab's."""
    before = plots.svg(plots.timeline(run))
    with mpl.rc_context({"axes.facecolor": "red", "lines.marker": "o", "savefig.dpi": 7, "xtick.direction": "in"}):
        assert plots.svg(plots.timeline(run)) == before


def test_the_timeline_names_the_fault_and_shades_it(run: Run) -> None:
    """Every axes of the timeline carries the fault's shade; the uppermost names the victim and its role."""
    axes = plots.timeline(run).axes
    shades = [[p for p in ax.patches if p.get_facecolor()[:3] == _rgb(FAULT_FILL)] for ax in axes]
    assert [len(found) for found in shades] == [1, 1, 1, 1]
    assert "kill broker-1 (leader:0)" in [text.get_text() for text in axes[0].texts]


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> Run:
    history = network_partition(tmp_path_factory.mktemp("torn"), clients={"acks": "1"})
    forget_acked(history, 6, 9)
    return history.run()


def test_a_partition_is_named_with_its_sides(torn: Run) -> None:
    """The label of a network partition says who was cut off from whom, the title too."""
    figure = plots.timeline(torn)
    assert "partition broker-1 (leader:0) from brokers" in [text.get_text() for text in figure.axes[0].texts]
    assert figure.get_suptitle() == "network partition: partition leader:0 from brokers"


def test_views_show_whom_each_broker_names(torn: Run) -> None:
    """Three lanes; while the others name broker 2 the isolated one names itself, in another hatch, with a full ISR."""
    figure = plots.views(torn)
    ax = figure.axes[1]
    hatch = {label.get_label(): label.get_hatch() for label in ax.get_legend().get_patches()}
    at_11 = {
        round(bar.get_y() + bar.get_height() / 2): bar.get_hatch()
        for bar in ax.patches
        if bar.get_height() < 0.71 and bar.get_x() <= 11 <= bar.get_x() + bar.get_width()
    }
    assert at_11 == {1: hatch["broker 1"], 2: hatch["broker 2"], 3: hatch["broker 2"]}
    assert {text.get_text() for text in ax.texts} == {"1 2 3", "2 3"}
    assert "lost: acknowledged, and not in the log afterwards" in [
        text.get_text() for text in figure.axes[0].get_legend().get_texts()
    ]


def test_views_are_drawn_where_there_are_some(torn: Run, run: Run) -> None:
    """The figure of views belongs to runs whose brokers were asked alone, and is the same bytes each time."""
    assert "views" in plots.drawn(torn) and "views" not in plots.drawn(run)
    assert plots.svg(plots.views(torn)) == plots.drawn(torn)["views"]


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def test_owners_differ_without_colour(tmp_path: Path) -> None:
    """Bars of different owners differ in their hatch, so that grey print tells them apart."""
    axes = plots.timeline(consumer_loss(tmp_path).run()).axes
    for ax in axes[2:]:
        labels = ax.get_legend().get_patches()
        assert len({patch.get_hatch() for patch in labels}) == len(labels) > 1


@pytest.mark.parametrize("figure", FIGURES)
def test_every_axes_names_its_unit_and_subject(run: Run, figure: plots.Figure) -> None:
    """Each axes has a title and a labelled y axis."""
    for ax in figure(run).axes:
        assert ax.get_title(loc="left") and ax.get_ylabel()


def test_a_healthy_run_has_no_shade(tmp_path: Path) -> None:
    """Without a fault nothing is shaded and the title says so."""
    figure = plots.timeline(healthy(tmp_path).run())
    assert "no fault" in str(figure.get_suptitle())
    assert not [p for p in figure.axes[0].patches if p.get_facecolor()[:3] == _rgb(FAULT_FILL)]


def test_the_load_curve_marks_where_it_falls_behind(tmp_path: Path) -> None:
    """A step that does not keep up is a hollow mark with its own word in the legend."""
    made = scenario(workload={"rate_per_s": 100, "sensors": 6, "steps_per_s": [100, 110], "step_s": 6})
    history = healthy(tmp_path, made)
    history.add("stages", worker="fleet-0", t_ns=at_ns(12), rate_per_s=110.0)
    history["commits"]["t_ns"] += (history["commits"]["t_ns"] - at_ns(12)).clip(lower=0) // 2
    legend = plots.load_curve(history.run()).axes[0].get_legend()
    assert legend is not None and {"keeps up", "falls behind"} <= {text.get_text() for text in legend.get_texts()}


def test_every_run_has_its_mark() -> None:
    """The spread has a mark for each value, another one for lower bounds, and the interval from five values on."""
    many, few = run_set("a", recovery=[9, 10, 11, 12, 13, over(30)]), run_set("b", recovery=[5, 6])
    (ax,) = plots.spread_of_sets([many, few, run_set("c", recovery=[missing()])], "recovery").axes
    marks = {(line.get_marker(), len(line.get_xdata())) for line in ax.lines if line.get_marker() in {"o", ">"}}
    assert marks == {("o", 5), (">", 1), ("o", 2)} and len(ax.get_yticks()) == 2
    assert sum(line.get_label() == "interval of the median" for line in ax.lines) == 1
    with pytest.raises(UsageError, match="no run observed blind"):
        plots.spread_of_sets([many], "blind")


def test_a_waterfall_has_a_row_a_phase_and_hatches_the_slowest(run: Run) -> None:
    """The rows of a partition are its phases in order, as long as the frame says; one of each stall is hatched."""
    mine = analysis.anatomy(run).query("partition == 0 and stall >= 0")
    (ax,) = plots.waterfall(run, 0).axes
    assert [label.get_text().replace(" +\n", "+") for label in ax.get_yticklabels()] == mine["phase"].tolist()
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(mine["stalled_s"].tolist(), abs=1e-6)
    assert [bool(bar.get_hatch()) for bar in ax.patches] == mine["slowest"].tolist()


def test_a_waterfall_of_all_partitions_shows_the_longest_of_each_service(run: Run) -> None:
    """A panel for each partition that stalled, with one stall of acks and one of stores."""
    axes = plots.waterfall(run).axes
    assert [ax.get_title(loc="left") for ax in axes] == [f"Partition {p}: phases of its stalls" for p in range(3)]
    assert all({"acks", "stores"} <= {text.get_text() for text in ax.texts} for ax in axes)


def test_a_waterfall_says_where_nothing_stalled_and_refuses_no_partition(run: Run, tmp_path: Path) -> None:
    """An empty figure says so in words; a partition that the topic has not is an error that names those it has."""
    assert [text.get_text() for text in plots.waterfall(healthy(tmp_path).run()).texts] == ["no partition stalled"]
    with pytest.raises(UsageError, match="no partition 3: its partitions are 0 to 2"):
        plots.waterfall(run, 3)
