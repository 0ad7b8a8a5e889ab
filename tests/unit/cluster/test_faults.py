"""Faults: roles resolved against what the cluster says, and a timeline that records all and heals always."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from factorylab.cluster.base import Cut, Endpoints, Link, LogFile, Node, Own, WorkerSpec
from factorylab.cluster.faults import inject
from factorylab.cluster.faults.inject import Timeline
from factorylab.cluster.faults.request_evidence import removed
from factorylab.cluster.faults.targets import Roles, resolve
from factorylab.cluster.views import GroupMember, GroupView, PartitionView
from factorylab.core.errors import EnvironmentUnfit, LabError, UsageError, WaitTimeout
from factorylab.core.vocabulary import ProcessStatus
from factorylab.factory.store.crash_points import order_file
from factorylab.history.tables import FaultStep
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import ProcessState
from factorylab.scenarios.model import Fault


class FakeAdmin:
    """Answers from memory; what is in `silent` does not answer in time."""

    def __init__(self) -> None:
        self.views = [
            PartitionView(0, leader=2, epoch=1, replicas=(1, 2, 3), isr=(1, 2, 3)),
            PartitionView(1, leader=3, epoch=1, replicas=(3, 1), isr=(3, 1)),
            PartitionView(2, leader=-1, epoch=4, replicas=(1,), isr=(1,)),
        ]
        self.members: tuple[GroupMember, ...] = (GroupMember("processor-0", (0, 2)), GroupMember("processor-1", (1,)))
        self.tops = {0: 10, 1: 30, 2: 30}
        self.leader, self.coordinates = 1, 3
        self.silent: set[str] = set()
        self.lagging: list[list[str]] = []  # what is out of sync, at one look after the other
        self.asked: list[str] = []

    def out_of_sync(self) -> list[str]:
        self.asked.append("in sync?")
        return self.lagging.pop(0) if self.lagging else []

    def raise_features(self) -> str:
        self.asked.append("raise")
        return "share.version 1 → 2"

    def _answer(self, question: str) -> None:
        if question in self.silent:
            raise WaitTimeout(f"no broker answered: {question}")

    def partitions(self, topic: str) -> list[PartitionView]:
        self._answer("views")
        return self.views

    def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        self._answer("ends")
        return {p: self.tops[p] for p in partitions}

    def group(self, name: str) -> GroupView:
        self._answer("members")
        return GroupView("Stable" if self.members else "Empty", self.members)

    def coordinator(self, group: str) -> int:
        self._answer("coordinator")
        return self.coordinates

    def controller(self) -> int:
        self._answer("controller")
        return self.leader


@pytest.fixture
def admin() -> FakeAdmin:
    return FakeAdmin()


@pytest.fixture
def roles(admin: FakeAdmin) -> Roles:
    found = Roles(admin, "sensor-data", "sensor-processors")  # type: ignore[arg-type]
    found.look()
    return found


@pytest.mark.parametrize(
    ("target", "nodes"),
    [
        ("leader:0", ("broker-2",)),
        ("leader:1", ("broker-3",)),
        ("follower:0", ("broker-1",)),
        ("followers:0", ("broker-1", "broker-3")),
        ("followers:1", ("broker-1",)),
        ("owner:0", ("processor-0",)),
        ("owner:1", ("processor-1",)),
        ("leader:busiest", ("broker-3",)),
        ("owner:busiest", ("processor-1",)),
        ("controller", ("broker-1",)),
        ("coordinator", ("broker-3",)),
        ("broker:2", ("broker-2",)),
        ("processor:1", ("processor-1",)),
    ],
)
def test_each_role_is_resolved(roles: Roles, target: str, nodes: tuple[str, ...]) -> None:
    """Every role names the nodes that play it; of equally busy partitions the first counts."""
    assert resolve(target, roles) == nodes


def test_roles_are_those_of_the_moment(roles: Roles, admin: FakeAdmin) -> None:
    """A role that moved since the last look names its new player."""
    admin.views[0] = PartitionView(0, leader=3, epoch=2, replicas=(1, 2, 3), isr=(1, 3))
    admin.members, admin.leader, admin.coordinates, admin.tops = (
        (GroupMember("processor-9", (0, 1, 2)),),
        2,
        1,
        {0: 99, 1: 1, 2: 1},
    )
    wanted = ("leader:0", "owner:1", "controller", "coordinator", "leader:busiest")
    assert [resolve(target, roles)[0] for target in wanted] == [
        "broker-3", "processor-9", "broker-2", "broker-1", "broker-3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "words"), [("leader:2", "partition 2 has no leader"), ("owner:1", "owns partition 1")]
)
def test_a_role_that_nobody_plays_is_refused(roles: Roles, admin: FakeAdmin, target: str, words: str) -> None:
    """Without a leader or an owner the fault has no target, and the error says which."""
    admin.members = ()
    with pytest.raises(LabError, match=words):
        resolve(target, roles)


def test_the_only_replica_has_no_follower(roles: Roles, admin: FakeAdmin) -> None:
    """A partition with one replica has no follower that a fault could aim at."""
    admin.views[2] = PartitionView(2, leader=1, epoch=5, replicas=(1,), isr=(1,))
    with pytest.raises(LabError, match="partition 2 has no follower"):
        resolve("follower:2", roles)


@pytest.mark.parametrize(
    ("target", "question", "node"),
    [
        ("leader:0", "views", "broker-2"),
        ("owner:1", "members", "processor-1"),
        ("controller", "controller", "broker-1"),
        ("coordinator", "coordinator", "broker-3"),
        ("leader:busiest", "ends", "broker-3"),
    ],
)
def test_the_last_answer_counts_and_is_named(
    roles: Roles, admin: FakeAdmin, target: str, question: str, node: str
) -> None:
    """Where the cluster cannot answer its last answer is used and named as old, until a new one comes."""
    admin.silent = {question}
    assert resolve(target, roles) == (node,) and roles.stale == {question}
    admin.silent = set()
    assert resolve(target, roles) == (node,) and roles.stale == set()


@pytest.mark.parametrize("target", ["leader:0", "leader:busiest", "owner:0", "controller", "coordinator"])
def test_a_cluster_that_never_answered_has_no_roles(admin: FakeAdmin, target: str) -> None:
    """Without any answer a role is refused with an error of the lab, never guessed."""
    admin.silent = {"views", "ends", "members", "controller", "coordinator"}
    with pytest.raises(LabError):
        resolve(target, Roles(admin, "sensor-data", "sensor-processors"))  # type: ignore[arg-type]


def test_a_node_is_described_by_its_roles(roles: Roles) -> None:
    """What hangs on a node is said in words: leader, follower, owner, coordinator, controller."""
    assert roles.of("broker-1") == "leads nothing; follows p0, p1, p2; is the active controller"
    assert roles.of("broker-3") == "leads p1; follows p0; coordinates the group"
    assert (roles.of("processor-0"), roles.of("processor-7")) == ("owns p0, p2", "owns nothing")


@dataclass
class FakeCluster:
    """Nodes that obey at once; `deaf` ones do not change, `fail` is raised by the next injection of a node.

    Three brokers, a processor and this host reach each other unless a node is cut. `leaky` links are open whatever is
    cut, `stuck` ones are broken whatever is not.
    """

    states: dict[str, ProcessStatus] = field(default_factory=dict)
    undo: dict[int, list[str]] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    fail: dict[str, BaseException] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    owns: list[Own | None] = field(default_factory=list)
    cuts: dict[str, Cut | None] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    leaky: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    steps_dir: Path | None = None
    backend: str = "fake"
    endpoints: Endpoints = field(default_factory=lambda: Endpoints("", ""))
    worker_endpoints: Endpoints = field(default_factory=lambda: Endpoints("", ""))
    stands_at_steps: bool = True
    can: frozenset[KindName] = frozenset(
        {"kill", "terminate", "pause", "restart", "partition", "disconnect", "upgrade", "demote", "evict"}
    )

    def inject(self, fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        self.calls.append(f"{kind} {node}")
        if node in self.fail:
            raise self.fail[node]
        if self.status(node) == "dead":
            raise UsageError(f"{node} is dead and cannot be paused")
        self.undo.setdefault(fault, []).append(node)
        self.owns.append(own)
        if node not in self.deaf and kind in {"partition", "disconnect"}:
            self.cuts[node] = cut
        elif kind in {"restart", "upgrade"} and node not in self.deaf:
            self.pids[node] = self.pids.get(node, 1) + 1
        elif node not in self.deaf:
            self.states[node] = "paused" if kind == "pause" else "dead"

    def heal(self, fault: int | None = None) -> list[str]:
        self.calls.append(f"heal {'all' if fault is None else fault}")
        numbers = list(self.undo) if fault is None else [n for n in self.undo if n == fault]
        nodes = [node for number in numbers for node in self.undo.pop(number)]
        self.states.update(dict.fromkeys(nodes, "running"))
        for node in nodes:
            self.cuts.pop(node, None)
        self.leaky, self.stuck = set(), set()
        return [f"{node} started" for node in nodes]

    def reach(self) -> list[Link]:
        brokers = [f"broker-{n}" for n in (1, 2, 3)]
        return [Link(a, b, self._open(a, b)) for a in [*brokers, "processor-0", "host"] for b in brokers if a != b]

    def _open(self, source: str, target: str) -> bool:
        """One way is enough to break a connection, so the direction of a cut does not show here."""
        word = f"{source}→{target}"
        ends = {source: target, target: source}
        cut = any(
            cut is None or cut.away_from == "everybody" or ends[node].startswith("broker")
            for node, cut in self.cuts.items()
            if node in ends
        )
        dead = {self.status(target), self.status(source)} != {"running"}
        return word not in self.stuck and (word in self.leaky or not (cut or dead))

    def wipe(self, node: str, topic: str, partition: int) -> str:
        self.calls.append(f"wipe {topic}-{partition} of {node}, {self.status(node)}")
        return f"deleted {topic}-{partition}"

    def status(self, node: str) -> ProcessStatus:
        """A processor that was ordered to stop has stopped when it is looked at."""
        if self.steps_dir and order_file(self.steps_dir, node).exists() and node not in self.deaf:
            order_file(self.steps_dir, node).unlink()
            self.states[node] = "paused"
        return self.states.get(node, "running")

    def look(self, node: str) -> ProcessState:
        return ProcessState(time.monotonic(), self.pids.get(node, 1), self.status(node))

    def nodes(self) -> Sequence[Node]:
        return []

    def start(self, workers: Sequence[WorkerSpec]) -> None: ...

    def stop(self, names: Sequence[str]) -> dict[str, int | None]:
        return {}

    def exit_code(self, name: str) -> int | None:
        return None

    def log_files(self) -> list[LogFile]:
        return [LogFile("", Path(), 0)]

    def close(self, *, keep: bool = False) -> None: ...


class Played:
    """A timeline on fakes, with what it wrote and said."""

    def __init__(self, roles: Roles) -> None:
        self.cluster = FakeCluster()
        self.rows: list[FaultStep] = []
        self.said: list[str] = []
        self.timeline = Timeline(self.cluster, roles, self.rows.append, self.said.append)

    def play(self, *faults: Fault, until_s: float = 0) -> list[tuple[int, str, str]]:
        self.timeline.play(faults, until_s)
        return self.steps

    @property
    def steps(self) -> list[tuple[int, str, str]]:
        return [(row.fault, row.node, row.step) for row in self.rows]


@pytest.fixture
def played(roles: Roles) -> Played:
    return Played(roles)


def fault(kind: KindName, target: str, at_s: float = 0, hold_s: float = 0.01) -> Fault:
    return Fault(kind=kind, target=target, at_s=at_s, hold_s=hold_s)


WHOLE = ["intended", "injected", "evidence", "healing", "healed"]


@pytest.mark.parametrize("kind", ["kill", "terminate", "pause"])
def test_a_fault_that_lands_has_five_steps(played: Played, kind: KindName) -> None:
    """Intended, injected, seen, about to heal, healed: each step is a row with kind, role and node."""
    assert played.play(fault(kind, "leader:0")) == [(0, "broker-2", step) for step in WHOLE]
    assert {(row.kind, row.target, row.worker) for row in played.rows} == {(kind, "leader:0", "runner")}
    assert [row.t_ns for row in played.rows] == sorted(row.t_ns for row in played.rows)
    assert played.rows[0].evidence == "running; leads p0; follows nothing"
    assert played.rows[-1].evidence == "running; broker-2 started"
    assert played.cluster.calls == [f"{kind} broker-2", "heal 0", "heal all"]


def test_old_answers_are_recorded(played: Played, admin: FakeAdmin) -> None:
    """A target that was resolved from an old answer says so in its first row."""
    played.timeline.roles.look()
    admin.silent = {"views"}
    played.play(fault("kill", "leader:0"))
    assert played.rows[0].evidence.endswith("from before: views")


def test_all_followers_are_hit_before_evidence_is_sought(played: Played) -> None:
    """A role of several nodes is injected on all of them at once."""
    steps = [(node, step) for _, node, step in played.play(fault("pause", "followers:0"))]
    assert steps == [(node, step) for step in WHOLE for node in ("broker-1", "broker-3")]


def test_what_does_not_land_is_recorded(played: Played) -> None:
    """A victim that goes on as before is recorded as no evidence with what was waited for, and is healed as well."""
    played.cluster.deaf = {"broker-2"}
    steps = [step for _, _, step in played.play(fault("pause", "broker:2"))]
    assert steps == ["intended", "injected", "no_evidence", "healing", "healed"]
    assert "broker-2 to be paused" in played.rows[2].evidence
    assert any("did not land" in line for line in played.said)


def test_a_dead_broker_cannot_be_paused(played: Played) -> None:
    """The second fault on a dead broker is refused, is recorded as no evidence, and the run goes on."""
    steps = played.play(fault("kill", "broker:2", hold_s=0.3), fault("pause", "broker:2", 0.05, 0.1))
    assert (1, "broker-2", "injected") not in steps and (1, "broker-2", "evidence") not in steps
    refused = next(row for row in played.rows if (row.fault, row.step) == (1, "no_evidence"))
    assert "cannot be paused" in refused.evidence
    assert steps[-1] == (0, "broker-2", "healed")


def test_a_fault_without_target_is_skipped(played: Played) -> None:
    """Where nobody plays the role there is one row that says why, and other faults go on."""
    steps = played.play(fault("kill", "leader:2"), fault("kill", "leader:0"))
    assert steps[0] == (0, "", "skipped") and "no leader" in played.rows[0].evidence
    assert [step for number, _, step in steps if number == 0] == ["skipped"]
    assert [step for number, _, step in steps if number == 1] == WHOLE


def test_faults_overlap(played: Played) -> None:
    """The second fault is injected while the first holds, and each is undone at its own moment."""
    played.play(fault("pause", "followers:0", 0, 0.1), fault("kill", "leader:0", 0.05, 0.1))
    assert played.cluster.calls == [
        "pause broker-1", "pause broker-3", "kill broker-2", "heal 0", "heal 1", "heal all",
    ]  # fmt: skip
    at = {(row.fault, row.step): row.t_ns for row in played.rows}
    assert at[0, "injected"] < at[1, "injected"] < at[0, "healed"] < at[1, "healed"]


def test_an_undo_comes_before_an_injection_of_the_same_moment(played: Played) -> None:
    """A broker that comes back at 0.05 s can be hit again at 0.05 s."""
    steps = played.play(fault("kill", "broker:1", 0, 0.05), fault("kill", "broker:1", 0.05, 0.05))
    assert [step for number, _, step in steps if number == 1] == WHOLE


def test_the_window_is_played_to_its_end(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without faults the window lasts as declared; the declared moments are counted from its beginning."""
    moments: list[float] = []
    monkeypatch.setattr(inject.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(inject, "pause_until", lambda deadline, check: moments.append(deadline))
    played.play(fault("kill", "broker:1", 1, 3), until_s=9)
    assert moments == [101, 104, 109]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("disk full"), SystemExit(1)])
@pytest.mark.parametrize("where", ["inject", "write", "hold"])
def test_whatever_happens_is_healed(
    played: Played, monkeypatch: pytest.MonkeyPatch, error: BaseException, where: str
) -> None:
    """An interrupt or a crash in the middle of a fault leaves nothing broken, and is not swallowed."""

    def fail(*_: object) -> None:
        raise error

    def fail_later(deadline: float, check: object, real: Callable[[float], None] = inject.pause_until) -> None:
        real(deadline)
        if played.cluster.states:
            raise error

    if where == "inject":
        played.cluster.fail["broker-3"] = error
    elif where == "write":
        played.timeline.write = lambda row: fail() if row.step == "evidence" else None
    else:
        monkeypatch.setattr(inject, "pause_until", fail_later)
    with pytest.raises(type(error)):
        played.play(fault("pause", "followers:0", hold_s=0.1))
    assert set(played.cluster.states.values()) == {"running"} and played.cluster.undo == {}
    assert played.cluster.calls[-1] == "heal all"


def test_a_lab_that_goes_down_ends_the_run(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cluster itself cannot be asked any more the error reaches the caller."""

    def gone(number: int | None = None) -> list[str]:
        raise EnvironmentUnfit("the lab is going down")

    monkeypatch.setattr(played.cluster, "heal", gone)
    with pytest.raises(EnvironmentUnfit, match="going down"):
        played.play(fault("kill", "leader:0"))


def cut(target: str, at_s: float = 0, hold_s: float = 0.01, **sides: str) -> Fault:
    return Fault.model_validate({"kind": "partition", "target": target, "at_s": at_s, "hold_s": hold_s, **sides})


@pytest.mark.parametrize("direction", ["both", "in", "out"])
def test_a_cut_from_brokers_is_seen_in_the_matrix(played: Played, direction: str) -> None:
    """A broker cut from the others, in whatever direction, lands by the four links between them; others stay."""
    assert [step for _, _, step in played.play(cut("leader:0", direction=direction))] == WHOLE
    assert played.rows[2].evidence == (
        "broken: broker-1→broker-2, broker-2→broker-1, broker-2→broker-3, broker-3→broker-2; of 12 links 8 are open"
    )
    assert played.cluster.cuts == {} and played.rows[-1].evidence == "running; broker-2 started"


@pytest.mark.parametrize(
    ("one", "links"),
    [
        (cut("broker:2", away_from="everybody"), 6),
        (Fault(kind="disconnect", target="broker:2", hold_s=0.01), 6),
        (cut("owner:0"), 3),
    ],
)
def test_each_cut_breaks_its_own_links(played: Played, one: Fault, links: int) -> None:
    """From everybody or off the network a broker loses all six links, a consumer its three to the brokers."""
    assert [step for _, _, step in played.play(one)] == WHOLE
    assert played.rows[2].evidence.count("→") == links


@pytest.mark.parametrize(
    ("kind", "word"), [("leaky", "broker-1→broker-2 is open"), ("stuck", "host→broker-1 is broken")]
)
def test_a_matrix_that_differs_is_no_evidence(played: Played, kind: str, word: str) -> None:
    """A link that stays open despite the cut, or one that breaks besides it, is named and no evidence of the fault."""
    getattr(played.cluster, kind).add(word.partition(" ")[0])
    steps = [step for _, _, step in played.play(cut("broker:2", hold_s=0.2))]
    assert steps == ["intended", "injected", "no_evidence", "healing", "healed"] and word in played.rows[2].evidence


def test_what_another_fault_holds_is_not_this_ones(played: Played) -> None:
    """A dead broker answers nobody, which the cut of another must not be blamed for; two cuts add up."""
    steps = played.play(fault("kill", "broker:3", hold_s=0.4), cut("broker:2", 0.02, 0.1), cut("broker:1", 0.06, 0.1))
    assert [step for number, _, step in steps if number == 1] == WHOLE
    assert [step for number, _, step in steps if number == 2] == WHOLE


def test_a_network_that_stays_torn_is_not_healed(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that are broken after the healing are named, and the fault never counts as healed."""
    monkeypatch.setattr(inject, "WHOLE_WITHIN_S", 0.05)
    healed = played.cluster.heal

    def leave_one(number: int | None = None) -> list[str]:
        done = healed(number)
        played.cluster.stuck = {"broker-3→broker-2"}
        return done

    monkeypatch.setattr(played.cluster, "heal", leave_one)
    assert [step for _, _, step in played.play(cut("broker:2"))][-2:] == ["healing", "no_evidence"]
    assert "broker-3→broker-2 is broken" in played.rows[-1].evidence


def test_a_shared_network_shows_no_cut(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without a network between its nodes has no links, and no cut is ever seen there."""
    monkeypatch.setattr(inject, "WHOLE_WITHIN_S", 0.05)
    monkeypatch.setattr(played.cluster, "reach", list)
    assert [step for _, _, step in played.play(cut("broker:2"))][2] == "no_evidence"


def test_what_the_cluster_cannot_do_is_skipped(played: Played) -> None:
    """A kind that the cluster cannot do is one row with the reason; nothing is injected."""
    played.cluster.can = frozenset({"kill"})
    assert played.play(cut("broker:2")) == [(0, "", "skipped")]
    assert played.rows[0].evidence.startswith("this fake lab cannot partition: its nodes share this host's network")
    assert played.cluster.calls == ["heal 0", "heal all"]


@pytest.mark.parametrize("kind", ["kill", "pause"])
def test_a_processor_is_hit_where_it_stands(played: Played, tmp_path: Path, kind: KindName) -> None:
    """With a step the victim is injected only after it has stopped there, and the evidence names the step."""
    played.cluster.steps_dir = played.timeline.steps_dir = tmp_path
    wanted = Fault(kind=kind, target="owner:0", hold_s=0.01, step="in_store")
    assert played.play(wanted) == [(0, "processor-0", step) for step in WHOLE]
    assert played.rows[2].evidence.endswith("at its step in_store")
    assert not order_file(tmp_path, "processor-0").exists()


def test_a_step_that_never_comes_is_no_fault(played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that does not reach the step is not injected, and its order is taken back."""
    monkeypatch.setattr(inject, "STEP_WITHIN_S", 0.05)
    played.cluster.steps_dir = played.timeline.steps_dir = tmp_path
    played.cluster.deaf = {"processor-0"}
    steps = played.play(Fault(kind="kill", target="owner:0", hold_s=0.01, step="taken"))
    assert steps == [(0, "processor-0", "intended"), (0, "processor-0", "no_evidence")]
    assert "kill processor-0" not in played.cluster.calls and not order_file(tmp_path, "processor-0").exists()


def test_a_container_has_no_steps(played: Played, tmp_path: Path) -> None:
    """On the backend compose a fault at a step is skipped with the reason and the way out."""
    played.cluster.stands_at_steps, played.timeline.steps_dir = False, tmp_path
    played.play(Fault(kind="kill", target="owner:0", step="polled", hold_s=0.1))
    assert [(row.step, "take --backend local" in row.evidence) for row in played.rows] == [("skipped", True)]


def test_a_step_needs_a_run(played: Played) -> None:
    """By hand, where no processor looks for orders, a step is refused."""
    with pytest.raises(UsageError, match="needs a run"):
        played.play(Fault(kind="kill", target="owner:0", step="polled"))


def test_a_fault_is_held_until_another_leads(played: Played, admin: FakeAdmin) -> None:
    """The healing waits for a successor, says who it is, and all that follows waits with it."""
    looks: list[int] = []
    ask = admin.partitions

    def partitions(topic: str) -> list[PartitionView]:
        looks.append(1)
        if len(looks) > 5:
            admin.views[0] = PartitionView(0, leader=3, epoch=2, replicas=(1, 2, 3), isr=(1, 3))
        return ask(topic)

    admin.partitions = partitions  # type: ignore[method-assign]
    later = fault("kill", "broker:1", at_s=0.02)
    played.play(Fault(kind="kill", target="leader:0", hold_s=0.01, until_replaced=True), later)
    assert len(looks) > 5
    assert next(row for row in played.rows if row.step == "healing").evidence == "broker-3 is leader:0 now"
    assert [row.fault for row in played.rows] == [0] * 5 + [1] * 5


def test_a_fault_without_successor_is_healed_all_the_same(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody takes over in time the record says so, and the victim comes back."""
    monkeypatch.setattr(inject, "REPLACED_WITHIN_S", 0.05)
    steps = played.play(Fault(kind="kill", target="leader:0", hold_s=0.01, until_replaced=True))
    assert [step for _, _, step in steps] == WHOLE
    assert played.rows[3].evidence.startswith("not replaced: waited")


def test_a_dead_broker_loses_its_copy(played: Played) -> None:
    """With wipe the copy of the target's partition is deleted once the broker is dead, and the record tells."""
    played.play(Fault(kind="kill", target="leader:0", hold_s=0.01, wipe=True))
    assert "wipe sensor-data-0 of broker-2, dead" in played.cluster.calls
    assert [row.step for row in played.rows] == ["intended", "injected", "evidence", "evidence", "healing", "healed"]


def test_a_restart_is_seen_by_its_new_process(played: Played) -> None:
    """With hold_s 0 it is injected, shown by another process and closed, in this order."""
    assert [step for _, _, step in played.play(fault("restart", "broker:2", hold_s=0))] == WHOLE
    assert played.rows[2].evidence == "broker-2 is process 2, no longer 1"


def test_a_fault_waits_until_all_replicas_are_in_sync(played: Played, admin: FakeAdmin) -> None:
    """It is injected at the first look that finds nothing lagging; what else is declared moves with it."""
    admin.lagging = [["t/0"], ["t/0"]]
    played.play(Fault(kind="restart", target="broker:2", hold_s=0, in_sync_first=True))
    assert admin.asked == ["in sync?"] * 3
    assert [row.step for row in played.rows] == WHOLE


def test_a_fault_that_waits_in_vain_is_skipped(
    played: Played, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where replicas go on lagging the next broker is left alone, and the record names what lags."""
    monkeypatch.setattr(inject, "IN_SYNC_WITHIN_S", 0.05)
    admin.lagging = [["inner/7"]] * 99
    played.play(Fault(kind="restart", target="broker:2", hold_s=0, in_sync_first=True))
    assert played.rows[0].step == "skipped" and "inner/7" in played.rows[0].evidence
    assert "restart broker-2" not in played.cluster.calls


def test_features_are_raised_once_all_is_in_sync_again(played: Played, admin: FakeAdmin) -> None:
    """After the last upgrade the replicas come first, then the features, and the record has both levels."""
    admin.lagging = [["t/0"]]
    played.play(Fault(kind="upgrade", target="broker:2", hold_s=0, raise_features=True))
    assert admin.asked == ["in sync?", "in sync?", "raise"]
    assert "share.version 1 → 2" in [row.evidence for row in played.rows if row.step == "evidence"]


def test_the_same_process_is_no_restart(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that goes on as the process that it was has not been restarted."""
    monkeypatch.setattr(inject, "LANDS_WITHIN_S", 0.05)
    played.cluster.deaf = {"broker-2"}
    steps = [step for _, _, step in played.play(fault("restart", "broker:2", hold_s=0))]
    assert steps == ["intended", "injected", "no_evidence", "healing", "healed"]


class Moving(FakeAdmin):
    """Leaderships go to the next replica with the first look after an injection, if at all."""

    def __init__(self, cluster: FakeCluster, *, moves: bool) -> None:
        super().__init__()
        self._cluster, self._moves = cluster, moves

    def partitions(self, topic: str) -> list[PartitionView]:
        first = self.views[0]
        if self._moves and "demote broker-2" in self._cluster.calls:
            self.views[0] = PartitionView(0, 3, first.epoch + 1, first.replicas, first.isr)
        return super().partitions(topic)


@pytest.mark.parametrize("moves", [True, False])
def test_a_demotion_is_seen_by_who_leads(roles: Roles, moves: bool) -> None:
    """It is asked with the run's own topic and the replicas of what the broker leads, nobody looks at a process, and it
    landed where another leads in a later epoch."""
    played = Played(roles)
    roles.admin = Moving(played.cluster, moves=moves)  # type: ignore[assignment]
    played.timeline.inject(0, Fault(kind="demote", target="leader:0", hold_s=2))
    played.timeline.heal(0, Fault(kind="demote", target="leader:0", hold_s=2))
    assert played.cluster.owns == [Own("sensor-data", "sensor-processors", {0: (1, 2, 3)})]
    assert [step for *_, step in played.steps] == [*WHOLE[:2], "evidence" if moves else "no_evidence", *WHOLE[3:]]
    told = played.rows[2].evidence
    assert ("gave up p0 to broker-3 (epoch 1 → 2)" if moves else "was not seen to give up p0") in told
    assert played.rows[0].evidence == "leads p0; follows nothing"
    assert played.said[0] == "broker-2: leads p0; follows nothing" and played.said[-1].startswith("healed: broker-2: ")


OLD = GroupMember("processor-0", (0, 2), "a", 3)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ((), "is in the group no more (Stable)"),
        ((GroupMember("processor-1", (0,), "b", 4),), "is in the group no more (Stable)"),
        ((GroupMember("processor-0", (0,), "b"),), "is a new member of the group"),
        ((GroupMember("processor-0", (0,), "a", 5),), "is in the group by a later epoch (3 → 5)"),
        ((GroupMember("processor-0", (1,), "a", 3),), ""),
    ],
)
def test_how_a_membership_ends(now: tuple[GroupMember, ...], words: str) -> None:
    """A membership has ended where the group has none of that name, another one of it, or the same in a later epoch."""
    assert removed(OLD, GroupView("Stable", now)) == words


@pytest.mark.parametrize("obeys", [True, False])
def test_an_eviction_is_seen_by_the_group(
    roles: Roles, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch, obeys: bool
) -> None:
    """It is asked about the run's own group, nobody looks at a process, and it landed where the group says so."""
    monkeypatch.setattr(inject, "LANDS_WITHIN_S", 0.05)
    played = Played(roles)
    admin.members = (OLD, GroupMember("processor-1", (1,), "b", 3))

    def asked(fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        assert own == Own("sensor-data", "sensor-processors")
        admin.members = admin.members[1:] if obeys else admin.members

    monkeypatch.setattr(played.cluster, "inject", asked)
    played.timeline.inject(0, Fault(kind="evict", target="owner:0", hold_s=0))
    assert [step for *_, step in played.steps] == [*WHOLE[:2], "evidence" if obeys else "no_evidence"]
    assert ("in the group no more" if obeys else "to be put out of sensor-processors") in played.rows[2].evidence


def test_a_slow_answer_shortens_no_fault(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of brokers may take its time: the fault is held as long as declared from the answer on."""
    inject_at_once = played.cluster.inject

    def answered_late(fault: int, node: str, kind: KindName, cut: Cut | None = None, own: Own | None = None) -> None:
        inject_at_once(fault, node, kind, cut, own)
        time.sleep(0.3)

    monkeypatch.setattr(played.cluster, "inject", answered_late)
    monkeypatch.setattr(inject, "LANDS_WITHIN_S", 0.01)
    played.play(Fault(kind="evict", target="processor:0", hold_s=0.2))
    at = {row.step: row.t_ns for row in played.rows}
    assert at["healing"] - at["injected"] >= 0.19e9
