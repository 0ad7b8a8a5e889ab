"""The committed experiments: every one validates, and the dry run lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.audit.sets.durability import Place
from factorylab.execution import batch
from factorylab.scenarios import loading
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.controls import CONTROLS
from tests.support.places import ROOT

EXPERIMENTS = ROOT / "experiments"
BATCHES = sorted(EXPERIMENTS.glob("*.yaml"))
CAMPAIGNS = sorted((EXPERIMENTS / "campaigns").glob("*.yaml"))
FILES = sorted((EXPERIMENTS / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("file", [*BATCHES, *CAMPAIGNS], ids=lambda file: file.name)
def test_every_batch_validates(file: Path) -> None:
    """All runs of a committed batch are valid, and the batch is called like its file."""
    loaded = batch.load_batch(file)
    assert loaded.name == file.stem and len(batch.plan(loaded)) == len(loaded.runs)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_scenario_file_validates(file: Path) -> None:
    """A committed scenario file is valid, is called like its file, and hides no named scenario."""
    assert loading.scenario(str(file)).name == file.stem not in SCENARIOS


def test_quick_and_full_are_there() -> None:
    """The batches full, queues and transactions hold the demonstrations and every scenario that needs neither a file
    nor a network between its nodes; quick has four of them."""
    stems = ["controls", "database", "full", "partition", "queues", "quick", "transactions"]
    assert [file.stem for file in BATCHES] == stems
    three = (batch.load_batch(EXPERIMENTS / f"{name}.yaml").runs for name in ("full", "queues", "transactions"))
    full = {entry.scenario for runs in three for entry in runs}
    assert {*(f"scenarios/{file.name}" for file in FILES), *SCENARIOS} - full == {
        "recorded_machine",
        "network_partition",
        "control",
    }
    assert len(batch.load_batch(EXPERIMENTS / "quick.yaml").runs) == 4


def test_failover_has_every_cause_with_every_role() -> None:
    """Its victims differ in the roles that they must have and must not have, the same for each cause."""
    file = EXPERIMENTS / "campaigns" / "failover.yaml"
    faults = [batch.job_of(entry, file).scenario().faults[0] for entry in batch.load_batch(file).runs]
    roles = {fault.target for fault in faults}
    assert all(fault.aim.also.keys() >= {"controller", "coordinator"} for fault in faults) and len(roles) == 5
    assert {(fault.kind, fault.target) for fault in faults} == {
        (kind, target) for kind in ("kill", "terminate", "pause", "restart", "partition") for target in roles
    }


def test_durability_has_every_acks_with_all_replicas() -> None:
    """Each fault is there with every acks and both topologies, each once; all followers killed is below min ISR with
    three replicas alone."""
    file = EXPERIMENTS / "campaigns" / "durability.yaml"
    made = [Place.of(batch.job_of(entry, file).scenario()) for entry in batch.load_batch(file).runs]
    assert len(made) == len(set(made)) and {place.fault for place in made} == {
        "kill leader", "terminate leader", "pause leader", "partition leader", "kill follower", "kill followers",
        "pause followers, kill leader",
    }  # fmt: skip
    for fault in {place.fault for place in made}:
        kept = {(place.replicas, place.acks) for place in made if place.fault == fault}
        replicas = {"3 replicas, min ISR 2"} | ({"2 replicas, min ISR 1"} if fault != "kill followers" else set())
        assert kept == {(one, acks) for one in replicas for acks in ("0", "1", "all")}


def test_the_batch_of_controls_is_whole() -> None:
    """It holds every control and every twin, each once."""
    file = EXPERIMENTS / "controls.yaml"
    made = [batch.job_of(entry, file).scenario() for entry in batch.load_batch(file).runs]
    assert made == [scenario for control in CONTROLS.values() for scenario in control.scenarios]


def test_the_demonstrations_expect_no_pass() -> None:
    """One demonstration must FAIL by a loss, the other must be INVALID."""
    expected = {file.stem: loading.scenario(str(file)).expect for file in FILES}
    assert expected["never_lands"] == "invalid" and "lost_in_log" in expected["acked_loss"]


def test_partitions_are_shown_from_every_side() -> None:
    """The batch of network partitions cuts off a leader with either acks, one way, a follower and a consumer; the
    leader that may confirm alone must lose readings."""
    made = [batch.job_of(entry, EXPERIMENTS / "partition.yaml").scenario() for entry in
            batch.load_batch(EXPERIMENTS / "partition.yaml").runs]  # fmt: skip
    sides = {(s.faults[0].target, s.faults[0].direction, s.clients.acks) for s in made}
    assert sides == {
        ("leader:0", "both", "all"),
        ("leader:0", "both", "1"),
        ("follower:0", "both", "all"),
        ("leader:0", "in", "all"),
        ("owner:0", "both", "all"),
    }
    assert all(("lost_in_log" in s.expect) == (s.clients.acks == "1") for s in made)
