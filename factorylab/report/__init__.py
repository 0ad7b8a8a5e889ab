"""The report: what each saved run answers, its verdict and figures, in one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.report.answer_words import Answer, answer
from factorylab.report.set_words import answers

if TYPE_CHECKING:
    from factorylab.audit.judged import JudgedRun
    from factorylab.audit.sets.run_set import RunSet

__all__ = ["Answer", "answer", "answers", "build"]


def build(runs: list[JudgedRun], out: Path, sets: Iterable[RunSet] = ()) -> Path:
    """Write the report of `runs`, in their order, to `out`; nothing in it is fetched from elsewhere. Of runs that were
    broken off it says that, and when. Of `sets` that have several runs it shows how these spread, and one run of each
    as an example."""
    from factorylab.report.whole_page import page  # matplotlib and jinja2 take half a second, which sentences need not

    text = page(runs, out, sets)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    return out
