"""What the page shows of one run: words, numbers and figures, ready for the template."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from factorylab import analysis
from factorylab.analysis.predicted_words import compared
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Explanation
from factorylab.audit.model.verdict import (
    EXPECTED,
    Verdict,
    alerting,
    expectation,
    exposure_words,
    numbers,
    recovered,
    stalls,
)
from factorylab.audit.model.wording import explanation_text
from factorylab.audit.sets.run_set import RunSet
from factorylab.core.errors import UsageError
from factorylab.history.manifest import Manifest
from factorylab.report import plots, reproduce
from factorylab.report.anatomy_words import slowest
from factorylab.report.answer_words import Answer, answer
from factorylab.report.inline_svg import InlineFigures
from factorylab.report.legends import LEGENDS
from factorylab.report.plots.alt_text import alt_text
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.references import missing

SPREAD_OF, SPREAD_FIGURE = ("recovery", "latency_p99"), "spread"
OPENING = "timeline"  # the figure that stands right below the answer


@dataclass(frozen=True)
class PageFigure:
    """`element` is an SVG of the page with its alternative text; `name` that of its legend, `title` what it shows."""

    name: str
    title: str
    element: Markup


@dataclass(frozen=True)
class Section:
    """One run of the report."""

    run: JudgedRun
    manifest: Manifest | None
    verdict: Verdict
    question: str
    answer: Answer
    numbers: dict[str, str]
    met: str
    expectation: str
    opening: PageFigure | None
    pictures: list[PageFigure]
    explanations: list[tuple[str, Explanation]]
    exposure: str
    alerting: list[dict[str, str]]
    recovery: list[dict[str, str]]
    stalls: list[dict[str, str]]
    slowest: list[dict[str, str]]
    contradictions: list[str]
    predicted: list[dict[str, str]]
    steps: list[dict[str, str]]
    threats: list[str]
    command: str | None
    secrets: str
    data: str


def section(run: JudgedRun, out: Path, figures: InlineFigures) -> Section:
    """Everything about `run` for a report that is written to `out` with these `figures`."""
    verdict = run.verdict
    manifest = _manifest(run)
    whole = manifest is not None and not run.missing()
    about = SCENARIOS.get(run.scenario.name)
    drawn = _pictures(run, figures) if whole else []
    return Section(
        run=run,
        manifest=manifest,
        verdict=verdict,
        question=(about.__doc__ or "").strip().replace("`", "") if about else "",
        answer=answer(run),
        numbers=numbers(verdict),
        met=EXPECTED[verdict.met],
        expectation=expectation(verdict),
        opening=next((one for one in drawn if one.name == OPENING), None),
        pictures=[one for one in drawn if one.name != OPENING],
        explanations=[(explanation_text(found), found) for found in verdict.explanations],
        exposure=exposure_words(verdict),
        alerting=alerting(verdict) if verdict.alerting else [],
        recovery=recovered(verdict),
        stalls=stalls(verdict) if verdict.service and verdict.service.stalls else [],
        slowest=slowest(run) if whole else [],
        contradictions=[found.words for found in analysis.contradictions(run)] if whole else [],
        predicted=compared(run) if whole else [],
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


def _pictures(run: JudgedRun, figures: InlineFigures) -> list[PageFigure]:
    """The figures of a run, but those of what never was: that is a sentence."""
    exposure, alerting = run.verdict.exposure, run.verdict.alerting
    empty = {"exposure": not (exposure and exposure.high), "blind": not (alerting and alerting.blind.hit)}
    return [
        PageFigure(name, LEGENDS[name].alt, Markup(figures.element(svg, alt_text(run, name, plots.subject(run)))))
        for name, svg in plots.drawn(run).items()
        if not empty.get(name)
    ]


def spreads(sets: Sequence[RunSet], figures: InlineFigures) -> list[PageFigure]:
    """What several runs show, drawn, for the quantities of SPREAD_OF that were observed."""
    observed = [name for name in SPREAD_OF if any(len(one.sample(name)) for one in sets)]
    titles = {name: f"{name}: every run, its median and interval" for name in observed}
    return [
        PageFigure(SPREAD_FIGURE, title, Markup(figures.element(plots.svg(plots.spread_of_sets(sets, name)), title)))
        for name, title in titles.items()
    ]


def _steps(run: JudgedRun) -> list[dict[str, str]]:
    """The table under the load curve; empty where the rate did not change."""
    if not run.scenario.workload.steps_per_s:
        return []
    table = analysis.steps(run)
    return [
        {
            "declared /s": f"{row['rate_per_s']:,.0f}",
            "offered /s": f"{row['offered_per_s']:,.0f}",
            "stored /s": f"{row['achieved_per_s']:,.0f}",
            "p50": f"{row['p50_s']:.3f} s",
            "p99": f"{row['p99_s']:.3f} s",
            "lateness p99": f"{row['late_p99_s']:.3f} s",
            "Kafka p99": f"{row['kafka_p99_s']:.3f} s",
            "pipeline p99": f"{row['pipeline_p99_s']:.3f} s",
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
        "n = 1: one run is an observation, not a distribution; repeat it before you base a claim on it.",
        f"Brokers, store, load generator and probe share one host with {facts.host.cores} cores: they slow each other "
        "down, and no network between hosts is involved.",
        "The probe samples about five times a second: detection and catch-up are accurate to about 0.25 s.",
    ]
    if run.scenario.workload.source is None:
        found.append("The readings are simulated: their sizes and timing are more regular than those of real machines.")
    counts = run.verdict.counts
    if counts and counts.unknown:
        found.append(
            f"{counts.unknown:,} sends had no answer; {counts.unknown_found:,} of them are in the log; none of them "
            "counts as lost."
        )
    stored = run.verdict.latency.n if run.verdict.latency else 0
    if counts and counts.stored > stored:
        found.append(
            f"Latency covers {stored:,} of {counts.stored:,} stored readings: the warm-up is left out, and so is a "
            "batch whose processor was killed before it could record the commit."
        )
    return found
