"""Chosen roles: how they are written, resolved at injection, and arranged beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from types import SimpleNamespace

import pytest

from factorylab.cluster.faults.arrange import Moves, Placement, fewest_moves
from factorylab.cluster.faults.targets import Roles, resolve
from factorylab.cluster.views import PartitionView
from factorylab.core.errors import LabError, ScenarioError, WaitTimeout
from factorylab.core.names import Names
from factorylab.execution import runner
from factorylab.execution.runner import Experiment
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Scenario, scenario_from
from factorylab.scenarios.targets import TargetParts, parts

BROKERS = (1, 2, 3)
TARGETS = (
    "leader:0-controller-coordinator",
    "leader:0+controller-coordinator",
    "leader:0-controller+coordinator",
    "leader:0+controller+coordinator",
    "follower:0-leader-controller-coordinator",
    "follower:1+leader+controller",
)


class Answers:
    """A cluster that answers from memory."""

    def __init__(self, views: Mapping[int, PartitionView], coordinator: int, controller: int) -> None:
        self.views, self.coordinates, self.controls = views, coordinator, controller

    def partitions(self, topic: str) -> list[PartitionView]:
        return list(self.views.values())

    def coordinator(self, group: str) -> int:
        return self.coordinates

    def controller(self) -> int:
        return self.controls


def view(partition: int, *replicas: int) -> PartitionView:
    return PartitionView(partition, replicas[0], 0, replicas, replicas)


def factory(controller: int = 1, coordinator: int = 2) -> Placement:
    """Three partitions with two replicas each, as a new topic has them."""
    others = [broker for broker in BROKERS if broker != coordinator]
    views = {0: view(0, 1, 2), 1: view(1, 2, 3), 2: view(2, 3, 1)}
    return Placement(views, view(1, coordinator, *others), controller, BROKERS)


def moved(now: Placement, moves: Moves) -> Roles:
    """The roles when the moves are made."""
    views = {**now.views, **{p: view(p, *replicas) for p, replicas in moves.readings.items()}}
    coordinator = next((replicas[0] for replicas in moves.offsets.values()), now.coordination.leader)
    answers = Answers(views, coordinator, now.controller)
    return Roles(answers, "sensor-data", "sensor-processors")  # type: ignore[arg-type]


@pytest.mark.parametrize(("target", "controller", "coordinator"), list(product(TARGETS, BROKERS, BROKERS)))
def test_what_is_arranged_plays_the_role(target: str, controller: int, coordinator: int) -> None:
    """Wherever controller and coordinator are, the moves make a broker the target, with as many replicas as before."""
    now = factory(controller, coordinator)
    moves = fewest_moves(target, now)
    assert len(resolve(target, moved(now, moves))) == 1
    assert all(len(set(replicas)) == 2 for replicas in moves.readings.values())
    assert all(sorted(replicas) == [1, 2, 3] for replicas in moves.offsets.values())


def test_nothing_is_moved_without_need() -> None:
    """Where a broker is the target already all partitions stay where they are."""
    assert fewest_moves("leader:0+controller-coordinator", factory()).count == 0
    assert fewest_moves("leader:1-controller+coordinator", factory()).count == 0
    assert fewest_moves("leader:0-controller-coordinator", factory()).count == 1


def test_another_victim_is_never_taken() -> None:
    """A leader that is the controller is no `leader:0-controller`: the error says what it is, and names nobody else."""
    roles = moved(factory(), Moves())
    with pytest.raises(LabError, match=r"no leader of partition 0 is not controller now: broker-1 leads p0; .*control"):
        resolve("leader:0-controller", roles)
    assert resolve("leader:0+controller", roles) == resolve("leader:0", roles) == ("broker-1",)


def test_a_follower_is_chosen_by_its_roles() -> None:
    """Of several followers the first with the roles is taken."""
    now = Placement({0: view(0, 1, 2, 3)}, view(0, 2, 1, 3), 1, BROKERS)
    roles = moved(now, Moves())
    assert resolve("follower:0", roles) == ("broker-2",)
    assert resolve("follower:0-coordinator", roles) == ("broker-3",)


def test_old_answers_choose_nobody() -> None:
    """Where the cluster does not say now who leads, nobody is chosen by what it said before."""
    roles = moved(factory(), Moves())
    roles.look("views", "controller")
    roles.admin.partitions = _silent  # type: ignore[method-assign]
    with pytest.raises(LabError, match="did not tell now: views"):
        resolve("leader:0+controller", roles)
    assert resolve("leader:0", roles) == ("broker-1",)


def _silent(topic: str) -> list[PartitionView]:
    raise WaitTimeout(topic)


def test_targets_have_parts() -> None:
    """A target says its role, its partition, and what else the broker must be and must not be."""
    assert parts("follower:12-leader+coordinator") == TargetParts(
        "follower", "12", {"leader": False, "coordinator": True}
    )
    assert parts("leader:busiest") == TargetParts("leader", "busiest") and parts("database") == TargetParts("database")


@pytest.mark.parametrize(
    "target",
    ["leader:0-leader", "leader:0+coordinator-controller", "leader:busiest-controller", "followers:0-controller",
     "owner:0-controller", "controller-coordinator", "leader:0-controller-controller", "leader:0+database"],
)  # fmt: skip
def test_wrong_roles_are_refused(target: str) -> None:
    """Roles that contradict the target, stand twice or in another order, or are none, are refused with the rule."""
    with pytest.raises(ScenarioError, match="what else the broker must be"):
        build("broker_loss", {"target": target})


def test_one_target_has_chosen_roles() -> None:
    """Two different targets with roles cannot both be arranged."""
    faults = [{"kind": "kill", "target": target} for target in TARGETS[:2]]
    with pytest.raises(ScenarioError, match="only one target of a scenario"):
        scenario_from({"name": "two", "faults": faults}, "two")
    assert len(scenario_from({"name": "same", "faults": faults[:1] * 2}, "same").faults) == 2


@dataclass
class Begun:
    """What of a run's beginning arranges roles."""

    scenario: Scenario
    said: list[str] = field(default_factory=list)
    noted: list[dict[str, object]] = field(default_factory=list)
    waited: int = 0

    def arrange(self) -> None:
        self.admin, self.names, self.crew = None, Names.of("1f2e3d"), SimpleNamespace(check=None)
        self.events = SimpleNamespace(note=lambda kind, **detail: self.noted.append({"kind": kind, **detail}))
        Experiment._arrange_roles(self)  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        self.said.append(text)

    def _wait_for_group(self, timeout_s: float, check: object) -> None:
        self.waited += 1


def test_a_run_says_what_it_arranged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the group is there it is arranged for the fault that asks for it, said, and noted."""
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(runner, "arrange", lambda *given: asked.append(given) or "moved")
    begun = Begun(build("broker_loss", {"target": TARGETS[0]}))
    begun.arrange()
    assert asked == [(None, TARGETS[0], "sensor-data-1f2e3d", "sensor-processors-1f2e3d")] and begun.waited == 1
    assert begun.said == ["moved"] and begun.noted == [
        {"kind": "roles_arranged", "target": TARGETS[0], "done": "moved"}
    ]


def test_what_cannot_be_arranged_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on, says why, and hits nobody later; one that asks for no roles arranges nothing."""

    def fail(*given: object) -> str:
        raise LabError("no broker can")

    monkeypatch.setattr(runner, "arrange", fail)
    begun, other = (Begun(build("broker_loss", {"target": target})) for target in (TARGETS[0], "leader:0"))
    begun.arrange()
    other.arrange()
    assert begun.said == ["not arranged: no broker can"] and (other.said, other.noted, other.waited) == ([], [], 0)
