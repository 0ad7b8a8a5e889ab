"""The factory on a real cluster: whatever dies, each reading is stored once and alerts are exact."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import closing

import numpy as np
import psycopg2
import pytest
from confluent_kafka import Consumer, TopicPartition

from factorylab.cluster import ready
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core import messages
from factorylab.core.waiting import wait_until
from factorylab.detectors.saved_state import Part
from factorylab.factory import json_logs
from factorylab.factory.processor.assignment import Assignment
from factorylab.factory.processor.processor_journal import ProcessorJournal
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.copy_binary import POSTGRES_EPOCH_US
from factorylab.factory.store.positions import Fenced
from factorylab.factory.store.rows import AlertRow, StoreBatch
from factorylab.factory.store.store import Store
from factorylab.history.journal import read_journal
from factorylab.history.tables import Commit, Group, Read, Send
from tests.support.factory_runs import LONG_S, FactoryRun, assert_stored_once
from tests.support.sql_page import examples
from tests.support.wire import BAD, wire


@pytest.mark.parametrize("protocol", ["range", "cooperative-sticky", "consumer"])
def test_a_killed_processor_neither_loses_nor_doubles(run: FactoryRun, protocol: str) -> None:
    """A processor is SIGKILLed in mid-stream while another lives: all readings are stored once, alerts are exact. Over
    10 s: it waits for the end of the dead one's session, and a rebalance."""
    run.processor("p0", protocol=protocol)
    run.processor("p1", protocol=protocol)
    run.fleet("f0", rate="3000", sensors=90, anomaly_rate=0.05)
    run.wait_stored(5_000)
    assert run.end("p0", signal.SIGKILL) == -signal.SIGKILL
    run.wait_stored(run.stored() + 5_000)
    run.processor("p0", protocol=protocol)
    run.wait_stored(run.stored() + 5_000)
    assert run.end("f0") == 0
    run.wait_drained()
    assert_stored_once(run)
    assert [run.end("p0"), run.end("p1")] == [0, 0]


def test_a_frozen_processor_is_fenced(run: FactoryRun) -> None:
    """A processor is paused past its session and resumed: its partitions moved, and nothing is stored twice. Over 10 s:
    it waits for the end of the frozen one's session, and a rebalance."""
    run.processor("p0")
    run.processor("p1")
    run.fleet("f0", rate="3000", sensors=90, anomaly_rate=0.05)
    run.wait_stored(5_000)
    owners = {row[0] for row in run.query("SELECT owner FROM {s}.positions")}
    assert owners == {"p0", "p1"}
    run.send("p0", signal.SIGSTOP)
    wait_until(
        lambda: run.query("SELECT DISTINCT owner FROM {s}.positions") == [("p1",)],
        what="p1 to own all partitions",
        timeout_s=LONG_S,
    )
    run.wait_stored(run.stored() + 5_000)
    run.send("p0", signal.SIGCONT)
    wait_until(
        lambda: {row[0] for row in run.query("SELECT owner FROM {s}.positions")} == owners,
        what="p0 to own partitions again",
        timeout_s=LONG_S,
    )
    run.end("f0")
    run.wait_drained()
    assert_stored_once(run)
    assert any(isinstance(row, Group) and row.event == "lost" for row in read_journal(run.folder, "p0"))


def test_a_partition_that_was_given_up_is_read_when_it_comes_back(run: FactoryRun) -> None:
    """Given up (and so paused), revoked and assigned again, a partition delivers its records."""
    settings = {"bootstrap.servers": run.endpoints.bootstrap, "group.id": run.names.group, "enable.auto.commit": False}
    consumer = Consumer(settings | {"auto.offset.reset": "error"})
    owner = store(run, "one", topic=run.names.sensors)
    logger = json_logs.configure("one", "error")
    assignment = Assignment(
        consumer,
        run.names.sensors,
        incremental=False,
        store=owner,
        evidence=ProcessorJournal("one", None),
        logger=logger,
    )
    run.produce([wire(seq=n) for n in range(10)])

    def first() -> int | None:
        message = consumer.poll(0.1)
        return None if message is None else (message.partition() or 0) + 1

    with closing(consumer), closing(owner):
        assignment.subscribe()
        partition = wait_until(first, what="a record", timeout_s=LONG_S) - 1
        assignment.give_up(partition)
        other = Consumer(settings)
        other.subscribe([run.names.sensors])
        wait_until(
            lambda: [other.poll(0.1), consumer.poll(0.1), other.assignment()][2], what="a rebalance", timeout_s=LONG_S
        )
        other.close()
        assert wait_until(first, what="the record again", timeout_s=LONG_S) - 1 == partition


def test_a_killed_database_costs_no_reading(cluster: LocalCluster, run: FactoryRun) -> None:
    """PostgreSQL is SIGKILLed and started again in mid-stream: all is stored once, and no processor ended. Over 10 s:
    the database starts again under load."""
    run.processor("p0")
    run.processor("p1")
    run.fleet("f0", rate="3000", sensors=90, anomaly_rate=0.05)
    run.wait_stored(5_000)
    before = run.stored()
    try:
        cluster.inject(1, "database", "kill")
        wait_until(lambda: run.logged("p0", "batch_failed"), what="p0 to notice", timeout_s=LONG_S)
    finally:
        cluster.heal()
        ready.wait_ready(cluster.home, cluster.endpoints)
    run.wait_stored(before + 5_000)
    run.end("f0")
    run.wait_drained()
    assert_stored_once(run)
    assert [run.end("p0"), run.end("p1")] == [0, 0]


def test_bad_records_are_stored_or_dead_lettered_and_never_both(run: FactoryRun) -> None:
    """Each kind of bad record lands in the dead letters as it was, with its origin; good ones around it are stored."""
    run.processor("p0")
    good = [wire(seq=n, sensor_id=f"s-{n % 7}") for n in range(200)]
    mixed = [record for at, bad in enumerate(BAD.values()) for record in (good[at], bad)] + good[len(BAD) :]
    run.produce(mixed)
    run.wait_drained()
    assert run.end("p0") == 0
    log = {(m.partition(), m.offset()): (m.key(), m.value()) for m in run.read(run.names.sensors)}
    dead = run.read(run.names.dead_letters)
    headers = [{name: value.decode() for name, value in m.headers() or ()} for m in dead]
    where = [(int(h["__connect.errors.partition"]), int(h["__connect.errors.offset"])) for h in headers]
    assert Counter((m.key(), m.value()) for m in dead) == Counter(BAD.values())
    assert all(log[at] == (m.key(), m.value()) for at, m in zip(where, dead, strict=True))
    stored = run.query("SELECT partition, record_offset FROM {s}.readings")
    assert Counter([*stored, *where]) == Counter(log.keys())
    assert {h["__connect.errors.topic"] for h in headers} == {run.names.sensors}
    assert all(h["__connect.errors.exception.message"] for h in headers)


def test_records_that_were_sent_twice_are_stored_once(run: FactoryRun) -> None:
    """The same readings again, in the same batch and in a later one, change neither table nor alerts."""
    run.processor("p0")
    hot = [wire(seq=n, readings={"temperature_c": 70 + n % 5 * 8.0}) for n in range(100)]
    run.produce([*hot[:50], *hot[:50]])
    run.wait_drained()
    run.produce([*hot, *hot[20:]])
    run.wait_drained()
    run.end("p0")
    assert run.query("SELECT count(*), count(DISTINCT seq), max(seq) FROM {s}.readings") == [(100, 100, 99)]
    alerts = Counter(row[0] for row in run.query("SELECT alert_id FROM {s}.alerts"))
    topic = Counter(messages.decode_alert(m.value() or b"").alert_id for m in run.read(run.names.alerts))
    assert alerts == topic
    assert len(alerts) > 10
    commits = [row for row in read_journal(run.folder, "p0") if isinstance(row, Commit)]
    assert sum(row.rows for row in commits) == 100


def test_sigterm_leaves_the_group_and_current_offsets(run: FactoryRun) -> None:
    """A processor told to stop is no member when its process has ended, and Kafka's offsets are the store's. Over 10 s:
    processes start, share partitions and end."""
    run.processor("p0")
    run.processor("p1")
    run.fleet("f0", rate="2000", sensors=30)
    run.wait_stored(3_000)
    assert run.end("p0") == 0
    assert "p0" not in run.members()
    run.wait_stored(run.stored() + 2_000)
    assert run.end("f0") == 0
    run.wait_drained()
    assert run.end("p1") == 0
    group = Consumer({"bootstrap.servers": run.endpoints.bootstrap, "group.id": run.names.group})
    committed = group.committed([TopicPartition(run.names.sensors, p) for p in range(3)], timeout=LONG_S)
    group.close()
    assert {at.partition: at.offset for at in committed} == run.positions() == run.ends()


def test_journals_tell_what_happened(run: FactoryRun) -> None:
    """Sends, reads and commits of the journals add up to the log and the store; no log line speaks of one reading."""
    from factorylab.history.export import export_journals

    run.processor("p0")
    run.fleet("f0", rate="4000", sensors=50, anomaly_rate=0)
    run.wait_stored(4_000)
    assert run.end("f0") == 0
    run.wait_drained()
    assert run.end("p0") == 0
    history = run.folder / "history"
    history.mkdir()
    assert export_journals(run.folder, history) == []
    import pyarrow.parquet as pq

    sends = pq.read_table(
        history / "sends.parquet", columns=["partition", "offset", "payload_hash", "outcome"]
    ).to_pylist()
    log = {(m.partition(), m.offset()): messages.payload_hash(m.value() or b"") for m in run.read(run.names.sensors)}
    assert {row["outcome"] for row in sends} == {"ok"}
    assert {(row["partition"], row["offset"]): row["payload_hash"] for row in sends} == log
    rows = read_journal(run.folder, "p0")
    reads = [row for row in rows if isinstance(row, Read)]
    assert sum(row.count for row in reads) == len(log)
    assert sum(row.hash_sum for row in reads) % 2**64 == sum(log.values()) % 2**64
    assert sum(row.rows for row in rows if isinstance(row, Commit)) == len(log) == run.stored()
    lines = [
        json.loads(line) for name in ("p0", "f0") for line in (run.folder / f"{name}.log").read_text().splitlines()
    ]
    assert all({"timestamp", "level", "worker", "event"} <= set(line) for line in lines)
    assert len(lines) < 60
    assert Send.__struct_config__.tag == "sends"


def test_a_recording_is_stored_row_by_row(run: FactoryRun) -> None:
    """A fleet with a recorded source ends by itself with exit code 0 when the file is over, and all of it is stored."""
    file = run.folder / "machine.csv"
    values = 80 + 25 * np.sin(np.arange(3_000) / 40)
    lines = [f"2014-01-{1 + n // 1440:02} {n // 60 % 24:02}:{n % 60:02}:00,{v:.6f}\n" for n, v in enumerate(values)]
    file.write_text("timestamp,value\n" + "".join(lines))
    run.processor("p0")
    run.fleet("f0", rate="3000", source=file)
    assert run.processes["f0"].wait(LONG_S) == 0
    run.wait_drained()
    assert_stored_once(run)
    above = sum(float(f"{value:.6f}") > 80 for value in values)
    counted = run.query(
        "SELECT count(*), count(*) FILTER (WHERE temperature_c > 80), min(recorded_at)::text FROM {s}.readings"
    )
    assert counted == [(3_000, above, counted[0][2])]
    assert str(counted[0][2]).startswith("2014-01-01 00:00:00")


def test_the_examples_of_the_sql_page_answer(run: FactoryRun) -> None:
    """Each query of docs/sql.md runs as it stands there and gives rows, or none where the page says "no rows"."""
    run.processor("p0")
    run.fleet("f0", rate="3000", sensors=90, anomaly_rate=0.05)
    run.wait_stored(9_000)
    assert run.end("f0") == 0
    run.wait_drained()
    assert run.end("p0") == 0
    ((moment,),) = run.query("SELECT date_trunc('minute', max(recorded_at))::text FROM {s}.readings")
    ((sensor,),) = run.query("SELECT s.name FROM {s}.alerts a JOIN {s}.sensors s ON s.id = a.sensor_id LIMIT 1")
    answers = {e.intro: len(run.query(e.query)) for e in examples(run.names.schema, str(moment), str(sensor))}
    assert len(answers) > 10
    certain = {intro: rows for intro, rows in answers.items() if "unless" not in intro}
    assert {intro: rows for intro, rows in certain.items() if (rows == 0) != ("no rows" in intro)} == {}


# ---- the store alone


def store(run: FactoryRun, owner: str, deadline_s: float = 30, topic: str = "t") -> Store:
    return Store(run.endpoints.database_url, run.names.schema, topic, owner, deadline_s)


def batch(from_offset: int, to_offset: int, epoch: int, sensor: int = 1) -> StoreBatch:
    """A batch of temperatures with one alert; offsets are seqs."""
    seq = np.arange(from_offset, to_offset)
    columns = {
        "sensor_id": np.full(len(seq), sensor, np.int32),
        "seq": seq,
        "recorded_at": np.full(len(seq), 1_700_000_000_000_000 - POSTGRES_EPOCH_US),
        "partition": np.zeros(len(seq), np.int16),
        "record_offset": seq,
        "temperature_c": np.full(len(seq), 81.5),
    }
    alert = AlertRow(f"a-{from_offset}", sensor, from_offset, "r", "warning", 81.5, 80.0, "2023-11-14T22:13:20Z", "c")
    return StoreBatch(0, from_offset, to_offset, epoch, Part(0, b"state"), [columns], [alert])


def test_a_former_owner_is_refused(run: FactoryRun) -> None:
    """After another owner has taken the partition, a batch at the right position is refused and writes nothing."""
    old, new = store(run, "old"), store(run, "new")
    epoch = old.take(0).epoch
    assert old.commit(batch(0, 10, epoch)) == 10
    taken = new.take(0)
    assert (taken.next_offset, taken.epoch, taken.state) == (10, epoch + 1, [b"state"])
    with pytest.raises(Fenced):
        old.commit(batch(10, 20, epoch))
    assert new.commit(batch(10, 15, taken.epoch)) == 5
    with pytest.raises(Fenced):
        new.commit(batch(10, 15, taken.epoch))
    assert run.query("SELECT count(*), max(seq) FROM {s}.readings") == [(15, 14)]
    assert run.query("SELECT count(*) FROM {s}.alerts") == [(2,)]


def test_rows_that_are_there_already_are_left_as_they_are(run: FactoryRun) -> None:
    """A batch that overlaps what is stored adds only what is new, and says how much that was."""
    one = store(run, "one")
    epoch = one.take(0).epoch
    one.commit(batch(0, 10, epoch))
    again = batch(0, 25, epoch)
    overlapping = StoreBatch(0, 10, 25, epoch, Part(0, b"later"), again.readings, again.alerts)
    assert one.commit(overlapping) == 15
    assert run.query("SELECT count(*), max(seq) FROM {s}.readings") == [(25, 24)]
    assert one.take(0).state == [b"later"]


def test_a_hanging_server_is_cut_off(run: FactoryRun) -> None:
    """A call that does not come back is cut at its deadline, reported as unavailable; after a rest the next works."""
    one = store(run, "one", deadline_s=1)
    epoch = one.take(0).epoch
    blocker = psycopg2.connect(run.endpoints.database_url.replace("+psycopg2", ""))
    with blocker.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {run.names.schema}.readings IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(StoreUnavailable):
        one.commit(batch(0, 10, epoch))
    blocker.close()
    wait_until(lambda: one.ready, what="the store's rest after its failure", timeout_s=20)
    taken = one.take(0)
    assert taken.next_offset == 0
    assert one.commit(batch(0, 10, taken.epoch)) == 10


def test_a_frozen_owner_inside_its_transaction_loses_its_session(run: FactoryRun) -> None:
    """An owner that stopped between its first statement and its commit does not hold the partition for ever."""
    frozen = store(run, "frozen")
    epoch = frozen.take(0).epoch
    with pytest.raises(StoreUnavailable), frozen._session.transaction() as cursor:
        frozen._move(cursor, batch(0, 10, epoch))
        taken = store(run, "next").take(0)
        cursor.execute("SELECT 1")
    assert (taken.next_offset, taken.epoch) == (0, epoch + 1)


def test_sensors_have_one_id_whoever_registers_them(run: FactoryRun) -> None:
    """Two processes that register overlapping sensors get the same ids, however often they ask."""
    first = store(run, "one").sensor_ids([("b", "energy", "l"), ("a", "energy", "l")])
    second = store(run, "two").sensor_ids([("c", "energy", "l"), ("a", "vibration", "m"), ("b", "energy", "l")])
    assert (second["a"], second["b"]) == (first["a"], first["b"])
    assert len(set(second.values())) == 3
    assert run.query("SELECT kind FROM {s}.sensors WHERE name = 'a'") == [("energy",)]


def test_system_events_are_written(run: FactoryRun) -> None:
    """Start, assignment and stop of a processor stand in the table of system events."""
    run.processor("p0")
    run.end("p0")
    kinds = [row[0] for row in run.query("SELECT kind FROM {s}.system_events WHERE worker = 'p0' ORDER BY id")]
    assert kinds[:2] == ["start", "assigned"]
    assert kinds[-1] == "stop"
