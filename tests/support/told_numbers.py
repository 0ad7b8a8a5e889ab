"""Numbers in a run's answer that no table of its verdict has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

from factorylab import analysis
from factorylab.audit.judged import JudgedRun
from factorylab.report import answer

NUMBER = re.compile(r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?![\w-])")
OF_THE_WORDS = {"99", "100"}  # "of 100 readings 99"


def unfounded(run: JudgedRun) -> set[str]:
    """Neither in the verdict, nor a sum of its alert latencies, nor a count of its stalls or of rebalances."""
    verdict = run.verdict
    rows = [row for row in verdict.alerting.latency if row.period != "before"] if verdict.alerting else []
    sums = [sum(row.n for row in rows if row.of == of) for of in ("alerts", "readings")]
    sums += [sum(row.never for row in rows if row.of == of) for of in ("alerts", "readings")]
    stalls, totals = (verdict.service.stalls, verdict.service.sums) if verdict.service else ([], [])
    counts = [
        sum(stall.fault < 0 for stall in stalls),
        sum(total.acks.seconds > 0 for total in totals),
        sum(total.stores.seconds > 0 for total in totals),
        len(
            analysis.rebalances(run).query("start_s > 0 and start_s < @until_s", local_dict={"until_s": _drain_s(run)})
        ),
    ]
    known = {*_numbers(json.loads(msgspec.json.encode(verdict))), *(f"{n:,}" for n in [*sums, *counts])}
    return set(NUMBER.findall(str(answer(run)))) - known - OF_THE_WORDS


def _drain_s(run: JudgedRun) -> float:
    return (run.phases["drain"] - run.t0_ns) / 1e9


def _numbers(data: object) -> Iterator[str]:
    """Every number of a verdict, and those in its words, as sentences may write them."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for value in data:
            yield from _numbers(value)
    elif isinstance(data, str):
        yield from NUMBER.findall(data)
    elif isinstance(data, float):
        yield from (f"{data:.1f}", f"{data:.2f}", f"{data:g}")
    elif isinstance(data, int):
        yield f"{data:,}"
