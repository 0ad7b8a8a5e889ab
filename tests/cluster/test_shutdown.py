"""Told to stop under load, processes end by themselves: nothing lost, offsets current, out of the group at once."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from confluent_kafka import Consumer, TopicPartition

from factorylab.core.waiting import wait_until
from tests.support.factory_runs import LONG_S, PARTITIONS, FactoryRun, assert_stored_once
from tests.support.scraped import scrape

SESSION_S = 80.0  # whoever waits for the session of a member that left shows it
AT_ONCE_S = 40.0  # far below the session, and enough on a machine that is busy otherwise


def owners(run: FactoryRun) -> set[object]:
    return {row[0] for row in run.query("SELECT owner FROM {s}.positions")}


def last_line(run: FactoryRun, worker: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run.said(worker).splitlines()[-1])
    return found


def committed(run: FactoryRun) -> dict[int, int]:
    """The group's offsets in Kafka."""
    with closing(Consumer({"bootstrap.servers": run.endpoints.bootstrap, "group.id": run.names.group})) as group:
        found = group.committed([TopicPartition(run.names.sensors, p) for p in PARTITIONS], timeout=LONG_S)
    return {at.partition: at.offset for at in found}


@pytest.mark.parametrize(
    ("number", "protocol"),
    [(signal.SIGTERM, "range"), (signal.SIGINT, "cooperative-sticky"), (signal.SIGINT, "consumer")],
    ids=["SIGTERM-range", "SIGINT-cooperative", "SIGINT-consumer"],
)
def test_told_to_stop_under_load(run: FactoryRun, number: signal.Signals, protocol: str) -> None:
    """A processor leaves the group at once with its last batch stored, and the other goes on; a fleet waits for all its
    answers; then the last processor leaves offsets that are the store's. All end with 0 and say so last. Over 10 s:
    thousands of readings and two rebalances."""
    given = {"protocol": protocol} | ({} if protocol == "consumer" else {"session_timeout_s": SESSION_S})
    run.processor("p0", **given)
    run.processor("p1", **given)
    run.fleet("f0", rate="3000", sensors=90, anomaly_rate=0.05)
    run.wait_stored(3_000)
    wait_until(lambda: owners(run) == {"p0", "p1"}, what="both to own partitions", timeout_s=LONG_S)
    since = time.monotonic()
    assert run.end("p0", number) == 0
    wait_until(lambda: owners(run) == {"p1"}, what="p1 to own all partitions", timeout_s=LONG_S)
    assert time.monotonic() - since < AT_ONCE_S
    assert run.members() == {"p1"}
    run.wait_stored(run.stored() + 3_000)
    assert run.end("f0", number) == 0
    run.wait_drained()
    assert run.end("p1", number) == 0
    assert run.members() == set()
    assert [(last_line(run, w)["event"], last_line(run, w)["left_group"]) for w in ("p0", "p1")] == [
        ("stopped", True)
    ] * 2
    fleet = last_line(run, "f0")
    assert (fleet["event"], fleet["queued"], fleet["acked"]) == ("stopped", 0, fleet["offered"])
    assert fleet["offered"] == sum(run.ends().values()) == run.stored()
    assert committed(run) == run.positions() == run.ends()
    assert_stored_once(run)


@contextmanager
def locked(run: FactoryRun) -> Iterator[None]:
    """Nobody can store a reading meanwhile."""
    with closing(psycopg2.connect(run.endpoints.database_url)) as blocker:
        with blocker.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {run.names.schema}.readings IN ACCESS EXCLUSIVE MODE")
        yield


def test_a_processor_that_is_too_slow_is_explained_and_recovers(run: FactoryRun) -> None:
    """A batch that takes longer than max.poll.interval.ms costs the membership: log, system_events and metrics say why
    and what to do; the processor comes back, and nothing is lost or doubled. Over 10 s: the interval
    that is exceeded is at least a session."""
    settings = run.folder / "slow.properties"
    settings.write_text("max.poll.interval.ms=6000\n")
    run.processor("p0", consumer_config=settings, session_timeout_s=6, metrics_port=0, store_deadline_s=80)
    run.wait_logged("p0", "longer than max.poll.interval.ms = 6000: then the group takes the partitions away")
    run.fleet("f0", rate="2000", sensors=60, anomaly_rate=0.05)
    run.wait_stored(2_000)
    with locked(run):
        waits = (
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'factorylab-p0' AND wait_event_type = 'Lock'"
            " AND now() - query_start > '12 s'"
        )
        wait_until(lambda: run.query(waits) and not run.members(), what="a member to be given up", timeout_s=LONG_S)
    run.wait_logged("p0", '"reason": "too_slow"')
    run.wait_stored(run.stored() + 2_000)
    (url,) = (line["url"] for line in map(json.loads, run.said("p0").splitlines()) if line["event"] == "metrics")
    assert value_of(url, "factorylab_processor_revocations_total", reason="too_slow") >= 1
    assert run.end("f0") == 0
    run.wait_drained()
    assert run.end("p0") == 0
    ((text,), *_) = run.query("SELECT detail ->> 'explanation' FROM {s}.system_events WHERE kind = 'too_slow'")
    for word in ("max.poll.interval.ms = 6000", "storing", "FACTORYLAB_STORE_DEADLINE_S"):
        assert word in str(text)
    ((reasons,),) = run.query("SELECT count(*) FROM {s}.system_events WHERE detail ->> 'reason' = 'too_slow'")
    assert int(str(reasons)) >= 1
    assert_stored_once(run)


def value_of(url: str, name: str, **labels: str) -> float:
    """The value of one series, 0 where there is none."""
    families = scrape(url)
    samples = [sample for family in families.values() for sample in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())
