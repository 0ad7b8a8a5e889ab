"""Verdicts as frames."""

from __future__ import annotations

import pandas as pd

from factorylab.audit.model.verdict import EXPECTED, Verdict, numbers


def compare(a: Verdict, b: Verdict) -> pd.DataFrame:
    """The numbers of two runs side by side, one row a number; n = 1 each, so a difference may be chance."""
    columns = [f"{v.title} {v.run_id}" + " (n=1)" for v in (a, b)]
    rows = [{"verdict": v.verdict, "expectation": EXPECTED[v.met], **numbers(v)} for v in (a, b)]
    return pd.DataFrame(rows, index=columns).T


def claims(verdict: Verdict) -> pd.DataFrame:
    """Every check with its claim and what was measured, the worst first, what was not asked last; one row a check."""
    quiet = sorted((check for check in verdict.checks if not check.fired), key=lambda check: not check.asked)
    rows = [(c.name, c.verdict, c.claim, c.measured) for c in [*verdict.fired, *quiet]]
    return pd.DataFrame(rows, columns=["check", "verdict", "claim", "measured"]).set_index("check")
