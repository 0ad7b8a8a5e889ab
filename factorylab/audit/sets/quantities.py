"""The named quantities of a judged run, with unit and censoring: the one list for summaries, comparisons and gates.

A quantity that was measured for each fault or partition has its parts beside it: `ack_gap` is that of the partition
with the longest, `ack_gap.1` that of partition 1. What was not measured is no number: it says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import msgspec

from factorylab.analysis.offered_load import offered_load
from factorylab.analysis.ownership import (
    Owners,
    moves,
    owned_by_callbacks,
    owned_by_description,
    read_again,
    unowned,
)
from factorylab.analysis.readings import Readings
from factorylab.analysis.unreadable import most_unreadable, unreadable
from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import Recovery, Span
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED, Verdict, lost
from factorylab.core.errors import UsageError

NOT_ASKED = "not asked"
INVALID = "INVALID"  # a verdict, of a run that is evidence of nothing
NO_FAULT = "no fault"
IN_SECONDS = {"s": 1.0, "ms": 0.001}


class Value(msgspec.Struct, frozen=True):
    """A number in the quantity's unit, `censored` where the truth is at least that; or None, and why it is missing."""

    value: float | None
    censored: bool = False
    missing: str = ""

    @classmethod
    def of(cls, number: float | None, missing: str = NOT_OBSERVED) -> Value:
        """A number that is not censored, or what its absence means."""
        return cls(None, missing=missing) if number is None else cls(float(number))

    @classmethod
    def of_span(cls, span: Span | None) -> Value:
        return cls(None, missing=NOT_OBSERVED) if span is None else cls(span.seconds, span.censored)


Values = Mapping[str, Value]
"""By the part: "" is the whole, "0" the first fault or partition."""


@dataclass(frozen=True)
class Quantity:
    """`shown` are compared unless others are asked for."""

    name: str
    unit: str
    means: str
    measure: Callable[[JudgedRun, Verdict], Values]
    shown: bool = False


def quantities(run: JudgedRun, verdict: Verdict) -> dict[str, Value]:
    """Every quantity of a run by its name, parts included; `verdict` is the run's."""
    found = {}
    for quantity in QUANTITIES:
        for part, value in quantity.measure(run, verdict).items():
            found[f"{quantity.name}.{part}" if part else quantity.name] = value
    return found


def known(name: str) -> Quantity:
    """The quantity that a name, with or without a part, is of.

    Raises:
        UsageError: there is none of that name; the message has the nearest.
    """
    whole, dot, part = name.partition(".")
    found = next((q for q in QUANTITIES if q.name == whole), None)
    if found and (not dot or (part.isdecimal() and whole in PARTED)):
        return found
    if found:
        raise UsageError(f"{name!r}: {whole} has {'parts with a number' if whole in PARTED else 'no parts'}")
    near = get_close_matches(whole, [q.name for q in QUANTITIES], 3, 0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(q.name for q in QUANTITIES)}"
    raise UsageError(f"there is no quantity {name!r}: {hint}")


def in_unit(quantity: Quantity, unit: str, text: str) -> float:
    """How much one of `unit` is in that of the quantity; a count needs none.

    Raises:
        UsageError: it is not measured in that; `text` is what was typed.
    """
    if quantity.unit == "s" and unit in IN_SECONDS:
        return IN_SECONDS[unit]
    if quantity.unit != "s" and unit in {"", quantity.unit}:
        return 1.0
    wanted = "s or ms" if quantity.unit == "s" else f"{quantity.unit} or no unit"
    raise UsageError(f"{text!r}: {quantity.name} is measured in {quantity.unit}: write {wanted}")


def longest(spans: Iterable[Span]) -> Span | None:
    """At least as long as the longest, censored where the end of any was not seen."""
    found = list(spans)
    return Span(max(s.seconds for s in found), any(s.censored for s in found)) if found else None


def _of_faults(pick: Callable[[Recovery], Span | None], run: JudgedRun, verdict: Verdict) -> Values:
    """The whole is not observed where a part is not."""
    if not run.scenario.faults:
        return {"": Value(None, missing=NO_FAULT)}
    by_fault: dict[str, list[Span | None]] = {}
    for row in verdict.recovery:
        by_fault.setdefault(str(row.fault), []).append(pick(row))
    parts = {part: Value.of_span(_whole(spans)) for part, spans in by_fault.items()}
    return {"": Value.of_span(_whole([span for spans in by_fault.values() for span in spans])), **parts}


def _whole(spans: list[Span | None]) -> Span | None:
    seen = [span for span in spans if span is not None]
    return longest(seen) if len(seen) == len(spans) else None


def _ack_gaps(run: JudgedRun, verdict: Verdict) -> Values:
    parts = {str(g.partition): Value.of_span(g.gap) for g in verdict.ack_gaps}
    return {"": Value.of_span(longest(g.gap for g in verdict.ack_gaps)), **parts}


def _stalled(kind: str, run: JudgedRun, verdict: Verdict) -> Values:
    """A partition that never stood still has 0 s."""
    if verdict.service is None:
        return {"": Value(None, missing=NOT_RECORDED)}
    if not run.scenario.faults:
        return {"": Value(None, missing=NO_FAULT)}
    spans = dict.fromkeys(range(verdict.service.partitions), Span(0.0))
    spans |= {row.partition: getattr(row, kind) for row in verdict.service.sums}
    return {"": Value.of_span(longest(spans.values())), **{str(p): Value.of_span(s) for p, s in sorted(spans.items())}}


def _latency(field: str, run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(getattr(verdict.latency, field, None))}


def _latency_part(part: str, run: JudgedRun, verdict: Verdict) -> Values:
    parts = verdict.latency.parts if verdict.latency else []
    return {"": Value.of(next((of.p99_s for of in parts if of.part == part), None))}


def _blind(run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(verdict.alerting.blind.blind_s if verdict.alerting else None, NOT_RECORDED)}


def _count(field: str, run: JudgedRun, verdict: Verdict) -> Values:
    """A run that is older than the count has none."""
    if verdict.counts is None:
        return {"": Value(None, missing=NOT_OBSERVED)}
    return {"": Value.of(getattr(verdict.counts, field), NOT_RECORDED)}


def _checked(check: str, run: JudgedRun, verdict: Verdict) -> Values:
    found = next((c for c in verdict.checks if c.name == check), None)
    if found is None or not found.asked:
        return {"": Value(None, missing=NOT_ASKED)}
    return {"": Value.of(found.answer)}


def _lost(run: JudgedRun, verdict: Verdict) -> Values:
    found = lost(verdict.checks)
    return {"": Value(None, missing=found) if isinstance(found, str) else Value.of(found)}


def _exposed(run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(verdict.exposure.high if verdict.exposure else None)}


def _unreadable(run: JudgedRun, verdict: Verdict) -> Values:
    """Under acks=0 nothing is acknowledged, so there is nothing to ask for."""
    readings = Readings(run)
    if readings.acks == "0":
        return {"": Value(None, missing=NOT_ASKED)}
    parts = most_unreadable(unreadable(run, readings))
    return {"": Value.of(max(parts.values(), default=None)), **{str(p): Value.of(n) for p, n in sorted(parts.items())}}


def _stored_per_s(run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(verdict.stored_per_s)}


def _offered_per_s(run: JudgedRun, verdict: Verdict) -> Values:
    """Readings that were offered while their stage lasted, over all stages from the steady state on."""
    stages = offered_load(run)
    lasted_s = float((stages["end_s"] - stages["start_s"]).sum())
    return {"": Value.of(float(stages["offered"].sum()) / lasted_s if lasted_s > 0 else None)}


def _kept_per_s(run: JudgedRun, verdict: Verdict) -> Values:
    if verdict.limit is None:
        return {"": Value(None, missing=NOT_ASKED)}
    return {"": Value.of(verdict.limit.kept_per_s)}


def _unowned(told: Callable[[JudgedRun], Owners | None], run: JudgedRun, verdict: Verdict) -> Values:
    """A group that nobody saw owned nothing that anybody knows of."""
    owners = told(run)
    if owners is None or not owners.spans:
        return {"": Value(None, missing=NOT_OBSERVED)}
    gaps = {p: Span(gap.seconds, gap.censored) for p, gap in unowned(run, owners).items()}
    return {"": Value.of_span(longest(gaps.values())), **{str(p): Value.of_span(gap) for p, gap in gaps.items()}}


def _moved(told: Callable[[JudgedRun], Owners | None], run: JudgedRun, verdict: Verdict) -> Values:
    owners = told(run)
    return {"": Value.of(moves(owners) if owners and owners.spans else None)}


def _read_again(run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(read_again(run) if len(run.reads) else None)}


def _host_load(run: JudgedRun, verdict: Verdict) -> Values:
    return {"": Value.of(run.manifest.host.load, NOT_RECORDED)}


READINGS, PER_S = "readings", "readings/s"
PARTED = (
    "recovery", "detection", "catch_up", "ack_gap", "acks_stalled", "stores_stalled", "unowned", "unassigned",
    "unreadable",
)  # fmt: skip
QUANTITIES: tuple[Quantity, ...] = (
    Quantity("recovery", "s", "injection → service back for good", partial(_of_faults, lambda r: r.recovery), True),
    Quantity("detection", "s", "injection → the first reaction", partial(_of_faults, lambda r: r.detection), True),
    Quantity("catch_up", "s", "injection → the lag is as before", partial(_of_faults, lambda r: r.catch_up), True),
    Quantity("ack_gap", "s", "longest time without an acknowledgement, of a partition", _ack_gaps, True),
    Quantity("acks_stalled", "s", "stalls of acknowledgements, summed by partition", partial(_stalled, "acks"), True),
    Quantity("stores_stalled", "s", "stalls of stores, summed by partition", partial(_stalled, "stores"), True),
    Quantity("blind", "s", "longest time that a machine had no alert in time", _blind, True),
    Quantity("unowned", "s", "longest time of any partition without an owner", partial(_unowned, owned_by_callbacks)),
    Quantity("unassigned", "s", "the same, the group says", partial(_unowned, owned_by_description)),
    Quantity("moved", "partitions", "given to another member, members say", partial(_moved, owned_by_callbacks)),
    Quantity("reassigned", "partitions", "the same, the group says", partial(_moved, owned_by_description)),
    Quantity("read_again", "records", "polled again after they had been polled before", _read_again),
    Quantity("latency_p50", "s", "median latency of stored readings", partial(_latency, "p50_s"), True),
    Quantity("latency_p99", "s", "99th percentile of the same", partial(_latency, "p99_s"), True),
    Quantity("latency_max", "s", "the longest", partial(_latency, "max_s")),
    Quantity("generator_p99", "s", "p99 of intended → sent", partial(_latency_part, "generator")),
    Quantity("kafka_p99", "s", "p99 of sent → acknowledged", partial(_latency_part, "kafka")),
    Quantity("pipeline_p99", "s", "p99 of acknowledged → stored", partial(_latency_part, "pipeline")),
    Quantity("lost", READINGS, "acknowledged and gone", _lost, True),
    Quantity("duplicated", READINGS, "surplus in the log and the store", partial(_count, "duplicates"), True),
    Quantity("unstored", READINGS, "offered and never stored", partial(_count, "unstored"), True),
    Quantity("shed", READINGS, "refused by a full local queue", partial(_count, "shed"), True),
    Quantity("unknown", READINGS, "sent without an answer", partial(_count, "unknown"), True),
    Quantity("reordered", READINGS, "behind a later one in the log", partial(_checked, "reordered_in_log")),
    Quantity("exposed", READINGS, "at most so many had only one copy at the worst moment", _exposed),
    Quantity("unreadable", READINGS, "acknowledged, and above the high watermark at once, of a partition", _unreadable),
    Quantity("due", READINGS, "due by the schedule", partial(_count, "due")),
    Quantity("not_offered", READINGS, "due and never offered", partial(_count, "not_offered")),
    Quantity("offered", READINGS, "handed to the producer", partial(_count, "offered")),
    Quantity("acknowledged", READINGS, "acknowledged by Kafka", partial(_count, "acked")),
    Quantity("failed", READINGS, "refused by the client otherwise", partial(_count, "failed")),
    Quantity("stored", READINGS, "stored in PostgreSQL", partial(_count, "stored")),
    Quantity("dead_letters", "records", "not stored because of their content", partial(_count, "dead_letters")),
    Quantity("alerts", "alerts", "stored alerts", partial(_count, "alerts")),
    Quantity("offered_per_s", PER_S, "offered while it was due, from the steady state on", _offered_per_s),
    Quantity("stored_per_s", PER_S, "stored, from the steady state to the last send", _stored_per_s, True),
    Quantity("kept_per_s", PER_S, "highest rate step that was kept", _kept_per_s),
    Quantity("host_load", "processes", "load average of the host in the minute before the run", _host_load),
)  # fmt: skip
