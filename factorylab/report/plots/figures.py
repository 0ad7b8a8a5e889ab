"""Figures of a run: what to compute from it, and on which axes to draw it."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from factorylab import analysis
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import NOT_RECORDED
from factorylab.core.clock import NS
from factorylab.report.plots import draw, draw_rates, draw_readings
from factorylab.report.plots.style import Picture, settled, styled, svg
from factorylab.report.plots.subject import subject, with_alt_text
from factorylab.report.plots.waterfall import waterfall as waterfall_of
from factorylab.scenarios.sides import sides


def windows_s(run: JudgedRun) -> pd.DataFrame:
    """Fault windows for `draw.shade_faults`: start_s, end_s, text. One never healed lasts until the end."""
    windows = analysis.fault_windows(run)
    end_ns = run.last_ns or run.t0_ns
    healed = windows["healed_ns"].where(windows["healed_ns"] > 0, end_ns)
    same = windows["node"].str.replace("-", ":") == windows["target"]
    text = windows["kind"] + " " + windows["node"] + (" (" + windows["target"] + ")").where(~same, "")
    text += windows["fault"].map(lambda number: sides(run.scenario.faults[number])).astype(str)
    return pd.DataFrame({"start_s": run.seconds(windows["injected_ns"]), "end_s": run.seconds(healed), "text": text})


waterfall = with_alt_text(waterfall_of)


def _frame(ax: Axes, run: JudgedRun, faults: pd.DataFrame, *, label: bool = False) -> None:
    """What all axes over time share: the fault shaded, the time from warm-up to the end of the drain."""
    draw.shade_faults(ax, faults, label=label)
    ends = [run.phases.get("warm_up", run.t0_ns), run.phases.get("final_read", run.last_ns)]
    ax.set_xlim(*((t - run.t0_ns) / NS for t in ends))


@with_alt_text
def timeline(run: JudgedRun) -> Picture:
    """Throughput, lag, leadership and assignment over one time axis to the end of the drain, the faults shaded."""
    partitions = run.scenario.topology.partitions
    lane = 0.35 + 0.22 * min(partitions, 12)
    faults, leaders, owners = windows_s(run), analysis.leadership(run), analysis.assignments(run)
    brokers = sorted(set(leaders["leader"]) - {-1})
    with styled():
        figure = Picture(figsize=(9, 5.2 + 2 * lane))
        axes = figure.subplots(4, 1, sharex=True, height_ratios=[1.9, 1.9, lane, lane])
        draw_rates.throughput(axes[0], analysis.throughput(run).iloc[:-1])
        draw_rates.lag(axes[1], analysis.lag(run))
        named = leaders.assign(leader="broker " + leaders["leader"].astype(str))
        draw.bars(
            axes[2],
            named,
            "leader",
            [f"broker {b}" for b in brokers],
            title="Leader of each partition (underlined: too few replicas in sync)",
        )
        draw.shortage(axes[2], analysis.under_replicated(run))
        draw.bars(
            axes[3],
            owners,
            "worker",
            sorted(set(owners["worker"])),
            title="Owner of each partition in the group",
            shift=3,
        )
        for ax in axes:
            _frame(ax, run, faults, label=ax is axes[0])
        stored = run.commits[~run.commits["refused"] & (run.commits["rows"] > 0)]["t_ns"]
        if len(stored):
            draw_rates.last_stored(axes, (int(stored.max()) - run.t0_ns) / NS)
        axes[3].set_xlabel("seconds since the steady state began")
        figure.suptitle(subject(run), x=0.01, ha="left", fontsize=11, fontweight="bold")
        return settled(figure)


@with_alt_text
def latency(run: JudgedRun) -> Picture:
    """End-to-end latency over time: p50, p99 and the slowest of each half second, and p99 of its parts."""
    found, faults = analysis.latencies(run), windows_s(run)
    with styled():
        figure = Picture(figsize=(9, 5))
        above, ax = figure.subplots(2, 1, sharex=True)
        draw.latency(above, analysis.over_time(found), run.scenario.objectives.latency_p99_s)
        draw.latency_parts(ax, analysis.parts_over_time(found))
        for axes in (above, ax):
            _frame(axes, run, faults)
        ax.set_xlabel("seconds since the steady state began, by intended send")
        return settled(figure)


@with_alt_text
def ack_gaps(run: JudgedRun) -> Picture:
    """The longest gap without an acknowledgement, by partition."""
    with styled():
        figure = Picture(figsize=(9, 0.9 + 0.32 * run.scenario.topology.partitions))
        draw.ack_gaps(figure.subplots(), analysis.ack_gaps(run))
        return settled(figure)


@with_alt_text
def views(run: JudgedRun, fault: int = 0) -> Picture:
    """What each broker said about the partition that fault number `fault` is about, and what became of its acks."""
    partition = analysis.watched_partition(run, fault)
    faults, told = windows_s(run), analysis.views(run, partition)
    named = told.assign(leader="broker " + told["leader"].astype(str))
    short = told[told["in_sync"].map(lambda ids: len(ids.split())) < run.scenario.topology.replication]
    with styled():
        figure = Picture(figsize=(9, 4.2))
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.1])
        draw.acks(top, analysis.acks_kept_and_lost(run, partition), f"Acknowledged readings of partition {partition}")
        draw.bars(
            bottom,
            named,
            "leader",
            [f"broker {b}" for b in sorted(told["broker"].unique())],
            title=f"Whom each broker names as leader of partition {partition}; inside: replicas in sync",
            lane="broker",
        )
        draw.shortage(bottom, short, "broker")
        for ax in (top, bottom):
            _frame(ax, run, faults, label=ax is top)
        draw.in_sync(bottom, told, "broker", 0.05 * float(np.diff(bottom.get_xlim())[0]))
        bottom.set_xlabel("seconds since the steady state began")
        figure.suptitle(subject(run), x=0.01, ha="left", fontsize=11, fontweight="bold")
        return settled(figure)


@with_alt_text
def exposure(run: JudgedRun) -> Picture:
    """What the death of each leader would have lost, at every moment."""
    with styled():
        figure = Picture(figsize=(9, 2.6))
        ax = figure.subplots()
        draw_readings.exposure(ax, analysis.exposure_by_leader(analysis.exposure(run)), run.verdict.exposure)
        _frame(ax, run, windows_s(run))
        ax.set_xlabel("seconds since the steady state began")
        return settled(figure)


@with_alt_text
def blind(run: JudgedRun) -> Picture:
    """How late alerts were or would have been, how many machines were blind, and each location's worst."""
    if run.verdict.alerting is None:
        empty = Picture(figsize=(9, 0.4))
        empty.text(0.01, 0.3, f"blind time: {NOT_RECORDED}")
        return empty
    found, faults = analysis.waits(run), windows_s(run)
    table = analysis.blind_time(run, found)
    with styled():
        figure = Picture(figsize=(9, 5.2 + 0.22 * table["location"].nunique()))
        top, middle, bottom = figure.subplots(3, 1, height_ratios=[1.6, 1.6, 0.3 + 0.22 * table["location"].nunique()])
        every, raised = (analysis.waits_over_time(found, chosen) for chosen in (found.wait_s >= 0, found.alarmed))
        draw_readings.waits(top, every, raised, analysis.allowed_s(run))
        draw_readings.blind_machines(middle, analysis.blind_over_time(found), len(table))
        draw_readings.blind_time(bottom, table)
        for ax in (top, middle):
            _frame(ax, run, faults, label=ax is middle)
        middle.set_xlabel("seconds since the steady state began, by intended send")
        figure.suptitle(subject(run), x=0.01, ha="left", fontsize=11, fontweight="bold")
        return settled(figure)


@with_alt_text
def life(run: JudgedRun) -> Picture:
    """The life of one reading that shows what the worst check found."""
    told = run.verdict.life
    moments = told.moments if told else []
    name = f"{told.witness.sensor} seq {told.witness.seq}: {told.check}" if told else "nothing was found"
    with styled():
        figure = Picture(figsize=(9, 0.8 + 0.24 * len(moments)))
        ax = figure.subplots()
        draw_readings.life(ax, moments, f"The life of one reading: {name}")
        draw.shade_faults(ax, windows_s(run))
        ax.set_xlabel("seconds since the steady state began")
        return settled(figure)


@with_alt_text
def load_curve(run: JudgedRun) -> Picture:
    """Offered and stored against declared rate, and the latency at each."""
    frame = analysis.steps(run)
    with styled():
        figure = Picture(figsize=(9, 3.6))
        left, right = figure.subplots(1, 2)
        draw.offered_achieved(left, frame)
        draw.load_latency(right, frame)
        return settled(figure)


_DRAWN: WeakKeyDictionary[JudgedRun, dict[str, str]] = WeakKeyDictionary()


def drawn(run: JudgedRun) -> dict[str, str]:
    """Every figure that fits the run as SVG by name, drawn once; the same bytes for the same history."""
    if run not in _DRAWN:
        kinds = {"timeline": timeline, "latency": latency, "ack_gaps": ack_gaps}
        kinds |= {"waterfall": waterfall} if len(analysis.anatomy(run)) else {}
        kinds |= {"load_curve": load_curve} if run.scenario.workload.steps_per_s else {}
        kinds |= {"views": views} if len(run.views) else {}
        kinds |= {"exposure": exposure} if run.verdict.exposure else {}
        kinds |= {"blind": blind} if run.verdict.alerting else {}
        kinds |= {"life": life} if run.verdict.life else {}
        _DRAWN[run] = {name: svg(draw_it(run)) for name, draw_it in kinds.items()}
    return _DRAWN[run]


def save(run: JudgedRun, folder: Path) -> list[Path]:
    """Write the run's figures to `folder` as SVG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.svg" for name in drawn(run)]
    for path, figure in zip(paths, drawn(run).values(), strict=True):
        path.write_text(figure, encoding="utf-8")
    return paths
