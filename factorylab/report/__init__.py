"""The report: verdicts and figures of saved runs in one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED
from factorylab.audit.sets import summary as repetitions
from factorylab.audit.sets.run_set import RunSet
from factorylab.audit.sets.summary import default_names, summary
from factorylab.history.unfinished import broken_off, not_judged
from factorylab.report.answer_words import Answer, answer
from factorylab.report.page import section, spreads

__all__ = ["Answer", "answer", "build"]


def build(runs: list[JudgedRun], out: Path, sets: Iterable[RunSet] = ()) -> Path:
    """Write the report of `runs`, in their order, to `out`; nothing in it is fetched from elsewhere. Of runs that were
    broken off it says that, and when. What several runs of `sets` say together stands in front of them."""
    pages = Environment(
        loader=PackageLoader("factorylab.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    whole = [run for run in runs if not broken_off(run.folder)]
    several = [one for one in sets if len(one.runs) > 1]
    text = pages.get_template("report.html.j2").render(
        sections=[section(run, out) for run in whole],
        repeated=[summary(one, default_names([one])) for one in several],
        spreads=spreads(several),
        repetitions=repetitions,
        unjudged={run.folder.run_id: not_judged(run.folder) for run in runs if run not in whole},
        not_recorded=NOT_RECORDED,
        not_observed=NOT_OBSERVED,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out
