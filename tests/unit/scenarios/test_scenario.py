"""Scenarios: what is refused and in which words, what a run lasts, and that nothing is lost on disk."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from factorylab.core.errors import ScenarioError
from factorylab.scenarios.model import Scenario, scenario_from

KILL = {"kind": "kill", "target": "leader:0"}
WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"speed": 3}, ["speed: there is no such key", "3"]),
    ({"workload": {"rate": 5}}, ["workload.rate: there is no such key", "5"]),
    ({"workload": {"rate_per_s": 0}}, ["workload.rate_per_s", "greater than 0", "given: 0"]),
    ({"workload": {"rate_per_s": "fast"}}, ["workload.rate_per_s", "valid number", "'fast'"]),
    ({"workload": {"rate_per_s": float("inf")}}, ["workload.rate_per_s", "finite", "inf"]),
    ({"workload": {"steps_per_s": [10, -1]}}, ["workload.steps_per_s.1", "greater than 0", "-1"]),
    ({"workload": {"step_s": 0}}, ["workload.step_s", "greater than 0"]),
    ({"workload": {"sensors": 2}}, ["workload.sensors", "greater than or equal to 3", "given: 2"]),
    ({"workload": {"sensors": 100_001}}, ["workload.sensors", "less than or equal to 100000"]),
    ({"workload": {"anomaly_rate": 1.5}}, ["workload.anomaly_rate", "less than or equal to 1"]),
    ({"workload": {"fleets": 17}}, ["workload.fleets", "less than or equal to 16"]),
    ({"workload": {"source": "a.csv", "fleets": 2}}, ["workload", "leave out steps_per_s and fleets"]),
    ({"workload": {"source": "a.csv", "steps_per_s": [5]}}, ["workload", "leave out steps_per_s and fleets"]),
    ({"topology": {"partitions": 0}}, ["topology.partitions", "greater than or equal to 1", "given: 0"]),
    ({"topology": {"profile": "fast"}}, ["topology.profile", "'factory' or 'safe'", "'fast'"]),
    ({"topology": {"kafka": "9.9.9"}}, ["topology.kafka", "'4.3.1' or '4.4.0'", "'9.9.9'"]),
    ({"topology": {"kafka": 4.4}}, ["topology.kafka", "'4.3.1' or '4.4.0'", "given: 4.4"]),
    ({"clients": {"acks": "two"}}, ["clients.acks", "'0', '1' or 'all'", "'two'"]),
    ({"clients": {"acks": 2}}, ["clients.acks", "'0', '1' or 'all'", "2"]),
    ({"clients": {"acks": True}}, ["clients.acks", "True"]),
    ({"clients": {"acks": "1", "idempotence": True}}, ["clients", 'acks="1"', "leave idempotence out"]),
    ({"clients": {"compression": "rar"}}, ["clients.compression", "'rar'", "lz4"]),
    ({"clients": {"processors": 0}}, ["clients.processors", "greater than or equal to 1"]),
    ({"clients": {"linger_ms": -1}}, ["clients.linger_ms", "greater than or equal to 0"]),
    ({"clients": {"session_timeout_s": 5}}, ["clients.session_timeout_s", "greater than or equal to 6", "given: 5"]),
    ({"clients": {"protocol": "eager"}}, ["clients.protocol", "'eager'", "cooperative-sticky"]),
    ({"clients": {"protocol": "consumer", "session_timeout_s": 10}}, ["clients", "leave session_timeout_s out"]),
    ({"clients": {"protocol": "consumer", "session_timeout_s": 14}}, ["clients", "leave session_timeout_s out"]),
    ({"clients": {"producer": {"acks": {}}}}, ["clients.producer.acks", "valid string"]),
    ({"faults": [{"target": "leader:0"}]}, ["faults.0.kind", "Field required"]),
    ({"faults": [{"kind": "burn", "target": "leader:0"}]}, ["faults.0.kind", "'burn'", "terminate"]),
    ({"faults": [KILL, {**KILL, "hold_s": 0}]}, ["faults.1.hold_s", "greater than 0"]),
    ({"faults": [{**KILL, "at_s": -1}]}, ["faults.0.at_s", "greater than or equal to 0"]),
    ({"faults": [{**KILL, "target": "leader"}]}, ["faults.0.target", "must be", "'leader'"]),
    ({"faults": [{**KILL, "target": "boss:1"}]}, ["faults.0.target", "must be", "'boss:1'"]),
    ({"faults": [{**KILL, "target": "broker:busiest"}]}, ["faults.0.target", "'broker:busiest'"]),
    ({"faults": [{**KILL, "target": "controller:1"}]}, ["faults.0.target", "'controller:1'"]),
    ({"faults": [{**KILL, "target": "leader:0\n"}]}, ["faults.0.target", "leader:0"]),
    ({"faults": [{**KILL, "target": "leader:3"}]}, ["'leader:3'", "from 0 to 2"]),
    ({"faults": [{**KILL, "target": "broker:0"}]}, ["'broker:0'", "from 1 to 3"]),
    ({"faults": [{**KILL, "target": "broker:4"}]}, ["'broker:4'", "from 1 to 3"]),
    ({"faults": [{**KILL, "target": "processor:2"}]}, ["'processor:2'", "from 0 to 1"]),
    ({"faults": [{**KILL, "step": "polled"}]}, ["faults.0", "leave step out"]),
    ({"faults": [{"kind": "terminate", "target": "owner:0", "step": "polled"}]}, ["faults.0", "killed or paused"]),
    ({"faults": [{"kind": "kill", "target": "owner:0", "step": "lunch"}]}, ["faults.0.step", "'lunch'", "polled"]),
    (
        {"clients": {"processor": "naive"}, "faults": [{"kind": "kill", "target": "owner:0", "step": "taken"}]},
        ["step 'taken'", "kind naive has polled"],
    ),
    ({"faults": [{"kind": "kill", "target": "broker:1", "until_replaced": True}]}, ["leave until_replaced out"]),
    ({"faults": [{**KILL, "kind": "pause", "wipe": True}]}, ["leave wipe out"]),
    (
        {"faults": [{**KILL, "raise_features": True}]},
        ["features are raised after an upgrade", "leave raise_features out"],
    ),
    ({"faults": [{"kind": "upgrade", "target": "owner:0"}]}, ["only a broker can upgrade"]),
    ({"faults": [{"kind": "kill", "target": "leader:busiest", "wipe": True}]}, ["leave wipe out"]),
    ({"workload": {"poison_rate": 2}}, ["workload.poison_rate", "less than or equal to 1"]),
    ({"topology": {"retention_s": 0}}, ["topology.retention_s", "greater than 0"]),
    ({"schedule": {"warm_up_s": 0}}, ["schedule.warm_up_s", "greater than 0"]),
    ({"schedule": {"after_s": -1}}, ["schedule.after_s", "greater than or equal to 0"]),
    ({"schedule": {"drain_s": float("nan")}}, ["schedule.drain_s", "finite"]),
    ({"objectives": {"recovery_s": 0}}, ["objectives.recovery_s", "greater than 0"]),
    ({"objectives": {"shed": -1}}, ["objectives.shed", "greater than or equal to 0"]),
    ({"expect": "fine"}, ["expect", "'fine'"]),
    ({"expect": "pas"}, ["expect", "'pas'", "did you mean 'pass'"]),
    ({"expect": "invalide"}, ["did you mean 'invalid'"]),
    ({"expect": []}, ["expect", "an empty list names no check: write pass"]),
    ({"expect": ["lost_in_lgo"]}, ["'lost_in_lgo'", "did you mean 'lost_in_log'"]),
    ({"expect": ["seal"]}, ["there is no check 'seal'"]),
    ({"expect": ["pass"]}, ["pass stands alone"]),
    ({"expect": ["shed", "shed"]}, ["shed stands there twice"]),
    ({"expect": "shed"}, ["checks are a list: write [shed]"]),
    ({"expect": [1]}, ["there is no check 1"]),
    ({"workload": {"rate_per_s": 1e12}}, ["workload.rate_per_s", "less than or equal to 1000000"]),
    ({"workload": {"rate_per_s": True}}, ["workload.rate_per_s", "true is not a number"]),
    ({"workload": {"steps_per_s": [1] * 1001}}, ["workload.steps_per_s", "at most 1000"]),
    ({"workload": {"steps_per_s": [1e12]}}, ["workload.steps_per_s.0", "less than or equal to 1000000"]),
    ({"workload": {"step_s": 1e9}}, ["workload.step_s", "less than or equal to 86400"]),
    ({"workload": {"seed": -1}}, ["workload.seed", "greater than or equal to 0"]),
    ({"workload": {"seed": 2**63}}, ["workload.seed", "less than 9223372036854"]),
    ({"workload": {"anomaly_rate": float("nan")}}, ["workload.anomaly_rate", "finite"]),
    ({"topology": {"partitions": True}}, ["topology.partitions", "true is not a number"]),
    ({"topology": {"retention_s": 1e12}}, ["topology.retention_s", "less than or equal to 31536000"]),
    ({"faults": [{**KILL, "hold_s": 1e9}]}, ["faults.0.hold_s", "less than or equal to 86400"]),
    ({"faults": [{**KILL, "at_s": 1e9}]}, ["faults.0.at_s", "less than or equal to 86400"]),
    ({"faults": [{**KILL, "hold_s": 86_400}]}, ["it may last 86,630 s", "at most 86,400 s, a day"]),
    ({"schedule": {"warm_up_s": 50_000, "steady_s": 50_000}}, ["at most 86,400 s, a day"]),
    ({"schedule": {"drain_s": float("inf")}}, ["schedule.drain_s", "finite"]),
    ({"objectives": {"latency_p99_s": 1e9}}, ["objectives.latency_p99_s", "less than or equal to 86400"]),
    ({"objectives": {"shed": 2**70}}, ["objectives.shed"]),
    ({"clients": {"linger_ms": 1e9}}, ["clients.linger_ms", "less than or equal to 900000"]),
    ({"workload": {"source": "a\0b"}}, ["workload.source", "NUL"]),
    ({"name": "a" * 61}, ["name", "at most 60"]),
    (
        {"clients": {"consumer": {"group.id": "mine"}}},
        ["clients.consumer", "group.id is the lab's own", "leave it out"],
    ),
    ({"clients": {"producer": {"metadata.broker.list": "a:1"}}}, ["metadata.broker.list is the lab's own"]),
    ({"clients": {"consumer": {"client.id": "x"}}}, ["client.id is the worker's name"]),
    ({"clients": {"consumer": {"group.protocol": "consumer"}}}, ["group.protocol is said by clients.protocol"]),
    ({"clients": {"consumer": {"session.timeout.ms": 9000}}}, ["said by clients.session_timeout_s"]),
    ({"clients": {"producer": {"transactional.id": "t"}}}, ["transactional.id", "leave it out"]),
    ({"clients": {"producer": {"test.mock.num.brokers": 3}}}, ["test.mock.num.brokers", "makes up"]),
    ({"clients": {"producer": {"plugin.library.paths": "x"}}}, ["plugin.library.paths"]),
    (
        {"clients": {"producer": {"error_cb": "x", "stats_cb": "y"}}},
        ["error_cb is a function", "stats_cb is a function"],
    ),
    ({"clients": {"producer": {"delivery.report.only.error": True}}}, ["keeps acknowledgements back"]),
    ({"clients": {"consumer": {"enable.auto.commit": True}}}, ["position is in the store", 'processor="naive"']),
    ({"clients": {"consumer": {"auto.commit.enable": "true"}}}, ["position is in the store"]),
    ({"clients": {"acks": "all", "producer": {"acks": 1}}}, ["acks=all", "acks=1", "leave one of them out"]),
    ({"clients": {"acks": "all", "producer": {"request.required.acks": "0"}}}, ["leave one of them out"]),
    ({"clients": {"linger_ms": 20, "producer": {"queue.buffering.max.ms": 5}}}, ["leave one of them out"]),
    ({"clients": {"idempotence": False, "producer": {"enable.idempotence": True}}}, ["leave one of them out"]),
    ({"clients": {"compression": "lz4", "producer": {"compression.codec": "zstd"}}}, ["leave one of them out"]),
    ({"clients": {"producer": {"acks": 7}}}, ["clients.acks", "'0', '1' or 'all'", "'7'"]),
    ({"clients": {"producer": {"linger.ms": "abc"}}}, ["clients.linger_ms", "valid number", "'abc'"]),
    ({"clients": {"producer": {"retries": 1, "message.send.max.retries": 2}}}, ["are the same setting"]),
    ({"clients": {"producer": {"linger.ms": float("nan")}}}, ["clients.producer.linger.ms", "valid string", "nan"]),
    ({"clients": {"producer": {"linger.ms": None}}}, ["clients.producer.linger.ms", "valid string"]),
    ({"clients": {"producer": [1]}}, ["clients.producer", "valid dictionary"]),
    ({"name": "Broker Loss"}, ["name", "must be", "'Broker Loss'"]),
    ({"name": None}, ["name", "valid string", "None"]),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=lambda value: str(value)[:70])
def test_what_is_wrong_is_refused_by_name_value_and_rule(change: dict[str, Any], words: list[str]) -> None:
    """Each wrong key, value, target and combination is refused, and the message names it, its value and the rule."""
    with pytest.raises(ScenarioError) as refused:
        scenario_from({"name": "test", **change}, "somewhere.yaml")
    assert str(refused.value).startswith("somewhere.yaml:\n")
    assert [word for word in words if word not in str(refused.value)] == []


def test_all_mistakes_are_named_at_once() -> None:
    """Three mistakes in different places are three lines of one message."""
    with pytest.raises(ScenarioError) as refused:
        scenario_from({"name": "test", "workload": {"rate_per_s": -1}, "extra": 1, "schedule": {"step": 2}}, "x")
    _, *lines = str(refused.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == ["workload.rate_per_s", "schedule.step", "extra"]


@pytest.mark.parametrize("data", [None, "broker_loss", 7, ["a"]])
def test_what_is_no_mapping_is_no_scenario(data: object) -> None:
    """YAML that holds a word, a list or nothing is refused like any other mistake."""
    with pytest.raises(ScenarioError, match=r"x:\n  scenario: "):
        scenario_from(data, "x")


@pytest.mark.parametrize(
    "target", ["leader:2", "followers:0", "owner:busiest", "controller", "broker:1", "processor:1"]
)
def test_every_role_is_a_target(target: str) -> None:
    """Roles of partitions, brokers and processors within the topology's numbers are taken as they are."""
    made = scenario_from({"name": "test", "faults": [{"kind": "pause", "target": target}]}, "x")
    assert made.faults[0].target == target


def test_targets_follow_the_topology() -> None:
    """More partitions and processors allow higher numbers in targets."""
    faults = [{"kind": "kill", "target": "owner:4"}, {"kind": "kill", "target": "processor:3"}]
    made = {"name": "test", "topology": {"partitions": 5}, "clients": {"processors": 4}, "faults": faults}
    assert len(scenario_from(made, "x").faults) == 2


@pytest.mark.parametrize(
    ("faults", "steps", "window_s"),
    [
        ([], [], 0),
        ([(0, 12)], [], 12),
        ([(3, 12), (0, 4)], [], 15),
        ([], [10, 20, 30], 15),
        ([(0, 12)], [10, 20, 30], 15),
        ([(10, 12)], [10, 20, 30], 22),
    ],
)
def test_the_fault_window_ends_with_the_last_undo_or_step(
    faults: list[tuple[float, float]], steps: list[float], window_s: float
) -> None:
    """The window is as long as the last undo or the last rate step takes, whichever is later."""
    listed = [{**KILL, "at_s": at_s, "hold_s": hold_s} for at_s, hold_s in faults]
    made = scenario_from({"name": "test", "faults": listed, "workload": {"steps_per_s": steps, "step_s": 5}}, "x")
    assert made.fault_window_s == window_s


@pytest.mark.parametrize(
    ("acks", "given", "idempotent"), [("all", None, True), ("all", False, False), ("1", None, False), (0, None, False)]
)
def test_idempotence_follows_acks(acks: object, given: bool | None, idempotent: bool) -> None:
    """Idempotence is on with acks=all unless it was switched off; acks may be written as a number."""
    made = scenario_from({"name": "test", "clients": {"acks": acks, "idempotence": given}}, "x")
    assert made.clients.idempotent is idempotent and made.clients.acks == str(acks)


@pytest.mark.parametrize(
    ("given", "text"),
    [(5, "5"), (5.0, "5"), (5.5, "5.5"), (1e5, "100000"), (1e-7, "9.9999999999999995e-08"), (True, "true"),
     (False, "false"), ("010", "010"), (" a", " a"), (-1, "-1"), (2**31, "2147483648")],
)  # fmt: skip
def test_what_is_no_text_is_written_as_a_client_reads_it(given: object, text: str) -> None:
    """Numbers and truth values of YAML become the text that librdkafka takes; text stays as it is."""
    made = scenario_from({"name": "test", "clients": {"consumer": {"any": given}}}, "x")
    assert made.clients.consumer == {"any": text}


def test_an_override_with_a_key_of_its_own_is_said_by_that_key_too() -> None:
    """acks, idempotence, linger and compression may be overrides, under each of their names; the keys then say the
    same, so that whoever asks the scenario learns what ran."""
    own = {"request.required.acks": 1, "linger.ms": 5, "compression.codec": "zstd", "enable.idempotence": False}
    clients = scenario_from({"name": "test", "clients": {"producer": own}}, "x").clients
    assert (clients.acks, clients.idempotent, clients.linger_ms, clients.compression) == ("1", False, 5, "zstd")
    assert clients.producer == {
        "acks": "1", "linger.ms": "5", "compression.type": "zstd", "enable.idempotence": "false"
    }  # fmt: skip
    weak = scenario_from({"name": "test", "clients": {"acks": "all", "producer": {"acks": "-1"}}}, "x").clients
    assert weak.acks == "all"


def test_the_checks_of_expect_are_those_of_the_audit() -> None:
    """The names that a scenario may expect are those of the audit's checks, but for those that say INVALID."""
    from factorylab.audit import judge
    from factorylab.audit.model.registry import CHECKS
    from factorylab.scenarios.model import EXPECTABLE_CHECKS

    assert judge and {check.name for check in CHECKS if check.broken != "INVALID"} == set(EXPECTABLE_CHECKS)


def test_profiles() -> None:
    """`factory` keeps two copies and needs one in sync, `safe` keeps three and needs two."""
    found = {}
    for profile in ("factory", "safe"):
        topology = scenario_from({"name": "test", "topology": {"profile": profile}}, "x").topology
        found[profile] = (topology.replication, topology.min_isr)
    assert found == {"factory": (2, 1), "safe": (3, 2)}


def some_scenario(dice: random.Random) -> Scenario:
    """Any valid scenario: every field is drawn, or left at its default."""
    partitions, processors = dice.randint(1, 64), dice.randint(1, 16)
    acks = dice.choice(["0", "1", "all", 0, 1])
    protocol = dice.choice(["range", "cooperative-sticky", "consumer"])
    numbers = {"broker": dice.randint(1, 3), "processor": dice.randrange(processors)}
    places = [dice.randrange(partitions), "busiest"]
    targets = ["controller", "coordinator", *(f"{role}:{n}" for role, n in numbers.items())]
    targets += [f"{role}:{dice.choice(places)}" for role in ("leader", "follower", "followers", "owner")]

    def some(**fields: object) -> dict[str, object]:
        return {name: value for name, value in fields.items() if dice.random() < 0.6}

    def seconds() -> float:
        return dice.choice([dice.uniform(1e-6, 1e4), dice.randint(1, 500)])

    recorded = dice.random() < 0.3
    workload = some(
        rate_per_s=seconds(), sensors=dice.randint(3, 900), anomaly_rate=dice.random(), seed=dice.getrandbits(31)
    )
    if recorded:
        workload |= {"source": dice.choice(["a.csv", "/data/ö b.csv"]), "value_column": "v"}
    else:
        workload |= some(steps_per_s=[seconds() for _ in range(dice.randrange(4))], step_s=seconds(), fleets=2)
    clients = some(linger_ms=seconds(), compression="zstd", producer={"a.b": "1"}, consumer={"c": ""})
    clients |= {"acks": acks, "processors": processors, "protocol": protocol}
    clients |= some(idempotence=dice.choice([False, None] + [True] * (acks == "all")))
    clients |= some(session_timeout_s=dice.uniform(6, 300)) if protocol != "consumer" else {}
    fault = {"kind": dice.choice(["kill", "terminate", "pause"])}
    faults = [{**fault, "target": dice.choice(targets), **some(at_s=seconds(), hold_s=seconds())} for _ in range(3)]
    data = some(
        workload=workload,
        schedule=some(warm_up_s=seconds(), steady_s=seconds(), after_s=0, recover_s=seconds(), drain_s=seconds()),
        objectives=some(recovery_s=seconds(), ack_gap_s=seconds(), latency_p99_s=seconds(), shed=dice.randrange(9)),
        expect=dice.choice(["pass", "invalid", ["lost_in_log"], ["shed", "lost_in_log"]]),
    )
    topology = {"partitions": partitions, "profile": dice.choice(["factory", "safe"])}
    return scenario_from({"name": "some", "topology": topology, "clients": clients, "faults": faults, **data}, "drawn")


@pytest.mark.parametrize("seed", range(200))
def test_a_scenario_survives_its_file(seed: int) -> None:
    """Whatever valid scenario is written as JSON is read back as the very same one."""
    made = some_scenario(random.Random(seed))
    assert Scenario.model_validate_json(made.model_dump_json()) == made
    assert scenario_from(made.model_dump(mode="json"), "again") == made


def test_a_description_is_a_scenario() -> None:
    """What `describe()` prints is YAML that gives the scenario back."""
    import yaml

    for seed in range(20):
        made = some_scenario(random.Random(seed))
        assert scenario_from(yaml.safe_load(made.describe()), "described") == made


def test_a_scenario_cannot_be_changed() -> None:
    """A scenario that was validated stays what it was."""
    made = scenario_from({"name": "test", "workload": {"source": "a.csv"}}, "x")
    assert made.workload.source == Path("a.csv")
    with pytest.raises(Exception, match="frozen"):
        made.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("given", [{"away_from": "everybody"}, {"direction": "in"}])
def test_only_a_partition_has_sides(given: dict[str, str]) -> None:
    """Sides are refused for any fault but a partition, with the way out."""
    with pytest.raises(ScenarioError, match="a kill has no sides: leave away_from and direction out"):
        scenario_from({"name": "t", "faults": [{"kind": "kill", "target": "leader:0", **given}]}, "here")
    assert scenario_from({"name": "t", "faults": [{"kind": "partition", "target": "leader:0", **given}]}, "here").faults
