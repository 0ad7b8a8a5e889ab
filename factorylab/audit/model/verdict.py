"""The verdict: checks composed so that the worst wins, set against what the scenario declared.

    PASS < NOT_DRAINED < INVALID < FAIL

A check that was not asked (NOT_ASKED: no case of it, no objective) makes a verdict neither better nor worse, and is
not met by an expectation that names it.

A proven loss is a FAIL whatever else went wrong; a check that crashes or lacks its evidence is INVALID, never PASS.

Expectations. "pass" is met by PASS alone and "invalid" by INVALID alone. A list of checks is met when exactly
those checks fired (each FAIL or NOT_DRAINED) and nothing was INVALID: a demonstration that breaks more than it
says, or rests on bad evidence, has not shown what it claims. Exit code: 0 where the expectation is met, else that
of the verdict (1 FAIL, 3 NOT_DRAINED, 4 INVALID), and 1 for a PASS where something else was expected.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from factorylab.audit.model.findings import (
    ORDER,
    Alerting,
    Check,
    Counts,
    Explanation,
    Exposure,
    Latency,
    Life,
    Outcome,
    PartitionGap,
    Recovery,
    Span,
)
from factorylab.audit.model.stall import Service
from factorylab.audit.model.wording import block, life_lines, raised, seconds, why, witness_words, worst_span
from factorylab.core.exit_codes import FAILED, INVALID, NOT_DRAINED
from factorylab.core.measures import P99_NEEDS, Limit

LOSSES = ("lost_in_log", "lost_in_pipeline", "expired")
SHOWN = 5  # checks on a screen
EVIDENCE = (5, 2)  # what each explanation on a screen rests on
HELD = "\xa0"  # a space at which no line ends
NOTHING_ACKNOWLEDGED = "none: no reading was acknowledged, so none could be lost"
NOT_RECORDED = "not recorded"
NOT_OBSERVED = "not observed"
EXPECTED = {True: "as expected", False: "NOT as expected"}
EXIT: dict[Outcome, int] = {"PASS": FAILED, "FAIL": FAILED, "NOT_DRAINED": NOT_DRAINED, "INVALID": INVALID}


class Printer(Protocol):
    """What IPython hands to an object that wants to be shown in its own way."""

    def text(self, obj: str) -> None: ...


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    scenario: str
    title: str
    run_id: str
    backend: str
    seed: int
    verdict: Outcome
    expectation: str | list[str]
    met: bool
    exit_code: int
    counts: Counts | None
    recovery: list[Recovery]
    ack_gaps: list[PartitionGap]
    service: Service | None = None
    latency: Latency | None
    stored_per_s: float | None
    limit: Limit | None = None
    exposure: Exposure | None = None
    alerting: Alerting | None = None
    explanations: list[Explanation] = []
    life: Life | None = None
    asked: int
    checks: list[Check]

    @property
    def fired(self) -> list[Check]:
        """Checks that did not pass, the worst first, and those that counted something before those that crashed."""
        fired = (c for c in self.checks if c.fired)
        return sorted(fired, key=lambda c: (-ORDER.index(c.verdict), c.count == 0))

    @property
    def told(self) -> str:
        """How many checks were asked, and how many of them fired."""
        return f"{self.asked} of {len(self.checks)} checks asked, {len(self.fired)} fired"

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        """How a notebook shows it: one screen."""
        printer.text(panel(self))


def numbers(verdict: Verdict) -> dict[str, str]:
    """What page one shows of a run, in its order; "–" where there is no such number."""
    counts, latency = verdict.counts, verdict.latency
    recovery = worst_span([r.recovery for r in verdict.recovery])
    gap = worst_span([g.gap for g in verdict.ack_gaps])
    shown: dict[str, object] = {
        "due": counts and counts.due,
        "not offered": counts and counts.not_offered,
        "offered": counts and counts.offered,
        "acked": counts and counts.acked,
        "lost": counts and lost(verdict.checks),
        "duplicated": counts and counts.duplicates,
        "shed": counts and counts.shed,
        "offered − stored": counts and counts.unstored,
        "recovery": recovery,
        "blind": verdict.alerting and f"{verdict.alerting.blind.blind_s:.1f} s",
        "longest ack gap": gap,
        "p99": latency and f"{latency.p99_s:.2f} s",
        "stored/s": verdict.stored_per_s and round(verdict.stored_per_s),
    }
    return {name: "–" if v is None else f"{v:,}" if isinstance(v, int) else str(v) for name, v in shown.items()}


def lost(checks: list[Check]) -> int | str | None:
    """All acknowledged readings that are gone; as `counted` says."""
    return counted(checks, LOSSES)


def counted(checks: list[Check], names: Collection[str]) -> int | str | None:
    """What these checks counted in all; None where one of them could not be made, "not asked" where none was."""
    asked = [check for check in checks if check.name in names and check.asked]
    if any(check.answer is None for check in asked):
        return None
    return sum(check.count for check in asked) if asked else "not asked"


def expectation(verdict: Verdict) -> str:
    """What the scenario declared, in words."""
    declared = verdict.expectation
    return declared.upper() if isinstance(declared, str) else "fires: " + ", ".join(declared)


def one_line(verdict: Verdict) -> str:
    """The verdict for a terminal, on one line."""
    shown = numbers(verdict)
    words = [f"{name} {shown[name]}" for name in ("acked", "lost", "duplicated", "shed", "recovery", "p99")]
    words.append(f"{verdict.asked} of {len(verdict.checks)} asked")
    names = [c.name for c in verdict.fired]
    more = f" and {len(names) - SHOWN} more" if names[SHOWN:] else ""
    why = f"  [{', '.join(names[:SHOWN])}{more}]" if names else ""
    return f"{verdict.title:<18} {verdict.verdict:<11} {EXPECTED[verdict.met]:<16} {'  '.join(words)}{why}"


def panel(verdict: Verdict) -> str:
    """The verdict on one screen: what fired and why, one reading's life, recovery, then the numbers."""
    lines = [
        f"{verdict.title} {verdict.run_id}: {verdict.verdict} ({EXPECTED[verdict.met]}: {expectation(verdict)})",
        f"{verdict.told}. Times are seconds since the steady state began.",
        "",
    ]
    for check in verdict.fired[:SHOWN]:
        lines += block(f"  {check.verdict:<11} {check.name}: {check.claim} {check.measured}", 14)
        shown = 1 if verdict.life is None and check.witnesses else 0
        lines += [f"  {'':<11} e.g. {witness_words(witness)}" for witness in check.witnesses[:shown]]
    if verdict.fired[SHOWN:]:
        lines.append(f"  and {', '.join(c.name for c in verdict.fired[SHOWN:])}")
    for told, most in zip(verdict.explanations, EVIDENCE, strict=False):
        lines += why(told, most)
    if verdict.explanations[len(EVIDENCE) :]:
        lines.append(f"  and {len(verdict.explanations) - len(EVIDENCE)} more, in the report")
    lines += life_lines(verdict.life) if verdict.life else []
    for r in verdict.recovery:
        told_of = f"  {r.kind} {r.node} ({r.target}) for {r.held_s:.1f} s: {_after('detected', r.detection)}, "
        lines.append(told_of + f"recovered after {r.recovery}, {_after('caught up', r.catch_up)}")
    lines += block(f"  service: {verdict.service}", 4) if verdict.service and verdict.recovery else []
    lines += block(f"  {verdict.limit} {'; '.join(verdict.limit.evidence)}".rstrip(), 4) if verdict.limit else []
    parts = verdict.latency.parts if verdict.latency else []
    lines += block(f"  latency: {'; '.join(map(str, parts))}", 4) if parts else []
    lines += block(f"  exposure: {exposure_words(verdict)}", 4)
    lines += alerting_lines(verdict)
    counted = [f"{name} {value}".replace(" ", HELD) for name, value in numbers(verdict).items()]
    return "\n".join([*lines, "", *block("  " + "   ".join(counted), 2)]).replace(HELD, " ")


def _after(what: str, span: Span | None) -> str:
    return f"{what}: {NOT_OBSERVED}" if span is None else f"{what} after {span}"


def recovered(verdict: Verdict) -> list[dict[str, str]]:
    """How long after its injection each fault was noticed, mended and worked off, one row for each victim."""
    return [
        {
            "fault": f"{r.kind} {r.target}",
            "victim": r.node,
            "held": f"{r.held_s:.1f} s",
            "detected": str(r.detection or NOT_OBSERVED),
            "recovered": str(r.recovery),
            "caught up": str(r.catch_up or NOT_OBSERVED),
            "longest ack gap": ", ".join(f"{gap.partition}: {gap.gap}" for gap in r.ack_gaps),
        }
        for r in verdict.recovery
    ]


def exposure_words(verdict: Verdict) -> str:
    """What was exposed, or why no number says so."""
    if verdict.exposure is not None:
        return str(verdict.exposure)
    return NOTHING_ACKNOWLEDGED if verdict.counts is not None and not verdict.counts.acked else NOT_OBSERVED


def stalls(verdict: Verdict) -> list[dict[str, str]]:
    """Every stall with its causes, one row each; one that says so where there was none, or where it is not known."""
    if verdict.service is None:
        return [{"partition": NOT_RECORDED}]
    return [
        {
            "partition": str(stall.partition),
            "nothing": {"acks": "acknowledged", "stores": "stored"}[stall.service],
            "from": f"{stall.start_s:.1f} s",
            "to": "not seen" if stall.open else f"{stall.end_s:.1f} s",
            "lasted": str(stall.lasted),
            "because of": "fault " + str(stall.fault) if stall.fault >= 0 else "no fault",
            "causes": ", ".join(map(str, stall.causes)),
        }
        for stall in verdict.service.stalls
    ] or [{"partition": "none stood still"}]


def alerting_lines(verdict: Verdict) -> list[str]:
    """Blind time and alert latency, a line each."""
    if verdict.alerting is None:
        return [f"  blind: {NOT_RECORDED}"]
    rows = [row for row in verdict.alerting.latency if row.of == "alerts"]
    since = "the first fault" if len(rows) > 1 else "the steady state"
    late = ["  alert latency: " + "; ".join(map(raised, rows))] if any(row.n for row in rows) else []
    return [line for text in (f"  blind since {since}: {verdict.alerting.blind}", *late) for line in block(text, 4)]


def alerting(verdict: Verdict) -> list[dict[str, str]]:
    """How late alerts were stored, two rows a period; one that says so where it was not recorded."""
    if verdict.alerting is None:
        return [{"period": NOT_RECORDED}]
    return [
        {
            "period": row.period,
            "of": {"alerts": "alerts raised", "readings": "all readings, had each raised one"}[row.of],
            "n": f"{row.n:,}",
            "never stored": f"{row.never:,}",
            "p50": seconds(row, row.p50_s),
            "p99": "n is too small" if 0 < row.n < P99_NEEDS else seconds(row, row.p99_s),
            "longest": seconds(row, row.max_s),
        }
        for row in verdict.alerting.latency
    ]
