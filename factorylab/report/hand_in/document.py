"""The report as Markdown, and the Markdown as a page of HTML: two forms of one text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from factorylab.audit.model.verdict import NOT_OBSERVED
from factorylab.audit.sets import summary as repetitions
from factorylab.audit.sets.run_set import by_cell
from factorylab.audit.sets.summary import default_names, summary
from factorylab.core import secret
from factorylab.report.hand_in import configuration
from factorylab.report.hand_in.told_run import ToldRun, performance

SHOWN = ("scenario", "run", "declared/s", "verdict", "acked", "lost", "duplicated", "shed", "recovery", "blind",
         "longest ack gap", "p99", "stored/s")  # fmt: skip
NO_NUMBER = "–"
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|kB|GiB)\b)")  # no line ends between a number and its unit
_SIGNS = re.compile(r"([\\`*\[\]<|])")


def cell(text: object) -> str:
    """Words as Markdown shows them: on one line, no sign of them means anything, and no cell holds a dash alone."""
    if text == NO_NUMBER:
        return NOT_OBSERVED
    return _SIGNS.sub(r"\\\1", " ".join(str(text).split()))


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("factorylab.report.hand_in", "."), autoescape=_is_markup, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters["cell"] = cell
    return found


def _is_markup(name: str | None) -> bool:
    return name is not None and name.endswith((".html.j2", ".svg.j2"))


def markdown(runs: Sequence[ToldRun], junit: list[dict[str, str]], without_pdf: str) -> str:
    """The whole report. `junit` are rows about the software's own tests, none where they were not given; `without_pdf`
    says why there is no PDF, empty where there is one."""
    limits = {told.verdict.run_id: told.threats for told in runs}
    rows = performance(runs)
    text = (
        _templates()
        .get_template("report.md.j2")
        .render(
            runs=runs,
            began=moment(min(told.manifest.started_wall_ns for told in runs)),
            ended=moment(max(told.manifest.started_wall_ns for told in runs)),
            configuration=configuration.shown(runs),
            performance=[{name: row[name] for name in SHOWN} for row in rows],
            repeated=[
                summary(one, default_names([one])) for one in by_cell([t.run for t in runs]) if len(one.runs) > 1
            ],
            repetitions=repetitions,
            tests=[_tested(told) for told in runs],
            junit=junit,
            limits=_limits(limits),
            without_pdf=without_pdf,
        )
    )
    return secret.clean(text)


def _tested(told: ToldRun) -> dict[str, str]:
    v = told.verdict
    return {
        "scenario": v.title,
        "run": v.run_id,
        "verdict": v.verdict,
        "asked": str(v.asked),
        "fired": ", ".join(check.name for check in v.fired) or "none",
        "as declared": "yes" if v.met else "no",
    }


def _limits(found: Mapping[str, Sequence[str]]) -> list[str]:
    """What all runs have once; what some have, with their ids."""
    lines = dict.fromkeys(line for of in found.values() for line in of)
    runs_of = {line: [run for run, of in found.items() if line in of] for line in lines}
    return [line if len(runs) == len(found) else f"{line} (run {', '.join(runs)})" for line, runs in runs_of.items()]


def moment(wall_ns: int) -> str:
    """A wall clock's time, to the minute."""
    return f"{datetime.fromtimestamp(wall_ns / 1e9, UTC):%Y-%m-%d %H:%M}"


def architecture(runs: Sequence[ToldRun]) -> str:
    """The parts of the system as an SVG, with the numbers of these runs."""
    declared = [told.run.scenario for told in runs]
    return (
        _templates()
        .get_template("architecture.svg.j2")
        .render(
            fleets=[
                _each((s.workload.sensors for s in declared), "sensors"),
                "acks=" + _each(s.clients.acks for s in declared),
            ],
            brokers=[
                "3 brokers, 3 controllers",
                _each((s.topology.partitions for s in declared), "partitions of sensor-data"),
                _each((s.topology.replication for s in declared), "replicas"),
            ],
            processors=[
                _each((s.clients.processors for s in declared), "processors"),
                _each((s.clients.protocol for s in declared), "assignment"),
            ],
        )
    )


def _each(values: Iterable[object], unit: str = "") -> str:
    return f"{' or '.join(map(str, dict.fromkeys(values)))} {unit}".rstrip()


def html(text: str) -> str:
    """The Markdown as a page; raw HTML in it is shown as text, and nothing is fetched from elsewhere."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", re.sub(r"[^a-z0-9_ -]", "", inline.content.lower()).replace(" ", "-"))
    body = reader.renderer.render(tokens, reader.options, {})
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    body = _UNIT.sub("\N{NO-BREAK SPACE}", body)
    body = body.replace("<th>", '<th scope="col">')
    title = next(inline.content for token, inline in pairwise(tokens) if token.tag == "h1")
    page = _templates().get_template("page.html.j2")
    return page.render(title=title, body=Markup(body))
