"""A stall is cut at the marks that lie in it, and each piece is named after the phase that its end ends.

Where a phase between two marks left none of its own, the piece has the names of all that it may hold, joined by "+":
they were not told apart. The pieces cover the stall exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from factorylab.analysis.marks import Mark, ordered
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

GIVEN_UP: tuple[Moment, ...] = ("leader_elected", "isr_shrunk", "assigned", "store_back")
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
    """What a stall may have gone through: the chain of phases, without those that are known not to be in it, what ended
    it, the marks of its fault, and from when on they count."""

    chain: tuple[Phase, ...]
    closing: Moment
    marks: Sequence[Mark]
    since_ns: int


def cut(start_ns: int, end_ns: int, still_open: bool, course: Course, looked: bool) -> list[Piece]:
    """The pieces of one stall. `looked`: the probe saw leader and ISR in it, so what it did not see did not happen."""
    marks = [m for m in _telling(course, end_ns) if m.t_ns > course.since_ns]
    given_up = any(m.moment in GIVEN_UP and m.t_ns <= end_ns for m in marks)
    back = next((m for m in marks if m.moment == "healed" and m.t_ns < end_ns), None)
    chain = course.chain if given_up or back is None else (SILENCE, HEAL, VICTIM_RETURN._replace(ends=course.closing))
    if chain is not course.chain:
        marks = [m for m in marks if m.moment in ("injected", "silent", "healed")]
    names = _Names(chain, {m.moment for m in course.marks} | {"injected"})
    at, begun, pieces = start_ns, None, list[Piece]()
    for mark in marks:
        if mark.t_ns <= start_ns:
            names.pass_by(mark.moment)
            begun = mark
        elif mark.t_ns < end_ns:
            pieces.append(Piece(names.pass_by(mark.moment), at, mark.t_ns, False, begun, mark))
            at, begun = mark.t_ns, mark
    explained = given_up or back is not None or still_open or not looked or names.at_work
    last = names.pass_by(course.closing) if explained else UNEXPLAINED
    return [*pieces, Piece(last, at, end_ns, still_open, begun, None)]


def _telling(course: Course, end_ns: int) -> list[Mark]:
    """The marks that cut this stall, in order: those of its chain, of the group, and the healing where it came before
    the system had gone on without the victim."""
    own = {phase.ends for phase in course.chain} - {course.closing} | {"injected"}
    gone_on = min((m.t_ns for m in course.marks if m.moment in GIVEN_UP), default=end_ns)
    found = [m for m in course.marks if m.moment in own | OF_THE_GROUP]
    found += [m for m in course.marks if m.moment == "healed" and m.t_ns < gone_on and "store_back" not in own]
    return ordered(found)


class _Names:
    """The name of each piece, in the order of time; `seen` are the moments that have a mark at all."""

    def __init__(self, chain: tuple[Phase, ...], seen: set[Moment]) -> None:
        self._chain, self._seen, self._at = chain, seen, -1

    @property
    def at_work(self) -> bool:
        """Was a moment of the clients' own work passed?"""
        return self._at >= 0 and self._chain[self._at].ends in ("first_read", "begun")

    def pass_by(self, moment: Moment) -> str:
        if moment == "injected":
            return BEFORE
        if moment in OF_THE_GROUP and ASSIGNMENT not in self._chain:
            self._chain, self._at = MEMBER_LOST, 0
        places = [i for i, phase in enumerate(self._chain) if phase.ends == moment]
        if not places:
            return _BY_END[moment].name
        (at,) = places
        unseen = [phase.name for phase in self._chain[self._at + 1 : at] if phase.ends not in self._seen]
        self._at = max(self._at, at)
        return "+".join([*unseen, self._chain[at].name])
