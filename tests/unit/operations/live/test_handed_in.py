"""Which moments of a run a hand-in shows, and what it says of them to those who do not see them."""

from __future__ import annotations

from factorylab.operations.live.handed_in import seen, telling
from factorylab.operations.live.moments import FaultShown, Flow, Lag, Moment, NodeShown

KILLED = [FaultShown("broker-2", "kill", 1.0)]


def course(held: range, behind_until: int, count: int = 40) -> list[Moment]:
    """Two moments a second; a lag of 9 s from the fault on, as long as is said."""
    return [
        Moment(
            at_s=number / 2,
            lab="replayed",
            subject="",
            faults=KILLED if number in held else [],
            lag=Lag(seconds=9.0 if held.start <= number < behind_until else 0.2),
        )
        for number in range(count)
    ]


def test_before_in_and_after_the_fault() -> None:
    """A second before it, the middle of it, and the first moment after it at which the group keeps up again."""
    assert telling(course(range(10, 20), behind_until=25)) == {"before": 8, "during": 15, "after": 25}


def test_a_backlog_that_stays_is_not_called_caught_up() -> None:
    """Where the group never keeps up again the last picture is that of the end, and its name says so."""
    assert telling(course(range(10, 20), behind_until=40)) == {"before": 8, "during": 15, "end": 39}


def test_an_unknown_lag_is_no_catching_up() -> None:
    """A moment at which nobody could tell the lag is not taken for one without a lag."""
    found = course(range(10, 20), behind_until=20)
    found[20:23] = [Moment(at_s=one.at_s, lab="replayed", subject="") for one in found[20:23]]
    assert telling(found)["after"] == 23


def test_without_a_fault_there_is_one_picture() -> None:
    """It is taken midway."""
    assert telling(course(range(0), behind_until=0)) == {"midway": 20}


def test_a_picture_is_told_in_words() -> None:
    """Fault, nodes, rates and lag; what is not known is not 0."""
    nodes = [NodeShown("broker-1", "broker", "running"), NodeShown("broker-2", "broker", "dead", ["kill"])]
    flow = Flow(offered_per_s=2000.4, acked_per_s=0.0)
    moment = Moment(at_s=12.34, lab="replayed", subject="", faults=KILLED, nodes=nodes, flow=flow)
    assert "; nodes not known; offered not known/s" in seen(Moment(at_s=1.0, lab="replayed", subject=""))
    assert seen(moment) == (
        "Live page at 12.3 s: kill broker-2; broker-2 dead; offered 2,000/s, acknowledged 0/s, stored not known/s; "
        "lag in records not known"
    )
