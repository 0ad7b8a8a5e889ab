"""Which phases a stall may have gone through, and the marks of them that were seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from factorylab.analysis.control_log import control_events
from factorylab.analysis.group_marks import of_commit, of_group, store_back
from factorylab.analysis.marks import Mark, Victims, ends_in_order, logged, of_fault, victims, was_controller
from factorylab.analysis.partition_marks import PartitionHistory
from factorylab.analysis.readings import Readings
from factorylab.analysis.service import fault_windows
from factorylab.analysis.silence import STALL_S
from factorylab.analysis.stall_cut import Course
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.stall_phases import (
    BYSTANDER,
    CLIENT_DISCOVERY,
    CONTROLLER_ELECTION,
    FENCING,
    FOLLOWER_LOST,
    ISR_EXPANSION,
    LEADER_LOST,
    MEMBER_LOST,
    MEMBER_REMOVAL,
    REPLICA_BACK,
    SILENCE,
    STORE_LOST,
    Moment,
    Phase,
)


class Part(NamedTuple):
    """From `start_ns` to `end_ns` a stall is about `fault`."""

    fault: int
    start_ns: int
    end_ns: int


class Courses:
    """Of all stalls of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._victims: dict[int, Victims] = {}
        self._of_fault: dict[int, list[Mark]] = {}
        self._histories: dict[int, PartitionHistory] = {}

    def victims(self, fault: int) -> Victims:
        if fault not in self._victims:
            self._victims[fault] = victims(self._run, fault)
        return self._victims[fault]

    def history(self, partition: int) -> PartitionHistory:
        if partition not in self._histories:
            self._histories[partition] = PartitionHistory(self._run, partition)
        return self._histories[partition]

    def marks_of_fault(self, fault: int) -> list[Mark]:
        if fault not in self._of_fault:
            self._of_fault[fault] = of_fault(self._run, self.victims(fault))
        return self._of_fault[fault]

    def parts(self, stall: Any) -> list[Part]:
        """The stall in parts, one for each fault that began in it and hit the partition: what holds it up is then that
        fault's as well."""
        span, windows = span_of(self._run, stall), fault_windows(self._run)
        later = {}
        for fault in sorted(set(windows["fault"]) - {stall.fault}):
            hit = self.victims(fault)
            concerned = self.chain(hit, stall.partition, stall.service) not in (BYSTANDER, (SILENCE,))
            if concerned and span[0] < hit.intended_ns < span[1]:
                later[hit.intended_ns] = fault
        starts = [span[0], *sorted(later)]
        faults = [stall.fault, *(later[t_ns] for t_ns in sorted(later))]
        return [Part(*part) for part in zip(faults, starts, [*starts[1:], span[1]], strict=True)]

    def of(self, stall: Any, part: Part, found: pd.DataFrame) -> Course:
        """The course of a part of a stall; `found`: all of the run, as `stalls` has them."""
        hit, span = self.victims(part.fault), span_of(self._run, stall)
        mine = found[found["partition"] == stall.partition]
        stores = stall.service == "stores"
        waits = self._all_acknowledge or self.role(hit, stall.partition) is not FOLLOWER_LOST
        unacked = self._unacked(part.fault, mine, span) if stores and waits else []
        acks = [Mark("first_ack", end_ns, "the first acknowledgement after") for _, end_ns in unacked]
        marks = [*self.marks_of_fault(part.fault), *self.of_partition(hit, stall.partition), *acks]
        if stores:
            marks += [*of_group(self._run, hit, stall.partition), *of_commit(self._run, stall.partition, span[1])]
            marks += [mark] if hit.database and (mark := store_back(self._run, hit)) else []
        chain = self._without(self.chain(hit, stall.partition, stall.service), hit, stall.partition)
        if stores and not acks:
            chain = tuple(phase for phase in chain if phase != CLIENT_DISCOVERY)
        closing: Moment = "first_commit" if stores else "first_ack"
        before = mine[(mine["service"] == stall.service) & (mine["fault"] != part.fault)]
        follows = bool((abs(before["end_s"] - stall.start_s) < 1e-9).any())
        waiting = any(start_ns <= part.start_ns < end_ns for start_ns, end_ns in unacked)
        fresh = waiting or part.start_ns <= self._by_ns(part.fault) or (follows and hit.intended_ns <= part.start_ns)
        if not fresh and (back := self._replica_back(hit, stall.partition, span)):
            kept = [m for m in marks if m.moment in ("first_read", "begun")]
            expansion = ISR_EXPANSION._replace(ends="first_read" if stores else closing)
            chain = (expansion, *REPLICA_BACK[1:])
            return Course(_up_to(chain, closing), closing, [back, *kept], fresh=True)
        missed = self._missed(hit, stall.partition, marks)
        if missed and MEMBER_REMOVAL in chain:  # it came back as the same member
            chain = tuple(phase for phase in chain if phase != MEMBER_REMOVAL)
        return Course(_up_to(chain, closing), closing, marks, fresh, missed)

    def _replica_back(self, hit: Victims, partition: int, span: tuple[int, int]) -> Mark | None:
        """The victim's return, where the stall began with it and ended with the ISR full again, both by the logs."""
        near_ns = STALL_S * NS
        lines = [e for e in control_events(self._run) if e.kind == "unfenced" and e.broker in hit.brokers]
        back = [logged(self._run, "unfenced", e) for e in lines if abs(e.t_ns - span[0]) <= near_ns]
        full = [self.history(partition).full(mark.t_ns) for mark in back]
        return back[0] if any(mark and abs(mark.t_ns - span[1]) <= near_ns for mark in full) else None

    def _missed(self, hit: Victims, partition: int, marks: Sequence[Mark]) -> bool:
        """Had all to wait for the victim? The partition had no leader, or none was removed from the group, and it went
        to the victim again."""
        first = {mark.moment: mark for mark in sorted(marks, key=lambda m: m.t_ns, reverse=True)}
        if "healed" not in first:
            return False
        if hit.processors:
            back = {f"callback of {name}" for name in hit.processors}
            return "removed" not in first and "assigned" in first and first["assigned"].source in back
        return self.history(partition).leaderless(hit.intended_ns, first["healed"].t_ns)

    def _by_ns(self, fault: int) -> float:
        """A stall that began later did not begin with the fault."""
        marks = self.marks_of_fault(fault)
        return STALL_S * NS + next((m.t_ns for m in marks if m.moment == "silent"), self.victims(fault).intended_ns)

    def _unacked(self, fault: int, mine: pd.DataFrame, span: tuple[int, int]) -> list[tuple[int, int]]:
        """Those stalls of acks that began with the fault and overlap with one of stores."""
        spans = [
            span_of(self._run, one) for one in each(mine[(mine["service"] == "acks") & ~mine["open"].astype(bool)])
        ]
        by_ns = self._by_ns(fault)
        return [(start, end) for start, end in spans if start <= by_ns and start < span[1] and end > span[0]]

    def of_partition(self, hit: Victims, partition: int) -> list[Mark]:
        """Elections where the victim led, and shrinks of the ISR where it followed."""
        role = self.role(hit, partition)
        if role is LEADER_LOST:
            return self.history(partition).elections(hit.intended_ns)
        return self.history(partition).shrinks(hit) if role is FOLLOWER_LOST else []

    def role(self, hit: Victims, partition: int) -> tuple[Phase, ...]:
        """The chain of what the victims were to the partition when the fault began."""
        if not hit.brokers:
            return STORE_LOST if hit.database else MEMBER_LOST
        before = self.history(partition).before(hit.intended_ns)
        if before.leader in hit.brokers:
            return LEADER_LOST
        return FOLLOWER_LOST if before.isr & hit.brokers and not hit.by_request else BYSTANDER

    def chain(self, hit: Victims, partition: int, service: str) -> tuple[Phase, ...]:
        """The chain of one service: acks need no group and no store, and with acks=1 no follower."""
        role = self.role(hit, partition)
        if service == "acks" and role in (STORE_LOST, MEMBER_LOST):
            return (SILENCE,)
        return BYSTANDER if service == "acks" and role is FOLLOWER_LOST and not self._all_acknowledge else role

    @cached_property
    def _all_acknowledge(self) -> bool:
        return Readings(self._run).acks in {"all", "-1"}

    def _without(self, chain: tuple[Phase, ...], hit: Victims, partition: int) -> tuple[Phase, ...]:
        """The chain without what is known not to have been in it."""
        left_out = [] if was_controller(self._run, hit) else [CONTROLLER_ELECTION]
        if ends_in_order(self._run, hit):  # it is silent only after it handed over
            left_out += [SILENCE, FENCING, CONTROLLER_ELECTION]
        elif chain is FOLLOWER_LOST and self.history(partition).shrunk_by_leader(hit):
            left_out.append(FENCING)
        return tuple(phase for phase in chain if phase not in left_out)


def span_of(run: Run, stall: Any) -> tuple[int, int]:
    """Beginning and end of a row of `stalls`, ns."""
    return round(stall.start_s * NS) + run.t0_ns, round(stall.end_s * NS) + run.t0_ns


def _up_to(chain: tuple[Phase, ...], closing: Moment) -> tuple[Phase, ...]:
    """The phases up to the one that ends the stall; of a chain that has none, those that are not the clients' work."""
    ends = [phase.ends for phase in chain]
    if closing in ends:
        return chain[: ends.index(closing) + 1]
    return tuple(phase for phase in chain if phase.ends not in ("first_read", "begun", "first_commit"))
