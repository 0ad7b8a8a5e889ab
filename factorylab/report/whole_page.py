"""The whole report: which runs have a section of their own, and what stands once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED
from factorylab.audit.sets import summary as repetitions
from factorylab.audit.sets.conditions import cell
from factorylab.audit.sets.run_set import RunSet
from factorylab.audit.sets.summary import default_names, summary
from factorylab.history.unfinished import broken_off, not_judged
from factorylab.report.environment import settings
from factorylab.report.inline_svg import InlineFigures
from factorylab.report.legends import LEGENDS, SPREAD
from factorylab.report.page import SPREAD_FIGURE, PageFigure, Section, section, spreads
from factorylab.report.set_words import Together, together


@dataclass(frozen=True)
class Entry:
    """A run with its section, and the set that it stands for where there are several runs of it."""

    section: Section
    together: Together | None


def page(runs: Sequence[JudgedRun], out: Path, sets: Iterable[RunSet]) -> str:
    """The HTML of a report that will lie at `out`."""
    pages = Environment(
        loader=PackageLoader("factorylab.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    whole = [run for run in runs if not broken_off(run.folder)]
    several, figures = [one for one in sets if len(one.runs) > 1], InlineFigures()
    entries = [Entry(section(run, out, figures), beside) for run, beside in _shown(whole, several)]
    spread = spreads(several, figures)
    drawn = [figure.name for entry in entries for figure in _figures(entry.section)] + [one.name for one in spread]
    return pages.get_template("report.html.j2").render(
        entries=entries,
        repeated=[summary(one, default_names([one])) for one in several],
        spreads=spread,
        repetitions=repetitions,
        unjudged={run.folder.run_id: not_judged(run.folder) for run in runs if run not in whole},
        not_recorded=NOT_RECORDED,
        not_observed=NOT_OBSERVED,
        looks=figures.css,
        legends={name: told for name, told in _legends().items() if name in drawn},
        claims={check.name: check.claim for entry in entries for check in entry.section.verdict.checks if check.asked},
        settings=settings({f"{m.scenario} {m.run_id}": m for e in entries if (m := e.section.manifest)}),
    )


def _figures(shown: Section) -> list[PageFigure]:
    return [*([shown.opening] if shown.opening else []), *shown.pictures]


def _legends() -> dict[str, tuple[str, str]]:
    every: dict[str, tuple[str, str]] = {name: (legend.alt, legend.how_to_read) for name, legend in LEGENDS.items()}
    return every | {SPREAD_FIGURE: ("Several runs", SPREAD)}


def _shown(runs: Sequence[JudgedRun], several: Sequence[RunSet]) -> list[tuple[JudgedRun, Together | None]]:
    """The runs that have a section: one of each set of several, and all others."""
    found: list[tuple[JudgedRun, Together | None]] = []
    told: list[RunSet] = []
    for run in runs:
        mine = next((one for one in several if one.cell == cell(run)), None)
        if mine is None:
            found.append((run, None))
        elif mine not in told:
            told.append(mine)
            both = together(mine, [other for other in runs if cell(other) == mine.cell])
            found.append((both.shown, both))
    return found
