"""A verdict in words: one line, one screen, and two runs side by side."""

from __future__ import annotations

import textwrap

import pandas as pd

from factorylab.analysis.alerting import ENOUGH
from factorylab.audit.verdict import AlertLatency, Explanation, Life, Span, Verdict

SHOWN = 5  # checks on a screen
EVIDENCE = (5, 2)  # what each explanation on a screen rests on
WIDTH, HELD = 120, "\xa0"  # columns; a space at which no line ends
NOTHING_CONFIRMED = "none: no reading was confirmed, so none could be lost"
NOT_RECORDED = "not recorded"
EXPECTED = {True: "as expected", False: "NOT as expected"}


def worst_span(spans: list[Span]) -> Span | None:
    """The longest, where a censored one counts as longer than any that ended."""
    return max(spans, key=lambda s: (s.censored, s.seconds), default=None)


def numbers(verdict: Verdict) -> dict[str, str]:
    """What page one shows of a run, in its order; "–" where there is no such number."""
    counts, latency = verdict.counts, verdict.latency
    recovery = worst_span([r.recovery for r in verdict.recovery])
    gap = worst_span([g.gap for r in verdict.recovery for g in r.ack_gaps])
    shown: dict[str, object] = {
        "offered": counts and counts.offered,
        "acked": counts and counts.acked,
        "lost": counts and counts.lost_in_log + counts.lost_in_pipeline + counts.expired,
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


def expectation(verdict: Verdict) -> str:
    """What the scenario declared, in words."""
    declared = verdict.expectation
    return declared.upper() if isinstance(declared, str) else "fires: " + ", ".join(declared)


def one_line(verdict: Verdict) -> str:
    """The verdict for a terminal, on one line."""
    shown = numbers(verdict)
    words = [f"{name} {shown[name]}" for name in ("acked", "lost", "duplicated", "shed", "recovery", "p99")]
    names = [c.name for c in verdict.fired]
    more = f" and {len(names) - SHOWN} more" if names[SHOWN:] else ""
    why = f"  [{', '.join(names[:SHOWN])}{more}]" if names else ""
    return f"{verdict.title:<18} {verdict.verdict:<11} {EXPECTED[verdict.met]:<16} {'  '.join(words)}{why}"


def panel(verdict: Verdict) -> str:
    """The verdict on one screen: what fired and why, one reading's life, recovery, then the numbers."""
    lines = [
        f"{verdict.title} {verdict.run_id}: {verdict.verdict} ({EXPECTED[verdict.met]}: {expectation(verdict)})",
        f"{len(verdict.fired)} of {len(verdict.checks)} checks fired. Times are seconds since the steady state began.",
        "",
    ]
    for check in verdict.fired[:SHOWN]:
        lines += block(f"  {check.verdict:<11} {check.name}: {check.claim} {check.measured}", 14)
        shown = 1 if verdict.life is None and check.witnesses else 0
        lines += [f"  {'':<11} e.g. {_witness(witness)}" for witness in check.witnesses[:shown]]
    if verdict.fired[SHOWN:]:
        lines.append(f"  and {', '.join(c.name for c in verdict.fired[SHOWN:])}")
    for told, most in zip(verdict.explanations, EVIDENCE, strict=False):
        lines += why(told, most)
    if verdict.explanations[len(EVIDENCE) :]:
        lines.append(f"  and {len(verdict.explanations) - len(EVIDENCE)} more, in the report")
    lines += life_lines(verdict.life) if verdict.life else []
    for r in verdict.recovery:
        told_of = f"  {r.kind} {r.node} ({r.target}) for {r.held_s:.1f} s: detected after {r.detection}, "
        lines.append(told_of + f"recovered after {r.recovery}, caught up after {r.catch_up}")
    exposure = verdict.exposure or ("" if verdict.counts is None or verdict.counts.acked else NOTHING_CONFIRMED)
    lines += block(f"  exposure: {exposure}", 4) if exposure else []
    lines += alerting_lines(verdict)
    counted = [f"{name} {value}".replace(" ", HELD) for name, value in numbers(verdict).items()]
    return "\n".join([*lines, "", *block("  " + "   ".join(counted), 2)]).replace(HELD, " ")


def block(text: str, indent: int) -> list[str]:
    """One paragraph as lines that fit; all but the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def story(told: Explanation) -> str:
    """An explanation in one sentence."""
    many = "1 reading" if told.count == 1 else f"{told.count:,} readings"
    place = f", partition {told.partition}" if told.partition >= 0 else ""
    if told.first_offset >= 0:
        one = told.first_offset == told.last_offset
        place += f", offset {told.first_offset:,}" if one else f", offsets {told.first_offset:,}–{told.last_offset:,}"
    first, last = f"{told.from_s:.1f} s", f"{told.until_s:.1f} s"
    time = f", at {first}" if first == last else f", from {first} to {last}"
    epoch = f" in epoch {told.epoch}" if told.epoch >= 0 else ""
    return f"{many}{place}{time}{epoch}: {told.event}"


def why(told: Explanation, most: int) -> list[str]:
    """An explanation on a screen: the story, what it rests on, what prevents it."""
    lines = block(f"  {'why':<11} {told.check}: {story(told)}", 14)
    for evidence in told.evidence[:most]:
        lines += block(f"  {'':<11} - {evidence}", 16)
    return [*lines, *block(f"  {'':<11} prevented by {told.prevented_by}", 14)]


def life_lines(life: Life) -> list[str]:
    """A witness's life, a line a step."""
    steps = [line for m in life.moments for line in block(f"  {m.t_s:>9.2f} s {m.step}: {m.detail}", 14)]
    return [f"  one of them: {_witness(life.witness)} ({life.check})", *steps]


def alerting_lines(verdict: Verdict) -> list[str]:
    """Blind time and alert latency, a line each."""
    if verdict.alerting is None:
        return [f"  blind: {NOT_RECORDED}"]
    rows = [row for row in verdict.alerting.latency if row.of == "alerts"]
    since = "the first fault" if len(rows) > 1 else "the steady state"
    raised = ["  alert latency: " + "; ".join(map(_raised, rows))] if any(row.n for row in rows) else []
    return [line for text in (f"  blind since {since}: {verdict.alerting.blind}", *raised) for line in block(text, 4)]


def _raised(row: AlertLatency) -> str:
    if not row.n:
        return f"{row.period} none"
    top = f"longest {_seconds(row, row.max_s)}" if row.p99_s is None else f"p99 {_seconds(row, row.p99_s)}"
    return f"{row.period} p50 {_seconds(row, row.p50_s)}, {top} (n = {row.n:,})"


def _seconds(row: AlertLatency, value: float | None) -> str:
    return f"{value:.2f} s" if value is not None else "never" if row.never else "–"


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
            "p50": _seconds(row, row.p50_s),
            "p99": "n is too small" if 0 < row.n < ENOUGH else _seconds(row, row.p99_s),
            "longest": _seconds(row, row.max_s),
        }
        for row in verdict.alerting.latency
    ]


def _witness(witness: object) -> str:
    sensor, seq, partition, offset, note = (
        getattr(witness, n) for n in ("sensor", "seq", "partition", "offset", "note")
    )
    parts = [
        f"{sensor} seq {seq}" if sensor else "",
        f"partition {partition} offset {offset}" if offset >= 0 else f"partition {partition}" if partition >= 0 else "",
        note,
    ]
    return ", ".join(part for part in parts if part)


def compare(a: Verdict, b: Verdict) -> pd.DataFrame:
    """The numbers of two runs side by side, one row a number; n = 1 each, so a difference may be chance."""
    columns = [f"{v.title} {v.run_id}" + " (n=1)" for v in (a, b)]
    rows = [{"verdict": v.verdict, "expectation": EXPECTED[v.met], **numbers(v)} for v in (a, b)]
    return pd.DataFrame(rows, index=columns).T


def claims(verdict: Verdict) -> pd.DataFrame:
    """Every check with its claim and what was measured, the worst first; one row a check."""
    passed = [check for check in verdict.checks if check.verdict == "PASS"]
    rows = [(c.name, c.verdict, c.claim, c.measured) for c in [*verdict.fired, *passed]]
    return pd.DataFrame(rows, columns=["check", "verdict", "claim", "measured"]).set_index("check")
