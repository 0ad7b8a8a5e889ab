"""What a figure shows, for those who do not see it: its legend with the numbers that it is about."""

from __future__ import annotations

from collections.abc import Callable

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED, Verdict, exposure_words, numbers
from factorylab.audit.model.wording import worst_span
from factorylab.history.unfinished import broken_off
from factorylab.report.plots.legends import LEGENDS


def alt_text(run: JudgedRun, name: str, subject: str) -> str:
    """Of the figure `name` of LEGENDS; `subject` says what was done. A run that was broken off has no numbers."""
    shown = NUMBERS.get(name)
    told = shown(run.verdict) if shown and not broken_off(run.folder) else ""
    return f"{subject}. {LEGENDS[name].alt}" + (f": {told}" if told else "") + "."


def _timeline(verdict: Verdict) -> str:
    shown = numbers(verdict)
    return ", ".join(f"{name} {shown[name]}" for name in ("offered", "acked", "lost", "duplicated", "recovery"))


def _latency(verdict: Verdict) -> str:
    found = verdict.latency
    if found is None:
        return NOT_OBSERVED
    return f"median {found.p50_s:.2f} s, p99 {found.p99_s:.2f} s, longest {found.max_s:.2f} s (n = {found.n:,})"


def _ack_gaps(verdict: Verdict) -> str:
    return ", ".join(f"partition {found.partition} {found.gap}" for found in verdict.ack_gaps) or NOT_OBSERVED


def _blind(verdict: Verdict) -> str:
    return str(verdict.alerting.blind) if verdict.alerting else NOT_RECORDED


def _waterfall(verdict: Verdict) -> str:
    stalls = verdict.service.stalls if verdict.service else []
    longest = worst_span([stall.lasted for stall in stalls])
    return f"{len(stalls)} stalls, the longest {longest}" if longest else "no partition stalled"


def _life(verdict: Verdict) -> str:
    return "; ".join(f"{m.t_s:.2f} s {m.step}" for m in verdict.life.moments) if verdict.life else "nothing was found"


NUMBERS: dict[str, Callable[[Verdict], str]] = {
    "timeline": _timeline,
    "latency": _latency,
    "ack_gaps": _ack_gaps,
    "exposure": exposure_words,
    "blind": _blind,
    "waterfall": _waterfall,
    "life": _life,
    "load_curve": lambda verdict: str(verdict.limit or NOT_OBSERVED).rstrip("."),
}
