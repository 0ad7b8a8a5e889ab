"""A stall is cut at the marks that lie in it, and each piece is named after the phase that its end ends.

Where a phase between two marks left none of its own, the piece has the names of all that it may hold, joined by "+":
they were not told apart. The pieces cover the stall exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from factorylab.analysis.intervals import SAME_REBALANCE_S
from factorylab.analysis.marks import Mark, ordered
from factorylab.core.clock import NS
from factorylab.scenarios.stall_phases import (
    ASSIGNMENT,
    CHAINS,
    HEAL,
    MEMBER_LOST,
    MEMBER_REMOVAL,
    SILENCE,
    UNEXPLAINED,
    VICTIM_RETURN,
    Moment,
    Phase,
)

GIVEN_UP: tuple[Moment, ...] = ("leader_elected", "isr_shrunk", "assigned", "store_back", "unfenced")
"""What shows that the system went on without the victim, or has it back: what comes after is the clients' turn."""
BEFORE = "before_fault"
OF_THE_GROUP = {MEMBER_REMOVAL.ends, ASSIGNMENT.ends}
_BY_END = {phase.ends: phase for chain in reversed(CHAINS) for phase in chain}


class Piece(NamedTuple):
    """From `start_ns` to `end_ns` in the stall; `begun` and `ended` are its marks, None at the ends of the stall, which
    are known exactly."""

    phase: str
    start_ns: int
    end_ns: int
    open: bool
    begun: Mark | None
    ended: Mark | None


class Course(NamedTuple):
    """What a stall may have gone through: the chain of phases, without those that are known not to be in it, what ends
    it, and the marks of its fault. `fresh`: it began with the fault; else the partition was served in between, and only
    what lies in the stall tells about it. `in_want`: nobody could take the victim's place before it was healed."""

    chain: tuple[Phase, ...]
    closing: Moment
    marks: Sequence[Mark]
    fresh: bool
    in_want: bool = False


def cut(start_ns: int, end_ns: int, still_open: bool, course: Course, looked: bool) -> list[Piece]:
    """The pieces of one stall. `looked`: the probe saw leader and ISR in it, so what it did not see did not happen."""
    course, explained = _settled(course, end_ns, still_open, looked)
    names = _Names(course, start_ns)
    if _polled_before(course):
        names.pass_by("first_read", known=True)
    at, begun, pieces = start_ns, None, list[Piece]()
    for mark in _telling(course, start_ns, end_ns):
        name = names.pass_by(mark.moment, known=course.fresh or begun is not None)
        if "+" in name and not explained and any(phase.ends in GIVEN_UP for phase in course.chain):
            name = UNEXPLAINED  # the victim was not given up in time: what was not seen did not happen
        if mark.t_ns > start_ns:
            pieces.append(Piece(name, at, mark.t_ns, False, names.began(name, mark.moment, mark.t_ns, begun), mark))
            at = mark.t_ns
        begun = mark
    known = begun is not None and (course.fresh or explained or names.at_work)
    last = names.pass_by(course.closing, known=known and (explained or names.at_work))
    return [*pieces, Piece(last, at, end_ns, still_open, names.began(last, course.closing, end_ns, begun), None)]


def _settled(course: Course, end_ns: int, still_open: bool, looked: bool) -> tuple[Course, bool]:
    """The course with what can be told apart, and whether it says how the stall ended: the system went on without the
    victim, the victim came back before that, or it cannot be known."""
    marks = [m for m in course.marks if not _too_late(m, course, end_ns)]
    blurred = any(m.moment in GIVEN_UP for m in set(course.marks) - set(marks))
    went_on = [m for m in marks if m.moment in GIVEN_UP]
    served_ns = min((m.t_ns for m in marks if m.moment == "first_ack"), default=end_ns)
    before = any(m.t_ns <= served_ns for m in went_on)
    back = course.fresh and any(m.moment == "healed" and m.t_ns - m.early_ns < served_ns for m in marks)
    if back and not before and not blurred and any(phase.ends in GIVEN_UP for phase in course.chain):
        returned = course._replace(chain=_of_return(course, acked=served_ns < end_ns))
        return returned._replace(marks=[m for m in marks if not _too_late(m, returned, end_ns)]), True
    unknown = still_open or blurred or (not looked and not went_on)
    return course._replace(marks=marks), any(m.t_ns <= end_ns for m in went_on) or unknown


def _of_return(course: Course, *, acked: bool) -> tuple[Phase, ...]:
    """The chain of a victim that came back before it was given up: to the first acknowledgement, where that was before
    the end, and then the consumer's part."""
    ends: Moment = "first_ack" if acked else course.closing
    after = [i for i, phase in enumerate(course.chain) if phase.ends == ends]
    return (
        SILENCE,
        HEAL,
        VICTIM_RETURN._replace(ends=ends),
        *course.chain[after[0] + 1 if after else len(course.chain) :],
    )


def _too_late(mark: Mark, course: Course, end_ns: int) -> bool:
    """Was it seen only after something that it must have come before, though it may have happened in time?"""
    order = [phase.ends for phase in course.chain]
    if mark.moment not in order:
        return False
    later = [m.t_ns for m in course.marks if m.moment in order[order.index(mark.moment) + 1 :]]
    return any(mark.t_ns - mark.early_ns < by_ns < mark.t_ns for by_ns in [*later, end_ns])


def _telling(course: Course, start_ns: int, end_ns: int) -> list[Mark]:
    """The marks that cut this stall, in order: those of its chain, of the group, and the healing where all waited for
    it. The poll of what ended it counts however early it was; what the group did while there was nothing new to read
    held nobody up."""
    own = {phase.ends for phase in course.chain} - {course.closing} | {"injected", "unfenced"} | OF_THE_GROUP
    own |= {HEAL.ends} if course.fresh and course.in_want else set()
    found = [m for m in course.marks if m.moment in own and m.t_ns < end_ns]
    acked_ns = max((m.t_ns for m in found if m.moment == "first_ack"), default=0)
    found = [m for m in found if m.moment not in OF_THE_GROUP or m.t_ns > acked_ns]
    if _polled_before(course):
        found = [m for m in found if m.moment != "first_read"]
    return ordered([m for m in found if course.fresh or m.t_ns > start_ns or m.moment == "first_read"])


def _polled_before(course: Course) -> bool:
    """Had the fault not begun yet when what ended the stall was polled?"""
    moments = {m.moment: m.t_ns for m in course.marks if m.moment in ("injected", "first_read")}
    return course.fresh and len(moments) == 2 and moments["first_read"] < moments["injected"]


class _Names:
    """The name of each piece, in the order of time."""

    def __init__(self, course: Course, start_ns: int) -> None:
        self._chain, self._at = course.chain, -1
        self._marks = course.marks
        self._seen = {m.moment for m in course.marks} | {"injected"}
        self._healed = self._switched = False
        self._fresh, self._start_ns = course.fresh, start_ns

    @property
    def at_work(self) -> bool:
        """Was a moment of the clients' own work passed?"""
        return self._at >= 0 and self._chain[self._at].ends in ("first_read", "begun")

    def pass_by(self, moment: Moment, *, known: bool) -> str:
        """The name of what a moment ends, UNEXPLAINED where it is not `known` what began it."""
        if moment in ("injected", "unfenced"):
            return BEFORE if moment == "injected" else UNEXPLAINED
        self._healed |= moment == "healed"
        known |= moment in OF_THE_GROUP
        if moment in OF_THE_GROUP and ASSIGNMENT not in self._chain:
            self._chain, self._at, self._switched = MEMBER_LOST, 0, True
        places = [i for i, phase in enumerate(self._chain) if phase.ends == moment]
        if not places:
            return _BY_END[moment].name if known else UNEXPLAINED
        (at,) = places
        unseen = [phase.name for phase in self._chain[self._at + 1 : at] if phase.ends not in self._seen]
        self._at = max(self._at, at)
        if not known:
            return UNEXPLAINED
        return "+".join([*([] if self._healed else unseen), self._chain[at].name])

    def began(self, name: str, moment: Moment, t_ns: int, last: Mark | None) -> Mark | None:
        """The mark that began what a moment ended: the nearest before it in the chain, whatever else was seen between;
        where the chain has none, the `last` that was passed."""
        order = [phase.ends for phase in self._chain]
        if name in (BEFORE, UNEXPLAINED) or self._switched or moment not in order:
            return last
        before = {
            m.moment: m for m in ordered(self._marks) if m.moment in order[: order.index(moment)] and m.t_ns <= t_ns
        }
        found = max(before.values(), key=lambda m: order.index(m.moment), default=last)
        older = found is not None and found.t_ns < self._start_ns - SAME_REBALANCE_S * NS  # it was of another rebalance
        return None if older and moment in OF_THE_GROUP and not self._fresh else found
