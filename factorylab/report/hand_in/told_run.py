"""One run as the report that is handed in tells it: words and tables, ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from factorylab.analysis.log_story import ToldLine, log_story, zero_of
from factorylab.analysis.predicted_words import compared
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Check
from factorylab.audit.model.verdict import (
    EXPECTED,
    NOT_OBSERVED,
    alerting,
    expectation,
    exposure_words,
    numbers,
    recovered,
    stalls,
)
from factorylab.audit.model.wording import explanation_text
from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.history.run_folders import RunFolder, broken_seal
from factorylab.history.unfinished import not_judged
from factorylab.report import answer, plots, reproduce
from factorylab.report.anatomy_words import slowest
from factorylab.report.hand_in.live_page import LivePage, PageFile
from factorylab.report.inline_svg import file_of
from factorylab.report.legends import LEGENDS
from factorylab.report.page import threats
from factorylab.scenarios.catalog import SCENARIOS

FILES_NAMED = 3
CHANGES = ("leader change", "controller change", "rebalance", "owner change", "session over", "fault")


@dataclass(frozen=True)
class FigureFile:
    """A figure of a run as a file of the hand-in; `alt` and `how_to_read` stand beside it in the report."""

    file: str
    svg: str
    alt: str
    how_to_read: str


class ToldRun:
    """A finished run whose seal is whole; `live` is its live page, None where the run was not recorded as a whole."""

    def __init__(self, run: JudgedRun, live: LivePage | None = None) -> None:
        self.run, self.verdict, self.manifest, self.live = run, run.verdict, run.manifest, live
        self.name = f"{run.folder.path.parent.name}-{run.folder.run_id}"

    @property
    def title(self) -> str:
        return f"{self.verdict.title.replace('_', ' ')} ({self.verdict.run_id})"

    @cached_property
    def whole(self) -> bool:
        """Was all recorded that a run of its version records? Else it is INVALID, and there is nothing to draw."""
        return not self.run.missing()

    @property
    def question(self) -> str:
        about = SCENARIOS.get(self.run.scenario.name)
        return (about.__doc__ or "").strip().replace("`", "") if about else "An experiment of its own, declared below."

    @property
    def outcome(self) -> str:
        declared = f" ({expectation(self.verdict)})" if self.verdict.expectation != "pass" else ""
        return f"{self.verdict.verdict}, {EXPECTED[self.verdict.met]}{declared}"

    @cached_property
    def opening(self) -> str:
        return str(answer(self.run))

    @cached_property
    def story(self) -> list[ToldLine]:
        return log_story(self.run)

    @property
    def changes(self) -> list[dict[str, str]]:
        """The lines that show changes between the first reading and the end of the drain, for a table."""
        zero_ns = zero_of(self.run)
        ends = (self.run.phases.get(name, self.run.last_ns) for name in ("steady", "final_read"))
        from_s, until_s = ((end_ns - zero_ns) / NS for end_ns in ends)
        return [
            {"seconds": f"{line.t_s:+.3f}", "what it shows": line.shows, "line": where(line)}
            for line in self.story
            if from_s <= line.t_s <= until_s and line.shows.startswith(CHANGES)
        ]

    @property
    def recovery(self) -> list[dict[str, str]]:
        return recovered(self.verdict)

    @property
    def stalls(self) -> list[dict[str, str]]:
        return stalls(self.verdict) if self.verdict.service and self.verdict.service.stalls else []

    @property
    def slowest(self) -> list[dict[str, str]]:
        return slowest(self.run) if self.whole else []

    @property
    def alerting(self) -> list[dict[str, str]]:
        return alerting(self.verdict)

    @property
    def exposure(self) -> str:
        return exposure_words(self.verdict)

    @property
    def predicted(self) -> list[dict[str, str]]:
        return compared(self.run) if self.whole else []

    @property
    def explanations(self) -> list[str]:
        return [
            f"{found.check}: {explanation_text(found)}. Prevented by: {found.prevented_by}."
            for found in self.verdict.explanations
        ]

    @property
    def checks(self) -> list[dict[str, str]]:
        return [_check(check) for check in self.verdict.checks]

    @property
    def threats(self) -> list[str]:
        return threats(self.run, self.manifest)

    @property
    def command(self) -> str:
        return reproduce.command(self.run.scenario) or f"factorylab run runs/{self.name}/scenario.json"

    @cached_property
    def figures(self) -> list[FigureFile]:
        return [
            FigureFile(f"figures/{self.name}-{name}.svg", file_of(svg, LEGENDS[name].alt), *LEGENDS[name])
            for name, svg in (plots.drawn(self.run).items() if self.whole else ())
        ]

    @property
    def live_files(self) -> dict[str, PageFile]:
        """Path in the hand-in → file of the live page."""
        return {f"live/{self.name}/{file.name}": file for file in (self.live.files if self.live else ())}


def where(line: ToldLine) -> str:
    """The file under raw/ that a line stands in, with its number where it is a line of a log."""
    return f"{line.file}:{line.number}" if line.number else line.file


def _check(check: Check) -> dict[str, str]:
    return {"check": check.name, "verdict": check.verdict, "claim": check.claim, "measured": check.measured}


def performance(runs: Sequence[ToldRun]) -> list[dict[str, str]]:
    """The numbers of each run, one row a run, as text; "not observed" where there is none."""
    return [
        {
            "scenario": told.verdict.title,
            "run": told.verdict.run_id,
            "declared/s": ", ".join(f"{rate:,g}" for rate, _ in told.run.scenario.rate_stages),
            "verdict": told.verdict.verdict,
            **_numbers(told),
        }
        for told in runs
    ]


def _numbers(told: ToldRun) -> dict[str, str]:
    """`verdict.numbers` in which each that is not there says why."""
    found = {name: NOT_OBSERVED if value == "–" else value for name, value in numbers(told.verdict).items()}
    return found if told.run.scenario.faults else found | {"recovery": "not asked: no fault"}


def check_whole(folder: RunFolder) -> None:
    """What is handed in is finished, and as it was sealed.

    Raises:
        UsageError: the run has no seal, or files were changed since; with the way out.
    """
    if not folder.sealed:
        raise UsageError(f"{folder.path.name} is {not_judged(folder)}: name finished runs; see 'factorylab runs'")
    if changed := broken_seal(folder):
        files = ", ".join(changed[:FILES_NAMED]) + " and others" * (len(changed) > FILES_NAMED)
        raise UsageError(
            f"{folder.path.name} is INVALID: {files} changed since the run was sealed. Bring back the recorded files, "
            "or name the runs to hand in without this one"
        )
