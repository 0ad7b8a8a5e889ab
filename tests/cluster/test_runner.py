"""Whole runs on a real cluster: a machine's readings through two failures, and one run each that fails and proves
nothing."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from kafka import KafkaConsumer, TopicPartition
from psycopg2 import sql

import factorylab as lab
from factorylab.audit.judged import load
from factorylab.audit.model.verdict_frames import claims
from factorylab.cluster import boot, manage
from factorylab.cluster.base import Endpoints
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings
from factorylab.core.names import Names
from factorylab.execution.runner import perform
from factorylab.history import run_folders
from factorylab.history.saved_run import Run
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Fault, Scenario, Schedule, Workload
from tests.support.places import ROOT
from tests.support.recorded import ABOVE_80, ABOVE_100, READINGS, machine_file

EXPERIMENTS = ROOT / "experiments" / "scenarios"
SHORT = Schedule(warm_up_s=2, steady_s=4, after_s=4)


def fired(run: Run) -> set[str]:
    return {check.name for check in run.verdict.fired}


def explain(run: Run) -> str:
    """What the verdict says, for a failing assertion."""
    return claims(run.verdict).head(8).to_string()


def made(wanted: Scenario, cluster: LocalCluster, settings: Settings) -> Run:
    """The run of a scenario on the session's cluster."""
    folder = run_folders.create(settings.results, wanted)
    perform(wanted, folder, cluster, settings.home, print)
    return load(folder.path)


def recount_store(endpoints: Endpoints, schema: str) -> tuple[int, ...]:
    """Rows, distinct keys, rows above 80 and above 100 of the table `readings`, by plain SQL."""
    query = sql.SQL(
        "SELECT count(*), count(DISTINCT (sensor_id, seq)), count(*) FILTER (WHERE temperature_c > 80),"
        " count(*) FILTER (WHERE temperature_c > 100) FROM {}"
    ).format(sql.Identifier(schema, "readings"))
    with closing(psycopg2.connect(endpoints.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    assert row is not None
    return tuple(row)


def recount_log(endpoints: Endpoints, topic: str) -> tuple[int, ...]:
    """The same counts of the records of a topic, by a consumer of another implementation."""
    consumer = KafkaConsumer(bootstrap_servers=endpoints.bootstrap.split(","), enable_auto_commit=False, group_id=None)
    with closing(consumer):
        places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        values: dict[tuple[str, int], float] = {}
        records = 0
        while any(consumer.position(place) < end for place, end in ends.items()):
            for batch in consumer.poll(1000).values():
                records += len(batch)
                for record in batch:
                    reading = json.loads(record.value)
                    values[reading["sensor_id"], reading["seq"]] = reading["readings"]["temperature_c"]
    return records, len(values), sum(v > 80 for v in values.values()), sum(v > 100 for v in values.values())


@pytest.mark.recorded
@pytest.mark.quiet  # 22,695 readings must last until both faults are over, however long the start of a lab takes
def test_a_machines_readings_survive_two_failures(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """While a broker and a processor are killed each of 22,695 recorded readings is stored once: the verdict, plain SQL
    and a foreign consumer on the lab that was left up count the same. Over 10 s: a whole run of 22,695 readings on a
    lab of its own."""
    source = machine_file()
    monkeypatch.setenv("FACTORYLAB_HOME", str(home))
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    request.addfinalizer(lambda: manage.down(home, force=True))
    wanted = build("recorded_machine", {"source": str(source), "rate_per_s": 800, "hold_s": 11})
    wanted = wanted.model_copy(
        update={
            "schedule": SHORT.model_copy(update={"after_s": 1}),
            "clients": wanted.clients.model_copy(update={"compression": "gzip"}),  # the foreign consumer knows no lz4
        }
    )
    run = lab.run(wanted, keep=True)
    assert run.verdict.verdict == "PASS", explain(run)
    assert lab.tables.values(run, [80, 100]).iloc[0].tolist() == [READINGS, READINGS, ABOVE_80, ABOVE_100]
    killed = {str(row.node).partition("-")[0] for row in run.faults.itertuples() if row.step == "evidence"}
    assert killed == {"broker", "processor"}
    endpoints, names = boot.known_endpoints(home), Names.of(run.folder.run_id)
    assert recount_store(endpoints, names.schema) == (READINGS, READINGS, ABOVE_80, ABOVE_100)
    records, *distinct = recount_log(endpoints, names.sensors)
    assert distinct == [READINGS, ABOVE_80, ABOVE_100]
    assert records == run.row_count("log")
    assert run_folders.broken_seal(run.folder) == []


def test_a_fault_that_never_lands_proves_nothing(cluster: LocalCluster, session_settings: Settings) -> None:
    """A pause that aims at a dead broker cannot land: the run is INVALID, and the check names that fault alone. What
    the lab did stands in the factory's own system_events, step by step. Over 10 s: a whole run."""
    wanted = lab.scenario(str(EXPERIMENTS / "never_lands.yaml"))
    faults = (
        Fault(kind="kill", target="broker:2", hold_s=4),
        Fault(kind="pause", target="broker:2", at_s=1, hold_s=2),
    )
    shortened = {"schedule": SHORT, "faults": faults, "workload": Workload(rate_per_s=500, sensors=30)}
    run = made(wanted.model_copy(update=shortened), cluster, session_settings)
    assert run.verdict.verdict == "INVALID" and run.verdict.met, explain(run)
    landed = next(check for check in run.verdict.checks if check.name == "fault_landed")
    assert (landed.verdict, landed.count) == ("INVALID", 1), explain(run)
    assert "healed" not in fired(run), explain(run)
    noted = [str(event) for event in run.events["event"] if str(event).startswith("fault_")]
    assert sorted(noted) == sorted(f"fault_{step}" for step in run.faults["step"]) != []


def test_a_sealed_run_is_loaded_again(cluster: LocalCluster, session_settings: Settings) -> None:
    """A healthy run passes, leaves no journal, and its folder is shown again without running anything. Over 10 s: a
    whole run."""
    wanted = Scenario(name="healthy", workload=Workload(rate_per_s=500, sensors=30), schedule=SHORT)
    run = made(wanted, cluster, session_settings)
    assert run.verdict.verdict == "PASS", explain(run)
    assert not run.folder.journals.exists() and run.missing() == []
    again = lab.run(wanted, run.folder.path)  # the session's cluster is ours: a second driver would be refused
    assert again.verdict == run.verdict
    assert run.manifest.problems == run.manifest.workers_died == []
    assert run.manifest.topics["sensor-data"] == Names.of(run.folder.run_id).sensors
