"""A program under test on a real cluster: its bug is found, and its repaired twin passes."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from factorylab.audit.judged import load
from factorylab.cluster.admin import Admin
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import WaitTimeout
from factorylab.core.libpq import plain
from factorylab.execution import subject_records
from factorylab.execution.runner import perform
from factorylab.execution.shared_lab import forget
from factorylab.execution.subject_output import read_output
from factorylab.execution.subject_records import TopicOutput
from factorylab.history import run_folders
from factorylab.history.manifest import OutputRead
from factorylab.scenarios.model import Scenario, Topology, scenario_from
from factorylab.scenarios.subject import Subject
from tests.support.places import ROOT

OF_ITS_OWN = {
    "output": "topic",
    "record": '{"sensor_id": "{sensor}", "seq": {seq}, "at": {time_ms}, "amount": {value}}',
    "identity": '"sensor_id": "{sensor}", "seq": {seq}',
}
TIMED = {"query": "SELECT sensor_id, seq, at FROM readings", "times": True}


def wanted(first: str, **output: object) -> Scenario:
    """One kill, once the program stands between its two steps."""
    return scenario_from(
        {
            "name": "your_application",
            "variant": f"{first} first",
            "topology": {"profile": "safe"},
            "workload": {"rate_per_s": 100, "sensors": 30},
            "clients": {"processors": 1, "session_timeout_s": 6, "static_members": True},
            "subject": {
                "command": ["{python}", str(ROOT / "tests/support/hanging_consumer.py"), first],
                **output,
            },
            "faults": [{"kind": "kill", "target": "owner:0", "at_s": 2, "hold_s": 1}],
            "schedule": {"warm_up_s": 1, "steady_s": 3, "after_s": 1},
        },
        "test",
    )


@pytest.mark.parametrize(
    ("first", "output", "fired"),
    [("commit", OF_ITS_OWN, ["lost_in_pipeline"]), ("write", TIMED, [])],
    ids=["commit first", "write first"],
)
def test_a_kill_between_two_steps_tells_them_apart(
    first: str, output: dict[str, object], fired: list[str], cluster: LocalCluster, session_settings: Settings
) -> None:
    """What was committed and not written is lost, here of records of the user's, from a topic; what was written and not
    committed is written once, by the key of its table, whose times tell for how long machines were blind. The
    database's password is in no file of the run. About 15 s each: a whole run."""
    scenario = wanted(first, **output)
    folder = run_folders.create(session_settings.results, scenario)
    perform(scenario, folder, cluster, session_settings.home, print)
    run = load(folder.path)
    forget(cluster.endpoints, folder.run_id)
    told = "\n".join(f"{c.name}: {c.measured}" for c in run.verdict.fired)
    assert [c.name for c in run.verdict.fired] == fired, told
    assert run.verdict.counts and run.verdict.counts.stored > 0
    timed = run.verdict.alerting and run.verdict.alerting.blind.blind_s > 0
    assert bool(timed) == bool(run.verdict.latency) == (output is TIMED)
    assert secret_in(folder.path, plain(cluster.endpoints.database_url)) == []


def secret_in(folder: Path, url: str) -> list[str]:
    """Files that hold the password of a URL."""
    password = url.partition("@")[0].rpartition(":")[2].encode()
    return [file.name for file in folder.rglob("*") if file.is_file() and password in file.read_bytes()]


def test_of_a_topic_committed_records_are_read(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a transaction wrote that was aborted is no output; one that stays open hides what lies beyond it, and is
    named. The order within a partition is counted, and a record's own timestamp says when it was written."""
    monkeypatch.setattr(subject_records, "OPEN_S", 0.5)
    name, subject = f"out-{secrets.token_hex(4)}", Subject(command=("mine",), output="topic", times=True)
    with closing(Admin(cluster.endpoints.bootstrap)) as admin:
        admin.create_topics([name], Topology(partitions=1))
        one, other = (transactional(cluster.endpoints.bootstrap, f"{name}-{i}") for i in range(2))
        for seqs, end in (([1], "commit"), ([2, 3], "abort"), ([3, 2], "commit")):
            written(one, name, seqs)
            getattr(one, f"{end}_transaction")(20)
        written(other, name, [4])
        output = TopicOutput(admin, name, subject)
        with pytest.raises(WaitTimeout, match=f"the transactions in {name} to end"):
            read_output(output, {}, tmp_path / "none.parquet")
        other.abort_transaction(20)
        monkeypatch.setattr(subject_records, "OPEN_S", 20)
        told = read_output(output, {"temperature-00000": 0}, tmp_path / "rows.parquet")
    assert told == (OutputRead(rows=3, out_of_order=1), "")
    rows = pq.read_table(tmp_path / "rows.parquet").to_pydict()
    assert rows["seq"] == [1, 3, 2] and all(0 < now_ns() - t_ns < 600 * NS for t_ns in rows["t_ns"])


def transactional(bootstrap: str, name: str) -> Producer:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name})
    producer.init_transactions(20)
    return producer


def written(producer: Producer, topic: str, seqs: list[int]) -> None:
    """In a transaction that is open."""
    producer.begin_transaction()
    for seq in seqs:
        producer.produce(topic, json.dumps({"sensor_id": "temperature-00000", "seq": seq}))
    producer.flush()
