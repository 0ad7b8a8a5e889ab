"""How a stall is cut at what was seen in it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from factorylab.analysis.marks import Mark
from factorylab.analysis.stall_cut import BEFORE, Course, cut
from factorylab.core.clock import NS
from factorylab.scenarios.stall_phases import (
    BYSTANDER,
    CLIENT_DISCOVERY,
    CONTROLLER_ELECTION,
    FOLLOWER_LOST,
    LEADER_LOST,
    MEMBER_LOST,
    UNEXPLAINED,
    Moment,
    Phase,
)

UP_TO_ACK = tuple(p for p in LEADER_LOST[: LEADER_LOST.index(CLIENT_DISCOVERY) + 1] if p != CONTROLLER_ELECTION)
FOLLOWED = tuple(p for p in FOLLOWER_LOST[: FOLLOWER_LOST.index(CLIENT_DISCOVERY) + 1] if p != CONTROLLER_ELECTION)


def marks(**seconds: float) -> list[Mark]:
    return [Mark(name, round(s * NS), "a test") for name, s in seconds.items()]  # type: ignore[arg-type]


def pieces(
    course: list[Mark],
    chain: tuple[Phase, ...] = UP_TO_ACK,
    closing: Moment = "first_ack",
    span: tuple[float, float] = (6, 15),
    *,
    fresh: bool = True,
    still_open: bool = False,
    looked: bool = True,
) -> list[tuple[str, float, float]]:
    found = cut(round(span[0] * NS), round(span[1] * NS), still_open, Course(chain, closing, course, fresh), looked)
    assert found[0].start_ns == span[0] * NS and found[-1].end_ns == span[1] * NS
    assert all(a.end_ns == b.start_ns for a, b in pairwise(found)), "no hole, no overlap"
    return [(p.phase, p.start_ns / NS, p.end_ns / NS) for p in found]


def test_each_piece_has_the_phase_that_its_end_ends() -> None:
    """A lost leader: silence, fencing, election, discovery, from mark to mark."""
    seen = marks(injected=6.1, silent=6.2, fenced=14, leader_elected=14.1)
    assert pieces(seen) == [
        (BEFORE, 6, 6.1), ("silence", 6.1, 6.2), ("fencing", 6.2, 14), ("leader_election", 14, 14.1),
        ("client_discovery", 14.1, 15),
    ]  # fmt: skip


def test_what_was_not_seen_is_not_told_apart() -> None:
    """Without the line of the fencing, its time and that of the election are one piece with both names."""
    seen = marks(injected=5.9, silent=6.2, leader_elected=14.1)
    assert pieces(seen)[1] == ("fencing+leader_election", 6.2, 14.1)


def test_a_look_after_the_end_tells_only_that_it_happened() -> None:
    """The probe saw the ISR shrunk just after the acks were back: it shrank in the stall, and nobody knows when."""
    late = Mark("isr_shrunk", round(15.1 * NS), "probe", early_ns=round(0.3 * NS))
    assert pieces([*marks(injected=5.9, silent=6.2), late], FOLLOWED) == [
        ("silence", 6, 6.2), ("fencing+isr_shrink+client_discovery", 6.2, 15),
    ]  # fmt: skip


def test_what_happened_only_later_explains_nothing() -> None:
    """Where the ISR shrank five seconds after the acks were back, the stall ended for another reason."""
    assert pieces(marks(injected=5.9, silent=6.2, isr_shrunk=20), FOLLOWED)[-1] == (UNEXPLAINED, 6.2, 15)


@pytest.mark.parametrize(("looked", "last"), [(True, UNEXPLAINED), (False, "fencing+leader_election+client_discovery")])
def test_whether_nothing_happened_depends_on_whether_anybody_looked(looked: bool, last: str) -> None:
    """A leader that stayed explains nothing; a leader that nobody looked at may have changed."""
    assert pieces(marks(injected=5.9, silent=6.2), looked=looked)[-1][0] == last


def test_a_victim_that_came_back_before_it_was_given_up() -> None:
    """Healed inside its session, without an election: it was away, and then it returned."""
    assert pieces(marks(injected=5.9, silent=6.2, healed=12)) == [
        ("silence", 6, 6.2), ("heal", 6.2, 12), ("victim_return", 12, 15),
    ]  # fmt: skip


def test_a_healing_that_was_noted_after_the_end_may_have_ended_it() -> None:
    """The injector noted the healing just after the acks were back, and had begun it before: not told apart."""
    noted = Mark("healed", round(15.1 * NS), "fault step 'healed'", early_ns=round(0.2 * NS))
    assert pieces([*marks(injected=5.9, silent=6.2), noted])[-1] == ("heal+victim_return", 6.2, 15)


def test_a_healing_after_the_election_cuts_nothing() -> None:
    """Once another leads, it is the client's turn, whether the victim is back or not."""
    seen = marks(injected=5.9, silent=6.2, fenced=12, leader_elected=12.1, healed=13)
    assert pieces(seen)[-1] == ("client_discovery", 12.1, 15)


def test_an_open_stall_ends_with_all_that_may_still_come() -> None:
    """Not over when it was last watched: what is open names each phase that was not seen."""
    assert pieces(marks(injected=5.9, silent=6.2), still_open=True)[-1][0] == "fencing+leader_election+client_discovery"


def test_a_later_stall_is_told_from_what_lies_in_it() -> None:
    """The partition was served in between: the fencing before says nothing about it, a new election does."""
    before = marks(injected=1, silent=1.1, fenced=3, leader_elected=3.1)
    assert pieces(before, fresh=False) == [(UNEXPLAINED, 6, 15)]
    assert pieces([*before, *marks(leader_elected=14)], fresh=False) == [
        (UNEXPLAINED, 6, 14), ("client_discovery", 14, 15),
    ]  # fmt: skip


def test_a_group_that_lost_a_member_goes_through_its_own_phases() -> None:
    """Removed, assigned, polled, committed: a stall of stores after a processor's death."""
    seen = marks(injected=6, silent=6.1, removed=12, assigned=12.1, first_read=12.4)
    assert [name for name, _, _ in pieces(seen, MEMBER_LOST, "first_commit")] == [
        "silence", "member_removal", "assignment", "first_poll", "group_first_commit",
    ]  # fmt: skip


def test_a_session_that_ran_out_beside_a_brokers_death_is_told() -> None:
    """After the broker's own phases those of the group follow, in the order of time."""
    chain = tuple(phase for phase in BYSTANDER if phase != CONTROLLER_ELECTION)
    seen = marks(injected=6, silent=6.1, fenced=9, removed=12, assigned=12.1, first_read=12.4)
    assert [name for name, _, _ in pieces(seen, chain, "first_commit")] == [
        "silence", "fencing", "member_removal", "assignment", "first_poll", "group_first_commit",
    ]  # fmt: skip


def test_a_living_members_partition_waits_for_the_rebalance() -> None:
    """Its stall begins when the dead member is removed: until it is assigned again, whoever was silent before."""
    seen = marks(injected=1, silent=1.1, removed=6, assigned=6.5, first_read=6.8)
    assert [name for name, _, _ in pieces(seen, MEMBER_LOST, "first_commit", fresh=False)] == [
        "assignment", "first_poll", "group_first_commit",
    ]  # fmt: skip


def test_a_phase_began_with_the_one_before_it_in_its_chain() -> None:
    """A batch that waits for its alerts spans the fencing: of that it took a part, and its poll began the delivery."""
    chain = tuple(phase for phase in BYSTANDER if phase != CONTROLLER_ELECTION)
    seen = marks(injected=1, silent=1.1, first_read=5.9, fenced=9, begun=14)
    found = cut(6 * NS, 15 * NS, False, Course(chain, "first_commit", seen, fresh=False), looked=True)
    began = {piece.phase: piece.begun.moment for piece in found if piece.begun}
    assert began == {"fencing": "silent", "delivery": "first_read", "first_commit": "begun"}


def test_a_session_that_ran_out_while_nothing_was_acknowledged_held_nobody_up() -> None:
    """A group that loses a member before the first acknowledgement has nothing to read: the producer is slow."""
    chain = tuple(phase for phase in LEADER_LOST if phase != CONTROLLER_ELECTION)
    seen = marks(injected=6, silent=6.1, fenced=9, leader_elected=9.1, removed=10, assigned=10.1, first_ack=14)
    assert pieces([*seen, *marks(first_read=14.1, begun=14.2)], chain, "first_commit")[-4:] == [
        ("client_discovery", 9.1, 14), ("consumer_discovery", 14, 14.1), ("delivery", 14.1, 14.2),
        ("first_commit", 14.2, 15),
    ]  # fmt: skip


@pytest.mark.parametrize(("removed_s", "began"), [(5.5, "removed"), (1.5, None)])
def test_a_removal_of_long_ago_began_no_assignment(removed_s: float, began: str | None) -> None:
    """Another rebalance, as when the member came back, has a beginning of its own: that of the stall."""
    seen = marks(injected=1, silent=1.1, removed=removed_s, assigned=6.5)
    first = cut(6 * NS, 15 * NS, False, Course(MEMBER_LOST, "first_commit", seen, fresh=False), looked=True)[0]
    assert first.phase == "assignment" and (first.begun and first.begun.moment) == began


def test_a_batch_that_waits_for_its_alerts_is_a_delivery() -> None:
    """Polled before the stall, stored at its end: the transaction could not begin."""
    seen = marks(first_read=5.95, begun=14.9)
    assert pieces(seen, BYSTANDER, "first_commit", fresh=False) == [("delivery", 6, 14.9), ("first_commit", 14.9, 15)]
