"""What is seen of a cluster between two looks, what is refused, and what the report and its metrics say."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from factorylab.cli.observe_commands import duration_s
from factorylab.cluster.connection.connection import read_connection
from factorylab.cluster.views import PartitionView
from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.execution.probe_questions import Answer
from factorylab.operations.observe.cluster_view import ClusterLook
from factorylab.operations.observe.door import Door
from factorylab.operations.observe.kubernetes import KubernetesEvents
from factorylab.operations.observe.metrics import ObservationMetrics
from factorylab.operations.observe.topic import check, topic_under
from factorylab.operations.observe.watch import changes
from factorylab.operations.observe.words import markdown
from tests.support.observed import WALL_NS, ObservedWorld


def look(
    at_s: float, leader: int = 1, epoch: int = 5, isr: tuple[int, ...] = (1, 2), *brokers: int
) -> Answer[ClusterLook]:
    """One partition with replicas on brokers 1 and 2, asked at `at_s` and answered 0.1 s later."""
    view = PartitionView(0, leader, epoch, (1, 2), isr)
    named = {number: f"host:{number}" for number in brokers or (1, 2)}
    return Answer(ClusterLook(named, (view,)), round(at_s * NS), at_s + 0.1)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (look(11), []),
        (look(11, leader=2, epoch=6), [("leader", "leader 1 → 2, epoch 5 → 6", ())]),
        (look(11, epoch=6), [("leader", "leader 1 → 1, epoch 5 → 6", ())]),
        (look(11, leader=-1), [("leader", "leader 1 → none, epoch 5 → 5", (0,))]),
        (look(11, isr=(1,)), [("ISR shrunk", "in sync 1 2 → 1", ())]),
        (look(11, 1, 5, (1, 2), 2), [("broker gone", "no longer named by the cluster", (0,))]),
        (look(11, 1, 5, (1, 2), 1, 2, 3), [("broker back", "again named by the cluster", ())]),
    ],
)
def test_what_changed_between_two_looks(now: Answer[ClusterLook], said: list[tuple[str, str, tuple[int, ...]]]) -> None:
    """Leader, epoch, ISR and brokers; each change has its sampling error: from the question before to the answer."""
    found = list(changes(look(10), now))
    assert [(one.kind, one.detail, one.led) for one in found] == said
    assert all(one.error_s == pytest.approx(1.1) for one in found)


def test_a_silent_broker_is_told_from_one_that_is_gone(tmp_path: Path) -> None:
    """Somebody who takes connections and never answers is silent; where nobody listens, connections are refused."""
    file = tmp_path / "client.properties"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        file.write_text(f"bootstrap.servers={address}\n")
        door = Door(address, read_connection(file))
        assert door.answer() == "silent"
    assert door.answer() == "refused"


@pytest.mark.parametrize(
    "settings",
    [{"cleanup.policy": "compact"}, {"cleanup.policy": "compact,delete"}, {"retention.ms": "1000"}],
)
def test_a_topic_that_loses_records_by_itself_is_refused(settings: dict[str, str]) -> None:
    """The error names topic, setting and value."""
    with pytest.raises(UsageError, match=f"factorylab-canary is there with {next(iter(settings))}="):
        check("factorylab-canary", settings)


def test_an_ordinary_topic_will_do() -> None:
    """Kept for a week, or for ever."""
    check("t", {"cleanup.policy": "delete", "retention.ms": "604800000"})
    check("t", {"retention.ms": "-1"})


@pytest.mark.parametrize("prefix", ["", "a b", "ä", "x/y", "a" * 101])
def test_a_prefix_is_part_of_a_name(prefix: str) -> None:
    """What no topic can be named is refused with the rule."""
    with pytest.raises(UsageError, match="--prefix"):
        topic_under(prefix)


def test_a_duration_has_a_unit() -> None:
    """Seconds to days; a bare number, nothing, and what is too short or too long are refused by name."""
    assert [duration_s(text) for text in ("90s", "1.5m", "8h", "2d")] == [90, 90, 28_800, 172_800]
    for text in ("8", "h", "-1h", "1s", "400d", "8 h 5 m", "nan s"):
        with pytest.raises(UsageError, match="--for"):
            duration_s(text)


def world_with_an_outage() -> ObservedWorld:
    world = ObservedWorld()
    world.run(30)
    world.out(5, 1)
    world.run(30)
    world.sleep(3)
    world.run(5)
    world.out(100, 0)
    world.run(10)
    return world


def test_the_report_says_what_was_not_seen() -> None:
    """An outage that goes on has no end, time without an observer is no zero, and the rule stands beside them."""
    text = markdown(world_with_an_outage().summary())
    for part in ("# FAIL: produce was available", "| still open | > ", "did not run for 3.", "no cause seen",
                 "nothing that was seen", "from 1 s on", "**0 lost, 0 doubled, 0 reordered**"):  # fmt: skip
        assert part in text
    assert "Nothing: the observer was at work all the time." in markdown(ObservedWorld().summary())


def test_before_the_first_canary_nothing_is_claimed() -> None:
    """No availability without time, and no PASS without an acknowledgement."""
    seen = ObservedWorld().summary()
    assert seen.verdict == "INVALID" and {level.available for level in seen.levels} == {None}


def test_the_metrics_are_the_report() -> None:
    """Service level, budget and counts by the names in docs/observe.md; before the first second there are none."""
    registry, seen = CollectorRegistry(), world_with_an_outage().summary()
    registry.register(ObservationMetrics(lambda: seen))
    said = generate_latest(registry).decode()
    out_s = next(level.out_s for level in seen.levels if (level.service, level.partition) == ("produce", 1))
    assert f'factorylab_observe_outage_seconds_total{{partition="1",service="produce"}} {out_s}' in said
    assert 'factorylab_observe_canaries_total{what="lost"} 0.0' in said
    assert 'factorylab_observe_error_budget_left_ratio{service="consume"} -' in said
    empty = CollectorRegistry()
    empty.register(ObservationMetrics(lambda: None))
    assert generate_latest(empty) == b""


def test_kubernetes_explains_an_outage_later(tmp_path: Path) -> None:
    """A pod that was killed while a partition was out is named beside the outage, though the file came a minute later;
    one of an hour before is not. Each event is told once, and a file that is just being written tells nothing."""
    world, file = ObservedWorld(), tmp_path / "events.json"
    file.write_text(kubernetes(-3_600))
    events = KubernetesEvents(file)
    world.run(20)
    world.out(5, 1)
    world.run(60)
    for text in (kubernetes(-3_600, 22), '{"items": [', kubernetes(-3_600, 22)):
        file.write_text(text)
        for event in events.news(world.account.own, world.account.start.mono_ns):
            world.account.happened(event)
    assert len(world.account.events) == 1
    assert {(one.cause, *one.events) for one in world.outages()} == {("kubernetes", "Pod broker-1: Killing: Stopping")}


def test_a_file_that_is_not_of_kubectl_is_refused(tmp_path: Path) -> None:
    """Before anything starts, with the command that writes it."""
    for name, text in (("none", None), ("table", "LAST SEEN  TYPE"), ("list", "[]")):
        file = tmp_path / name
        if text is not None:
            file.write_text(text)
        with pytest.raises(UsageError, match="kubectl get events"):
            KubernetesEvents(file)


def kubernetes(*at_s: float) -> str:
    """Events of these seconds of the world's observation."""
    return json.dumps(
        {
            "items": [
                {
                    "metadata": {"uid": f"u{at}"},
                    "involvedObject": {"kind": "Pod", "name": "broker-1"},
                    "reason": "Killing",
                    "message": "Stopping",
                    "lastTimestamp": datetime.fromtimestamp(WALL_NS / NS + at, UTC).isoformat(timespec="seconds"),
                    "count": 1,
                }
                for at in at_s
            ]
        }
    )
