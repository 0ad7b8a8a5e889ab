"""What cannot be true together: moments of one fault in an order that no cluster can produce, or two sources at odds.

A boundary in such an order is either wrong or noted by a wrong clock; it is told, and the anatomy stays as it was seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from factorylab.analysis.courses import Courses
from factorylab.analysis.log_lines import STAMP_NS, clock_error_ns
from factorylab.analysis.marks import Mark, ends_in_order
from factorylab.analysis.service import fault_windows
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run
from factorylab.scenarios.stall_phases import Phase

CLOCK_S = 0.05
"""A wall clock that strays further from the monotonic one in a run was set meanwhile; on recorded runs it strays by
microseconds."""
PROPAGATION_S = 2.0
"""Brokers hear of an election one after the other, and the probe asks all of them: on recorded runs it saw an epoch up
to 0.44 s before the new leader itself had begun it."""
NOWHERE = -1


class Contradiction(NamedTuple):
    """`fault` and `partition` are NOWHERE where it is about none."""

    fault: int
    partition: int
    text: str

    @property
    def words(self) -> str:
        places = (("fault", self.fault), ("partition", self.partition))
        where = ", ".join(f"{name} {number}" for name, number in places if number != NOWHERE)
        return f"{where}: {self.text}" if where else self.text


def contradictions(run: Run) -> list[Contradiction]:
    """All that were found: moments of a fault out of order, elections that the probe saw long before they were logged,
    and a clock that was set during the run.

    Raises:
        UsageError: the run was interrupted.
    """
    courses, found = Courses(run), list[Contradiction]()
    error_s = clock_error_ns(run) / NS
    if error_s > CLOCK_S and len(run.workers):
        text = f"the wall clock strayed by {error_s:.3f} s during the run: times of log lines are as uncertain"
        found.append(Contradiction(NOWHERE, NOWHERE, text))
    for fault in sorted(set(fault_windows(run)["fault"])):
        for partition in range(run.scenario.topology.partitions):
            found += _out_of_order(run, courses, int(fault), partition)
    for partition in range(run.scenario.topology.partitions):
        found += _seen_before_logged(run, courses, partition)
    return found


def _out_of_order(run: Run, courses: Courses, fault: int, partition: int) -> Iterator[Contradiction]:
    hit = courses.victims(fault)
    chain = courses.chain(hit, partition, "acks")
    marks = [*courses.marks_of_fault(fault), *courses.of_partition(hit, partition)]
    orderly = ends_in_order(run, hit)
    for one, other in combinations(_firsts(marks, chain), 2):
        handed_over = orderly and {one.moment, other.moment} & {"silent", "controller_elected"}
        if not handed_over and other.t_ns + other.late_ns < one.t_ns - one.early_ns:
            words = [f"{m.moment} at {(m.t_ns - run.t0_ns) / NS:.3f} s ({m.source})" for m in (other, one)]
            yield Contradiction(fault, partition, f"{words[0]} before {words[1]}")


def _firsts(marks: Sequence[Mark], chain: tuple[Phase, ...]) -> list[Mark]:
    """The first mark of each moment of a chain, in the chain's order."""
    first: dict[str, Mark] = {}
    for mark in sorted(marks, key=lambda m: m.t_ns):
        first.setdefault(mark.moment, mark)
    return [first[phase.ends] for phase in chain if phase.ends in first]


def _seen_before_logged(run: Run, courses: Courses, partition: int) -> Iterator[Contradiction]:
    history, error_ns = courses.history(partition), clock_error_ns(run) + STAMP_NS + PROPAGATION_S * NS
    logged = history.first_logged()
    for epoch, t_ns in history.first_seen():
        if epoch in logged and t_ns < logged[epoch] - error_ns:
            early_s = (logged[epoch] - t_ns) / NS
            text = f"the probe saw leader epoch {epoch} {early_s:.3f} s before its leader's log says that it began"
            yield Contradiction(NOWHERE, partition, text)
