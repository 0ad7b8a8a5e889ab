"""The report: verdicts and figures of saved runs in one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import NOT_RECORDED
from factorylab.report.page import section

__all__ = ["build"]


def build(runs: list[JudgedRun], out: Path) -> Path:
    """Write the report of `runs`, in their order, to `out`; nothing in it is fetched from elsewhere."""
    pages = Environment(
        loader=PackageLoader("factorylab.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    text = pages.get_template("report.html.j2").render(
        sections=[section(run, out) for run in runs], not_recorded=NOT_RECORDED
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out
