"""Operations on a real cluster: metrics against journals and tables, events, the way of a reading, the live view."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Message

from factorylab.cluster.admin import Admin
from factorylab.cluster.faults.events import SystemEvents
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.clock import now_ns
from factorylab.core.errors import UsageError, WaitTimeout
from factorylab.core.waiting import wait_until
from factorylab.execution import log_scan
from factorylab.history.journal import SEND, read_journal, read_pieces, sends_path
from factorylab.history.tables import Commit, FaultStep
from factorylab.operations import live_trace, live_view
from factorylab.scenarios.fault_catalog import KindName
from tests.support.factory_runs import LONG_S, FactoryRun
from tests.support.labs import listening
from tests.support.scraped import scrape, value
from tests.support.wire import wire

BAD = (b"x", b"not JSON")


def metrics_of(run: FactoryRun, worker: str) -> str:
    """Where a process said that it serves them."""
    return re.findall(r'"url": "(http://127.0.0.1:\d+/metrics)"', run.said(worker))[-1]


def offered(run: FactoryRun, worker: str) -> int:
    """Readings in the fleet's journal so far."""
    return sum(len(piece) for piece in read_pieces(sends_path(run.folder, worker), SEND))


def test_metrics_are_what_journals_and_tables_say(run: FactoryRun) -> None:
    """Scraped from real processes: a fleet's counts lie between its journal before and after, a processor's are those
    of journal and tables; after the end nothing listens."""
    run.processor("p0", metrics_port=0)
    run.fleet("f0", rate="2000", sensors=90, metrics_port=0)
    run.wait_stored(5_000)
    before = offered(run, "f0")
    fleet = scrape(metrics_of(run, "f0"))
    assert before <= value(fleet, "fleet_readings_offered_total") <= offered(run, "f0")
    assert 5_000 <= value(fleet, "fleet_readings_acked_total") <= value(fleet, "fleet_readings_offered_total")
    assert value(fleet, "fleet_ack_latency_seconds_count") == value(fleet, "fleet_readings_acked_total")
    ports = [int(url.rpartition(":")[2].split("/")[0]) for url in (metrics_of(run, "f0"), metrics_of(run, "p0"))]
    assert listening(ports) == sorted(ports)
    run.end("f0")
    run.produce([BAD] * 3)
    run.wait_drained()
    commits = [row for row in read_journal(run.folder, "p0") if isinstance(row, Commit)]
    found = scrape(metrics_of(run, "p0"))
    assert value(found, "processor_readings_stored_total") == run.stored() == sum(row.rows for row in commits)
    assert value(found, "processor_alerts_total") == run.query("SELECT count(*) FROM {s}.alerts")[0][0]
    assert value(found, "processor_dead_letters_total") == 3 == len(run.read(run.names.dead_letters))
    assert value(found, "processor_readings_read_total") == sum(run.ends().values())
    assert value(found, "processor_assigned_partitions") == 3
    assert value(found, "processor_rebalances_total") == 1
    assert [value(found, "processor_lag_records", partition=str(p)) for p in range(3)] == [0, 0, 0]
    run.end("p0")
    assert listening(ports) == []


def test_a_reading_is_traced_through_the_lab_that_is_up(run: FactoryRun) -> None:
    """An alert's reading is found in table, log and log lines by its correlation id; one that is nowhere is refused."""
    run.processor("p0")
    run.fleet("f0", rate="2000", sensors=90, anomaly_rate=0.05)
    wait_until(lambda: run.query("SELECT 1 FROM {s}.alerts LIMIT 1"), what="an alert", timeout_s=LONG_S)
    ((word, partition, offset),) = run.query(
        "SELECT correlation_id, partition, record_offset FROM {s}.alerts JOIN {s}.readings USING (sensor_id, seq)"
        " LIMIT 1"
    )
    sensor, seq = str(word).rsplit(":", 1)
    files = [run.folder / "p0.log"]
    found = live_trace.trace(run.endpoints, run.names, files, sensor, int(seq))
    by_name = {step.step: step for step in found.steps}
    assert found.correlation_id == word
    assert by_name["sent"].where == f"{run.names.sensors}/{partition}/{offset}"
    assert {"measured", "in_store", "alert"} <= by_name.keys()
    assert any(step.step == "alert" and step.by == "p0" and step.at for step in found.steps)
    times = [step.at for step in found.steps if step.at]
    assert times == sorted(times)
    run.end("f0")
    with pytest.raises(UsageError, match=f"no trace of {sensor}:999999: it is neither stored nor in"):
        live_trace.trace(run.endpoints, run.names, files, sensor, 999_999)


def test_a_reading_that_became_a_dead_letter_is_traced_to_it(run: FactoryRun) -> None:
    """Trace finds the letter of that very record, with its reason, and none where a record waits for its processor."""
    key, value = wire(seq=7, sensor_id="one", readings={"temperature_c": "warm"})
    run.produce([(b"other", b"not JSON"), (key, value)])
    run.processor("p0")
    run.wait_drained()
    assert run.end("p0") == 0
    found = live_trace.trace(run.endpoints, run.names, [run.folder / "p0.log"], "one", 7)
    by_name = {step.step: step for step in found.steps if step.where}
    assert {"sent", "not_in_store", "dead_letter"} == by_name.keys()
    letter, sent = by_name["dead_letter"], by_name["sent"]
    assert letter.where == run.names.dead_letters and "float" in letter.detail and "JSON" not in letter.detail
    assert letter.at and sent.at and letter.at >= sent.at
    run.produce([wire(seq=8, sensor_id="one", readings={"temperature_c": "warm"})])
    waiting = live_trace.trace(run.endpoints, run.names, [], "one", 8)
    assert [step.step for step in waiting.steps] == ["sent", "not_in_store"]


def test_a_topic_that_cannot_be_read_as_a_whole_is_no_shorter_topic(
    run: FactoryRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Records that the log does not give are an error with its reason; to the final read, whose audit counts, they are
    missing records."""
    run.produce([wire(seq=n, sensor_id=f"s{n}") for n in range(60)])
    ends = run.ends()
    cut = max(ends, key=lambda partition: ends[partition])
    run.delete_records({cut: 2})
    spans, found = {p: (0, end) for p, end in ends.items()}, list[Message]()
    bootstrap, topic = run.endpoints.bootstrap, run.names.sensors
    monkeypatch.setattr(log_scan, "IDLE_S", 2.5)
    with pytest.raises(WaitTimeout, match=rf"partition {cut} \(to offset {ends[cut]}\).*[Oo]ffset out of range"):
        for batch in log_scan.read_topic(bootstrap, topic, spans):
            found += batch
    assert len(found) == 60 - ends[cut]
    monkeypatch.setattr(log_scan, "IDLE_S", 0.1)
    out = tmp_path / "log.parquet"
    assert log_scan.read_log(bootstrap, topic, {cut: spans[cut]}, {}, out, see=found.extend) == {}
    assert pq.read_metadata(out).num_rows == 0


def test_a_topic_is_told_from_another_of_its_name(run: FactoryRun) -> None:
    """One that was made again has another id; one that is not there is no topic without partitions."""
    with closing(Admin(run.endpoints.bootstrap, deadline_s=0)) as admin:
        first = admin.identity(run.names.labels)
        assert first.partitions == 3 and first == admin.identity(run.names.labels)
        with pytest.raises(WaitTimeout, match="UnknownTopicOrPartition"):
            admin.partitions("no-such-topic")
    with closing(Admin(run.endpoints.bootstrap)) as admin:
        admin.delete_topics([run.names.labels])
        wait_until(lambda: run.names.labels not in admin.topics(), what="the topic to be gone", timeout_s=LONG_S)
        run.create_topics(run.names.labels)
        assert admin.identity(run.names.labels).topic_id != first.topic_id


def test_errors_and_the_whole_life_of_a_processor_are_events(run: FactoryRun) -> None:
    """Starts, assignments, revocations and errors of processors are in the table of system events."""
    run.processor("p0")
    run.processor("p1")
    run.fleet("f0", rate="500", sensors=30)
    run.wait_stored(500)
    run.query("ALTER TABLE {s}.readings RENAME TO hidden; SELECT 1")
    wait_until(lambda: run.logged("p0", "batch_failed") + run.logged("p1", "failed"), what="an error", timeout_s=LONG_S)
    run.query("ALTER TABLE {s}.hidden RENAME TO readings; SELECT 1")
    for worker in ("f0", "p0", "p1"):
        if run.processes[worker].poll() is None:
            run.end(worker)
    events = run.query("SELECT worker, kind FROM {s}.system_events")
    assert {("p0", "start"), ("p1", "start"), ("p0", "assigned"), ("p1", "assigned"), ("p0", "revoked")} <= set(events)


def test_faults_of_the_lab_are_events_even_while_the_database_is_away(cluster: LocalCluster, run: FactoryRun) -> None:
    """A step that is noted while PostgreSQL is frozen is written with its own moment once it is back."""
    with SystemEvents(cluster.endpoints.database_url, run.names.schema) as events:
        cluster.inject(1, "database", "pause")
        before = now_ns()
        events.fault(
            FaultStep(worker="runner", t_ns=before, fault=1, kind="pause", target="database", node="database",
                      step="injected", evidence="it is paused")
        )  # fmt: skip
        assert (now_ns() - before) / 1e9 < 0.5
        assert events.left == 1
        cluster.heal(1)
        wait_until(lambda: events.left == 0, what="the event to be written", timeout_s=LONG_S)
    ((kind, detail),) = run.query("SELECT kind, detail FROM {s}.system_events WHERE worker = 'lab'")
    assert kind == "fault_injected"
    assert detail == {"fault": "pause", "target": "database", "node": "database", "evidence": "it is paused"}


def test_the_live_view_agrees_with_log_and_store(run: FactoryRun) -> None:
    """Once all is drained, a look has the log's ends, no lag and the owner; before, rates are what is offered. Over 10
    s: 5,000 readings at 1,000 a second."""
    run.processor("p0")
    run.fleet("f0", rate="1000", sensors=90)
    run.wait_stored(3_000)
    looker = live_view.Looker(run.endpoints, run.names)
    looker.wait_for_all(LONG_S)
    first = looker.look()
    run.wait_stored(run.stored() + 5_000)
    rates = live_view.rates(first, looker.look())
    assert rates.written_per_s == pytest.approx(1000, rel=0.5)
    assert rates.stored_per_s == pytest.approx(1000, rel=0.5)
    run.end("f0")
    run.wait_drained()
    drained_ns = now_ns()
    last = wait_until(lambda: asked_since(looker, drained_ns), what="answers to all questions", timeout_s=LONG_S)
    looker.close()
    assert last.partitions is not None and last.store is not None
    assert {one.partition: one.end for one in last.partitions} == run.ends()
    assert last.lag_records == 0
    assert {one.owner for one in last.partitions} == {"p0"}
    assert last.store.alerts == run.query("SELECT count(*) FROM {s}.alerts")[0][0]
    assert [event.kind for event in last.store.latest_events][-1] == "start"
    assert json.dumps(last.group_state) == '"Stable"'
    run.end("p0", signal.SIGTERM)


def asked_since(looker: live_view.Looker, t_ns: int) -> live_view.Look | None:
    """A look all of whose answers are of later than `t_ns`."""
    look = looker.look()
    limit_s = (look.t_ns - t_ns) / 1e9
    ages = (look.ages_s.leaders, look.ages_s.ends, look.ages_s.group, look.ages_s.store)
    return look if all(age is not None and age < limit_s for age in ages) else None


@pytest.mark.quiet
@pytest.mark.parametrize(("node", "action"), [("database", "pause"), ("broker-1", "kill"), ("broker-2", "pause")])
def test_a_look_never_waits_and_says_what_is_old(
    cluster: LocalCluster, run: FactoryRun, node: str, action: KindName
) -> None:
    """While a node is frozen or dead, each look comes at once: old is what only that node could tell, each time older,
    and the rest is of now. After the healing all is. Over 10 s: an answer has to grow old, and a node starts again."""
    looker = live_view.Looker(run.endpoints, run.names)
    looker.wait_for_all(LONG_S)
    cluster.inject(1, node, action)
    try:
        old = wait_until(lambda: stale_look(looker, node), what=f"a look without {node}", timeout_s=LONG_S)
        began = time.monotonic()
        older = looker.look()
        took_s = time.monotonic() - began
    finally:
        cluster.heal(1)
    assert took_s < live_view.ANSWER_S  # it asked nobody
    assert old.partitions is not None and len(old.partitions) == 3 and old.store is not None
    assert older.ages_s.leaders is not None and live_view.fresh(older.ages_s.leaders)
    assert live_view.fresh(older.ages_s.store) == (node != "database")
    healed_ns = now_ns()
    wait_until(lambda: asked_since(looker, healed_ns), what="all to answer again", timeout_s=LONG_S)
    looker.close()


def stale_look(looker: live_view.Looker, node: str) -> live_view.Look | None:
    """A look whose answers of the database, or of a broker about the partitions that it leads, are old."""
    look = looker.look()
    of_node = look.ages_s.store if node == "database" else look.ages_s.ends
    return None if live_view.fresh(of_node) else look
