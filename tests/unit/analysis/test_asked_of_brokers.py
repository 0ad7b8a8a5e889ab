"""What is only asked of brokers leaves them running: what it did is told apart from a broker's or a member's loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.courses import Courses
from factorylab.analysis.recovery import recovery
from factorylab.analysis.sight import Sight
from factorylab.scenarios.stall_phases import BYSTANDER, FOLLOWER_LOST, LEADER_LOST
from tests.support.histories import History, at_ns, healthy, scenario


def history(folder: Path, kind: str, nodes: tuple[str, ...] = ("broker-1",)) -> History:
    """A fault of this kind on each of the nodes, held from 6 to 10 s; broker-2 leads p0 from 5.9 s on."""
    faults = [
        {"kind": kind, "target": node.replace("-", ":"), "at_s": 5 * n, "hold_s": 4} for n, node in enumerate(nodes)
    ]
    h = healthy(folder, scenario(faults=faults))
    for number, node in enumerate(nodes):
        h.fault(node, 6, 10, kind=kind, number=number)
    looks = h["partitions"]
    looks.loc[(looks["partition"] == 0) & looks["t_ns"].between(at_ns(6.1), at_ns(10)), ["leader", "epoch"]] = 2, 1
    return h


@pytest.mark.parametrize(("kind", "of_what_it_follows"), [("pause", FOLLOWER_LOST), ("demote", BYSTANDER)])
def test_a_demoted_broker_goes_on_following(tmp_path: Path, kind: str, of_what_it_follows: object) -> None:
    """What it led has lost its leader; what it follows has lost nobody, as with a broker that is frozen."""
    courses = Courses(history(tmp_path, kind).run())
    hit = courses.victims(0)
    assert courses.role(hit, 0) is LEADER_LOST and courses.role(hit, 2) is of_what_it_follows


@pytest.mark.parametrize(("kind", "excused"), [("pause", True), ("demote", False)])
def test_a_demotion_excuses_no_blind_probe(tmp_path: Path, kind: str, excused: bool) -> None:
    """Frozen brokers answer no probe; demoted ones do, so that what was not seen of them is a gap."""
    h = history(tmp_path, kind, ("broker-1", "broker-2", "broker-3"))
    looks = h["partitions"]
    h["partitions"] = looks[~looks["t_ns"].between(at_ns(6.2), at_ns(9.8))]
    (unseen,) = [
        told.unseen for told in Sight(h.run()).quantities() if (told.what, told.partition) == ("the leader", 0)
    ]
    assert (unseen == []) == excused


def test_felt_before_the_answer(tmp_path: Path) -> None:
    """A leader that moved before the request was answered was seen at once, not missed."""
    h = history(tmp_path, "demote")
    steps = h["faults"]
    steps.loc[steps["step"].isin(["injected", "evidence"]), "t_ns"] += at_ns(2) - at_ns(0)
    (found,) = recovery(h.run()).itertuples()
    assert (found.detection_s, found.detection_censored) == (0, False)
