"""What of a control's run shows that it did what it is about, beyond the checks of the verdict: a count and words.

A control that met its expectation without this evidence has shown nothing: a processor that was never put out of its
group passes as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from factorylab.analysis.readings import UNKNOWN, Readings
from factorylab.audit.judged import JudgedRun
from factorylab.core.errors import UsageError
from factorylab.scenarios.controls import ControlName


@dataclass(frozen=True)
class Shown:
    """How often it was seen, and what that means."""

    count: int
    words: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.words}"


def check_of(name: str) -> Callable[[JudgedRun], Shown]:
    """The cases that a check of the verdict counted."""

    def look(run: JudgedRun) -> Shown:
        found = next(check for check in run.verdict.checks if check.name == name)
        return Shown(found.count, f"by {name}, of {found.n:,}")

    return look


def sent_and_gone(run: JudgedRun) -> Shown:
    """Readings that the producer took for sent, that nobody acknowledged, and that are not in the log."""
    readings = Readings(run)
    gone = readings.count(lambda k: (k.outcome == UNKNOWN) & ~k.in_log)
    return Shown(gone, "sent, never acknowledged, not in the log")


def found_later(run: JudgedRun) -> Shown:
    """Readings whose producer never heard of them again, and that the log holds."""
    readings = Readings(run)
    found = readings.count(lambda k: (k.outcome == UNKNOWN) & k.in_log)
    return Shown(found, "without an answer, found in the log")


def refused(run: JudgedRun) -> Shown:
    """Transactions of a former owner."""
    return Shown(int(run.commits["refused"].sum()), "transactions attempted by a former owner and refused")


def put_out(run: JudgedRun) -> Shown:
    """Members that polled too late, by the client's own word."""
    spoken = [
        log for log in run.folder.logs.glob("processor-*.jsonl") if "max.poll.interval" in log.read_text().lower()
    ]
    lost = int((run.group["event"] == "lost").sum())
    return Shown(lost if spoken else 0, f"partitions lost in callbacks; {len(spoken)} members exceeded their interval")


def unheard(run: JudgedRun) -> Shown:
    """Rows that no transaction wrote whose client lived to hear of it."""
    heard = int(run.commits.loc[~run.commits["refused"], "rows"].sum())
    return Shown(run.row_count("rows") - heard, "rows of a transaction whose client never heard of it")


def dead_lettered_once(run: JudgedRun) -> Shown:
    """Acknowledged readings that went to the dead letters and are not stored as well."""
    readings = Readings(run)
    dead = readings.select(lambda k: k.acked & k.dead_lettered)
    both = int(readings.of(dead).stored.sum())
    return Shown(len(dead) if not both else 0, f"dead-lettered and not stored, {both:,} both")


def handed_over(run: JudgedRun) -> Shown:
    """Partitions that were revoked and went on elsewhere."""
    return Shown(int((run.group["event"] == "assigned").sum()) - 2, "assignments after the first two")


def all_stored(run: JudgedRun) -> Shown:
    """Acknowledged readings that are stored."""
    readings = Readings(run)
    stored, acked = readings.count(lambda k: k.acked & k.stored), readings.count(lambda k: k.acked)
    return Shown(stored, f"stored of {acked:,} acknowledged")


def gap_of_the_lossy(run: JudgedRun) -> Shown:
    """What a network partition lost, beside the longest time without an acknowledgement where it was lost."""
    readings = Readings(run)
    lost = readings.select(lambda k: k.acked & ~k.in_log)
    where = run.take("sends", readings.send_row[lost], "partition")["partition"].unique()
    gaps = {g.partition: g.gap for r in run.verdict.recovery for g in r.ack_gaps}
    longest = max((gaps[p].seconds for p in where.tolist() if p in gaps), default=0.0)
    return Shown(len(lost), f"acknowledged and gone; longest gap there {longest:.1f} s")


BROKEN: dict[ControlName, Callable[[JudgedRun], Shown]] = {
    "P1": check_of("lost_in_log"),
    "P2": check_of("lost_in_log"),
    "P3": check_of("lost_in_log"),
    "P4": sent_and_gone,
    "P5": check_of("lost_in_pipeline"),
    "P6": check_of("duplicate_in_store"),
    "P7": check_of("zombie_write"),
    "P8": put_out,
    "P9": check_of("duplicate_in_log"),
    "P11": check_of("lost_in_pipeline"),
    "P12": check_of("expired"),
    "P13": unheard,
    "P14": check_of("lost_in_pipeline"),
    "NP": gap_of_the_lossy,
    "N1": found_later,
    "N2": all_stored,
    "N3": handed_over,
    "N4": all_stored,
}
REPAIRED: dict[ControlName, Callable[[JudgedRun], Shown]] = {"P7": refused, "P13": unheard, "P14": dead_lettered_once}
"""Where the twin, too, must show something; elsewhere that it stored what was acknowledged is enough."""


def evidence(run: JudgedRun) -> Shown:
    """What a control's run shows."""
    name, repaired = control_of(run)
    return REPAIRED.get(name, all_stored)(run) if repaired else BROKEN[name](run)


def control_of(run: JudgedRun) -> tuple[ControlName, bool]:
    """Which control a run is, and whether it is the repaired one.

    Raises:
        UsageError: it is none.
    """
    name, _, rest = run.scenario.variant.partition(" ")
    for known in BROKEN:
        if run.scenario.name == "control" and known == name:
            return known, rest == "repaired"
    raise UsageError(f"run {run.folder.run_id} is not a control: its scenario is {run.scenario.name}")
