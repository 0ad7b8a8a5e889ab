"""Findings in words: spans, explanations, lives, latencies."""

from __future__ import annotations

import textwrap

from factorylab.audit.model.findings import AlertLatency, Explanation, Life, Span

WIDTH = 120  # columns


def worst_span(spans: list[Span]) -> Span | None:
    """The longest, where a censored one counts as longer than any that ended."""
    return max(spans, key=lambda s: (s.censored, s.seconds), default=None)


def block(text: str, indent: int) -> list[str]:
    """One paragraph as lines that fit; all but the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def explanation_text(explanation: Explanation) -> str:
    """An explanation in one sentence."""
    many = "1 reading" if explanation.count == 1 else f"{explanation.count:,} readings"
    place = f", partition {explanation.partition}" if explanation.partition >= 0 else ""
    if explanation.first_offset >= 0:
        one = explanation.first_offset == explanation.last_offset
        place += (
            f", offset {explanation.first_offset:,}"
            if one
            else f", offsets {explanation.first_offset:,}–{explanation.last_offset:,}"
        )
    first, last = f"{explanation.from_s:.1f} s", f"{explanation.until_s:.1f} s"
    time = f", at {first}" if first == last else f", from {first} to {last}"
    epoch = f" in epoch {explanation.epoch}" if explanation.epoch >= 0 else ""
    return f"{many}{place}{time}{epoch}: {explanation.event}"


def why(explanation: Explanation, most: int) -> list[str]:
    """An explanation on a screen: what happened, the evidence, what prevents it."""
    lines = block(f"  {'why':<11} {explanation.check}: {explanation_text(explanation)}", 14)
    for evidence in explanation.evidence[:most]:
        lines += block(f"  {'':<11} - {evidence}", 16)
    return [*lines, *block(f"  {'':<11} prevented by {explanation.prevented_by}", 14)]


def life_lines(life: Life) -> list[str]:
    """A witness's life, a line a step."""
    steps = [line for m in life.moments for line in block(f"  {m.t_s:>9.2f} s {m.step}: {m.detail}", 14)]
    return [f"  one of them: {witness_words(life.witness)} ({life.check})", *steps]


def raised(row: AlertLatency) -> str:
    if not row.n:
        return f"{row.period} none"
    top = f"longest {seconds(row, row.max_s)}" if row.p99_s is None else f"p99 {seconds(row, row.p99_s)}"
    return f"{row.period} p50 {seconds(row, row.p50_s)}, {top} (n = {row.n:,})"


def seconds(row: AlertLatency, value: float | None) -> str:
    return f"{value:.2f} s" if value is not None else "never" if row.never else "–"


def witness_words(witness: object) -> str:
    sensor, seq, partition, offset, note = (
        getattr(witness, n) for n in ("sensor", "seq", "partition", "offset", "note")
    )
    parts = [
        f"{sensor} seq {seq}" if sensor else "",
        f"partition {partition} offset {offset}" if offset >= 0 else f"partition {partition}" if partition >= 0 else "",
        note,
    ]
    return ", ".join(part for part in parts if part)
