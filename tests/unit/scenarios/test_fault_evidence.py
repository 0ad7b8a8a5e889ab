"""The audit believes a fault only by the evidence that its kind declares, in what the probe saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from factorylab.audit.model.findings import Check
from factorylab.core.clock import NS
from factorylab.core.errors import ScenarioError
from factorylab.scenarios import faults
from factorylab.scenarios.fault_catalog import FAULT_KINDS, effects, possible
from factorylab.scenarios.faults.kind import ProcessShows, ProcessState, Proof
from factorylab.scenarios.model import Fault, scenario_from
from tests.support.histories import History, at_ns, healthy, scenario
from tests.support.spoils import check_of


def landed(h: History) -> Check:
    return check_of(h.run(), "fault_landed")


def proof(kind: str, before: Sequence[ProcessState], since: Sequence[ProcessState]) -> Proof:
    evidence = FAULT_KINDS[kind].evidence
    assert isinstance(evidence, ProcessShows)
    return evidence.proof(before, since)


def test_each_kind_is_known_by_its_name() -> None:
    """A kind has the name of its file and says what it does; a lab with nothing but processes does those that need no
    more."""
    files = {path.stem for path in Path(faults.__file__).parent.glob("*.py")} - {"__init__", "kind"}
    assert {kind.name for kind in FAULT_KINDS.values()} == set(FAULT_KINDS) == files
    assert effects(["kill", "terminate"]) == "kill: SIGKILL; terminate: SIGTERM"
    assert set(possible(())) == {
        name for name, kind in FAULT_KINDS.items() if kind.needs in {"processes", "leaderships"}
    }


def test_only_a_restart_is_not_held() -> None:
    """hold_s 0 is refused for a kind that somebody has to undo, and what is too short for its evidence."""
    assert Fault(kind="restart", target="broker:1", hold_s=0).hold_s == 0
    with pytest.raises(ValidationError, match="a pause is held for some time"):
        Fault(kind="pause", target="broker:1", hold_s=0)
    with pytest.raises(ValidationError, match="greater than or equal to 3"):
        Fault(kind="slow", target="broker:1", hold_s=2)


@pytest.mark.parametrize("kind", ["restart", "bounce", "upgrade", "downgrade"])
@pytest.mark.parametrize(("another", "verdict"), [(True, "PASS"), (False, "INVALID")])
def test_a_restart_counts_only_where_another_process_ran(
    tmp_path: Path, another: bool, verdict: str, kind: str
) -> None:
    """The probe must have seen the node run as another process, also where nothing was held."""
    h = healthy(tmp_path, scenario(faults=[{"kind": kind, "target": "broker:2", "hold_s": 0}]))
    h.fault("broker-2", 6, 6.05, kind=kind)
    samples = h["processes"]
    if another:
        samples.loc[(samples["name"] == "broker-2") & (samples["t_ns"] > at_ns(6.1)), "pid"] = 8
    assert landed(h).verdict == verdict


def looks(used: float, stopped: int = 0, limit: float | None = None, pid: int = 7) -> list[ProcessState]:
    """Twenty looks, five a second, at a process that uses that much of a CPU; in `stopped` of them it stands."""
    return [
        ProcessState(n / 5, pid, "paused" if n < stopped else "running", 3 + used * n / 5, limit) for n in range(20)
    ]


SLOW = [
    (looks(0.1, stopped=18), "used 0.100 of a CPU over 3.8 s, stopped in 18 of 20 looks"),
    (looks(0.001, stopped=18), "used 0.001 of a CPU"),
    (looks(0.1, limit=0.1), "limited by the kernel to 0.1"),
    (looks(0, limit=0.1), "used 0.000 of a CPU over 3.8 s, limited by the kernel to 0.1"),
    ([*looks(0.1, stopped=18), ProcessState(4, None, "dead")], "stopped in 18 of 20"),
]
NOT_SLOW = [
    (looks(0.3, stopped=18), "used 0.300 of a CPU over 3.8 s, more than 0.1, though stopped in 18 of 20 looks"),
    (looks(0.3, limit=0.1), "more than 0.1, though limited"),
    (looks(0.05, stopped=5), "was not limited, and stopped in only 5 of 20 looks"),
    (looks(0, limit=0.5), "was not limited"),
    (looks(0, stopped=20), "never seen to run in 20 looks: that is a pause"),
    (looks(0.1, stopped=18)[:6], "looked at for only 1.0 s"),
    ([ProcessState(6, None, "dead")], "looked at for only 0.0 s"),
    ([], "looked at for only 0.0 s"),
]


@pytest.mark.parametrize(("since", "words"), SLOW)
def test_a_node_is_slow_where_it_is_held_back(since: list[ProcessState], words: str) -> None:
    """A limit of the kernel or stops in most looks, and no more CPU time than they allow: an idle node is slow,
    too."""
    found = proof("slow", [], since)
    assert (found.ok, words in found.words) == (True, True), found.words


@pytest.mark.parametrize(("since", "words"), NOT_SLOW)
def test_a_node_that_nothing_holds_back_is_not_slow(since: list[ProcessState], words: str) -> None:
    """One that idles by itself, uses more than its share, is paused or was hardly looked at proves nothing."""
    found = proof("slow", [], since)
    assert (found.ok, words in found.words) == (False, True), found.words


@pytest.mark.parametrize(
    ("stopped", "limit", "used", "verdict"),
    [(True, -1, 0.1, "PASS"), (False, 0.1, 0.0, "PASS"), (False, -1, 0.1, "INVALID"), (True, -1, 0.5, "INVALID")],
)
def test_slowness_counts_only_by_what_the_probe_saw(
    tmp_path: Path, stopped: bool, limit: float, used: float, verdict: str
) -> None:
    """While the fault is held the probe's samples must show what holds the node back and that it used no more; what it
    used before and afterwards is nothing to it."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "slow", "target": "broker:2", "hold_s": 6}]))
    h.fault("broker-2", 6, 12, kind="slow")
    samples = h["processes"]
    mine = samples["name"] == "broker-2"
    held = mine & samples["t_ns"].between(at_ns(6), at_ns(12))
    at_s = (samples["t_ns"] - at_ns(0)) / NS
    samples.loc[mine, "cpu_s"] = 5 + (0.9 * at_s + (used - 0.9) * (at_s.clip(6, 12) - 6))[mine]
    samples["cpu_limit"] = np.where(held, limit, -1)
    if stopped:
        samples.loc[held & (samples.index % 10 > 0), "status"] = "paused"
    assert landed(h).verdict == verdict


SLOWED = {"kind": "slow", "target": "owner:0", "hold_s": 5}


@pytest.mark.parametrize(
    ("one", "other", "hidden"),
    [
        (SLOWED, {"kind": "kill", "target": "processor:1", "at_s": 4, "step": "polled"}, True),
        (SLOWED, {"kind": "pause", "target": "owner:1", "at_s": 2, "hold_s": 1}, True),
        (SLOWED, {"kind": "pause", "target": "owner:1", "at_s": 5, "hold_s": 1}, False),
        (SLOWED, {"kind": "kill", "target": "owner:0", "at_s": 2, "hold_s": 1}, False),
        (SLOWED, {"kind": "pause", "target": "leader:0", "at_s": 2, "hold_s": 1}, False),
        ({**SLOWED, "target": "broker:1"}, {"kind": "pause", "target": "leader:0", "hold_s": 1}, True),
        ({**SLOWED, "target": "broker:1"}, {"kind": "pause", "target": "broker:2", "hold_s": 1}, False),
        ({**SLOWED, "target": "broker:1"}, {"kind": "pause", "target": "broker:1", "hold_s": 1}, True),
    ],
)
def test_a_stop_is_not_sought_in_what_stops_all_the_time(
    one: dict[str, object], other: dict[str, object], hidden: bool
) -> None:
    """A fault that is seen by its node's being stopped is refused while what may be the same node is slow."""
    given = [{"name": "t", "faults": faults} for faults in ([one, other], [other, one])]
    for each in given:
        if hidden:
            with pytest.raises(ScenarioError, match="stops its process most of the time"):
                scenario_from(each, "here")
        else:
            assert scenario_from(each, "here").faults


@pytest.mark.parametrize(
    ("leader", "epoch", "verdict"), [(3, 1, "PASS"), (3, 0, "INVALID"), (1, 1, "INVALID"), (-1, 1, "INVALID")]
)
def test_a_demotion_counts_only_by_who_leads(tmp_path: Path, leader: int, epoch: int, verdict: str) -> None:
    """The probe must see another leader, in a later epoch, of what the broker led, while the fault was held."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "demote", "target": "leader:0", "hold_s": 4}]))
    h.fault("broker-1", 6, 10, kind="demote", target="leader:0")
    looks = h["partitions"]
    held = (looks["partition"] == 0) & looks["t_ns"].between(at_ns(6.1), at_ns(10))
    looks.loc[held, ["leader", "epoch"]] = leader, epoch
    assert landed(h).verdict == verdict


def test_a_broker_that_leads_nothing_is_not_demoted(tmp_path: Path) -> None:
    """Where the probe saw it lead nothing before, nothing can have been given to others."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "demote", "target": "broker:1", "hold_s": 4}]))
    h.fault("broker-1", 6, 10, kind="demote")
    looks = h["partitions"]
    looks.loc[looks["leader"] == 1, "leader"] = 2
    found = landed(h)
    assert found.verdict == "INVALID" and "was not seen to lead anything before" in str(found)


def test_one_demotion_at_a_time() -> None:
    """A demotion within another one is refused: the order of replicas that it found is none to come back to."""
    first, later = ({"kind": "demote", "target": "leader:0", "at_s": at_s, "hold_s": 3} for at_s in (0, 2))
    with pytest.raises(ScenarioError, match="a demotion begins while another is held"):
        scenario(faults=[first, later])
    scenario(faults=[first, {**later, "at_s": 3}])


@pytest.mark.parametrize(
    ("event", "at_s", "worker", "verdict"),
    [("lost", 7, 0, "PASS"), ("revoked", 7, 0, "INVALID"), ("lost", 5, 0, "INVALID"), ("lost", 7, 1, "INVALID")],
)
def test_an_eviction_counts_only_by_what_the_member_was_told(
    tmp_path: Path, event: str, at_s: float, worker: int, verdict: str
) -> None:
    """The evicted member's own client must have told it, after the injection, that its partitions are lost."""
    h = healthy(tmp_path, scenario(faults=[{"kind": "evict", "target": "processor:0", "hold_s": 4}]))
    h.fault("processor-0", 6, 10, kind="evict")
    h.add("group", worker=f"processor-{worker}", t_ns=at_ns(at_s), event=event, partitions=[[0]], rebalance_no=1)
    assert landed(h).verdict == verdict


def test_only_members_that_note_it_are_evicted() -> None:
    """A processor whose journal does not say what its group tells it cannot be evicted; the refusal has the way out."""
    faults = [{"kind": "evict", "target": "owner:0", "hold_s": 0}]
    with pytest.raises(ScenarioError, match="evict is for processors that note what their group tells them"):
        scenario(faults=faults, clients={"processor": "naive"})
    with pytest.raises(ScenarioError, match="only a processor can evict"):
        scenario(faults=[{"kind": "evict", "target": "leader:0"}])
    scenario(faults=faults)
