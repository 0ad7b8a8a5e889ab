"""What the page shows of one run: words, numbers and figures, ready for the template."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from factorylab import analysis
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Explanation
from factorylab.audit.model.verdict import EXPECTED, Verdict, alerting, expectation, numbers
from factorylab.audit.model.wording import story
from factorylab.core.errors import UsageError
from factorylab.history.manifest import Manifest
from factorylab.report import plots, reproduce
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.references import missing


@dataclass(frozen=True)
class Picture:
    """`source` is a data URI; `alt` says what it shows to those who do not see it."""

    source: str
    alt: str
    how_to_read: str


@dataclass(frozen=True)
class Section:
    """One run of the report."""

    run: JudgedRun
    manifest: Manifest | None
    verdict: Verdict
    question: str
    numbers: dict[str, str]
    met: str
    expectation: str
    pictures: list[Picture]
    stories: list[tuple[str, Explanation]]
    alerting: list[dict[str, str]]
    steps: list[dict[str, str]]
    threats: list[str]
    command: str | None
    secrets: str
    data: str


def section(run: JudgedRun, out: Path) -> Section:
    """Everything about `run` for a report that is written to `out`."""
    verdict = run.verdict
    manifest = _manifest(run)
    whole = manifest is not None and not run.missing()
    about = SCENARIOS.get(run.scenario.name)
    return Section(
        run=run,
        manifest=manifest,
        verdict=verdict,
        question=(about.__doc__ or "").strip().replace("`", "") if about else "",
        numbers=numbers(verdict),
        met=EXPECTED[verdict.met],
        expectation=expectation(verdict),
        pictures=_pictures(run) if whole else [],
        stories=[(story(told), told) for told in verdict.explanations],
        alerting=alerting(verdict) if verdict.alerting else [],
        steps=_steps(run) if whole else [],
        threats=threats(run, manifest),
        command=reproduce.command(run.scenario),
        secrets=", ".join(missing(run.scenario)),
        data=Path(os.path.relpath(run.folder.path, out.resolve().parent)).as_posix(),
    )


def _manifest(run: JudgedRun) -> Manifest | None:
    """None for a run that did not finish."""
    try:
        return run.manifest
    except UsageError:
        return None


LEGENDS = {
    "timeline": (
        "Throughput, consumer lag, partition leaders and partition owners over one time axis",
        "Read it from top to bottom along one moment. Grey is the time the fault was held. Where acked falls below "
        "offered, producers wait for brokers; where only stored falls, processors are behind and the lag grows. "
        "A bar that changes its pattern is a failover (leader) or a rebalance (owner), a gap means that nobody was "
        "in charge, and a line under a bar that the partition lacked in-sync replicas.",
    ),
    "latency": (
        "End-to-end latency over time on a logarithmic axis",
        "Each reading stands where it was meant to be sent, so a stall shows as a saw-tooth: whoever came first "
        "waited longest. The band reaches from the median to the 99th percentile.",
    ),
    "ack_gaps": (
        "The longest time without an acknowledgement for each partition",
        "The bar is the time in which a producer got no confirmation from a partition, the mark what is usual. "
        "A hatched bar did not end while it was watched: the truth is longer.",
    ),
    "exposure": (
        "Confirmed readings that the death of their leader would have lost, over time",
        "Each line is one broker: so many confirmed readings were on it alone, because followers had not copied them "
        "yet or because it was the only replica in sync. The band reaches up to what is possible between two looks of "
        "the probe. A run that lost nothing shows here how near it came.",
    ),
    "blind": (
        "How late alerts were or would have been, how many machines were blind, and for how long at worst",
        "No violation is needed: every reading shows when its alert would have been stored, had it raised one. Above, "
        "the slowest of each half second, and dots for alerts that were raised; a cross is a reading that was never "
        "stored. A machine is blind from a reading above the green line until its next one is due: in the middle how "
        "many were, by location; below the worst machine of each location and the median one, from the first fault on.",
    ),
    "life": (
        "The life of one reading that shows what was found",
        "From top to bottom in the order of time; the table says what each step rests on.",
    ),
    "views": (
        "What each broker said about the leader of one partition, and what became of the readings confirmed there",
        "Each lane is one broker, asked alone: the pattern is whom it names as leader, the numbers are the replicas "
        "that it counts as in sync, and a line under a bar means too few of them. Lanes that differ at one moment are "
        "brokers that contradict each other; a gap is a broker that did not answer. Above, hatched: readings that were "
        "confirmed in that time and are not in the log.",
    ),
    "load_curve": (
        "Offered against achieved rate, and latency at each offered rate",
        "On the dotted line the store gets all that is offered. A hollow mark is a rate at which the backlog, "
        "in the producers or in the log, went on growing: there the latency only says how long the step was.",
    ),
}
"""What a figure shows, and how to read it."""


def _pictures(run: JudgedRun) -> list[Picture]:
    return [_picture(svg, *LEGENDS[name]) for name, svg in plots.drawn(run).items()]


def _picture(svg: str, alt: str, how_to_read: str) -> Picture:
    return Picture(f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}", alt, how_to_read)


def _steps(run: JudgedRun) -> list[dict[str, str]]:
    """The table under the load curve; empty where the rate did not change."""
    if not run.scenario.workload.steps_per_s:
        return []
    table = analysis.steps(run)
    return [
        {
            "offered /s": f"{row['offered_per_s']:,.0f}",
            "stored /s": f"{row['achieved_per_s']:,.0f}",
            "p50": f"{row['p50_s']:.3f} s",
            "p99": f"{row['p99_s']:.3f} s",
            "lag slope": f"{row['lag_slope_per_s']:+,.0f} records/s",
            "keeps up": "yes" if row["keeps_up"] else "no",
        }
        for _, row in table.iterrows()
    ]


def threats(run: JudgedRun, facts: Manifest | None) -> list[str]:
    """What could make the numbers mean less than they seem to."""
    if facts is None:
        return ["The run did not finish: nothing can be concluded from it."]
    found = [
        "n = 1: one run is an observation, not a distribution; repeat it before a claim rests on it.",
        f"Brokers, store, load generator and probe share one host with {facts.host.cores} cores: they slow each other "
        "down, and a network between hosts is not part of the picture.",
        "The probe looks about five times a second: detection and catch-up are known to about a quarter of a second.",
    ]
    if run.scenario.workload.source is None:
        found.append("The readings are simulated: their sizes and timing are more regular than those of real machines.")
    counts = run.verdict.counts
    if counts and counts.unknown:
        found.append(
            f"{counts.unknown:,} sends had no answer; {counts.unknown_found:,} of them are in the log, and none is "
            "counted as lost."
        )
    stored = run.verdict.latency.n if run.verdict.latency else 0
    if counts and counts.stored > stored:
        found.append(
            f"Latency covers {stored:,} of {counts.stored:,} stored readings: the warm-up is left out, and so is a "
            "batch whose processor was killed before it could note the commit."
        )
    return found
