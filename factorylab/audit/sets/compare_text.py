"""Comparisons in words."""

from __future__ import annotations

import pandas as pd

from factorylab.audit.sets.compare import ALPHA, Compared, Comparison
from factorylab.audit.sets.gate import Decided
from factorylab.audit.sets.summary import Row, bounds, headline, number


def told(found: Comparison) -> str:
    """A comparison as text: what is compared, in what the sets differ, each quantity, and how to read it."""
    lines = [f"A  {headline(found.a)}", f"B  {headline(found.b)}"]
    lines += [f"  {name}: {pair[0]} | {pair[1]}" for name, pair in found.differs.items()]
    margin = any(row.p_same is not None for row in found.rows)
    frame = pd.DataFrame([_words(row, margin) for row in found.rows])
    return "\n".join([*lines, "", frame.to_string(index=False) if len(frame) else "no quantity", "", *_how(found)])


def _words(row: Compared, margin: bool) -> dict[str, str]:
    shown = row.answer in {"more", "less"}
    words = {
        "quantity": row.quantity,
        "unit": row.a.unit,
        "A": _middle(row.a),
        "B": _middle(row.b),
        "B vs A": _effect(row) if shown else row.answer,
        "interval of B − A": bounds(row.interval) if row.interval and row.p is not None else "–",
        "p": "–" if row.p is None else f"{row.p:.3g}" + ("" if row.p_exact else " (drawn)"),
        "corrected": "–" if row.p_corrected is None else f"{row.p_corrected:.3g}",
    }
    within = "–" if row.p_same is None else f"{'yes' if row.within_margin else 'not shown'} (p = {row.p_same:.3g})"
    return words | ({"within the margin": within} if margin else {})


def _middle(row: Row) -> str:
    if not row.n:
        return ", ".join(row.missing) or "no run"
    middle = "not reached" if row.median is None else number(row.median)
    return f"{middle} (n={row.n}{f', {row.censored} censored' if row.censored else ''})"


def _effect(row: Compared) -> str:
    """The effect of a difference that is shown."""
    if row.difference is None:
        return row.answer
    if row.until is not None:
        return f"{row.difference:+,.3f} {row.a.unit} in the mean up to {number(row.until)}"
    return f"{row.difference:+,.3f}" + (f", {row.ratio:.3g}x" if row.ratio is not None else "")


def _how(found: Comparison) -> list[str]:
    count = "1 quantity was" if found.tested == 1 else f"{found.tested} quantities were"
    lines = [
        f"A and B: medians. {count} tested. ~: no difference is shown at {ALPHA:.0%}, corrected "
        "for all of them by Holm. Intervals are of one quantity each, not corrected.",
    ]
    if found.tested and not found.can_show:
        least = f"the values that they observed give no p below {found.smallest_p:.2g}"
        fewer = ", or name fewer quantities with -q" if found.tested > 1 else ""
        lines.append(f"So few runs can show nothing: {least}, times {found.tested}. Repeat{fewer}.")
    return lines


def gate_line(gate: Decided) -> str:
    """What became of a gate."""
    return f"{gate.decision.upper()}  {gate.gate}: {gate.why}"
