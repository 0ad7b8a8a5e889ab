"""A process by hand on a real cluster: topics, rights and positions that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from psycopg2 import sql
from pydantic import SecretStr

from tests.support.factory_runs import LONG_S, FactoryRun
from tests.support.wire import wire


def test_a_fleet_waits_for_its_topic(run: FactoryRun) -> None:
    """A fleet without its topic names it and the way out, and offers its readings once the topic is there."""
    run.launch_fleet("f0", rate="100", sensors=3, sensor_topic="not.yet")
    run.wait_logged("f0", "no topic not.yet: create it, or name another (FACTORYLAB_SENSOR_TOPIC")
    assert run.logged("f0", "ready") == 0
    run.create_topics("not.yet")
    run.wait_logged("f0", '"event": "ready"')
    assert run.end("f0") == 0


def test_a_processor_waits_for_its_topics(run: FactoryRun) -> None:
    """A processor names each topic that is missing, and works once they are there."""
    run.launch_processor("p0", alert_topic="no.alerts", dead_letter_topic="no.letters")
    run.wait_logged("p0", "no topic no.alerts, no.letters: create it")
    run.create_topics("no.alerts", "no.letters")
    run.wait_logged("p0", '"event": "ready"')
    assert run.end("p0") == 0


@contextmanager
def account(run: FactoryRun) -> Iterator[str]:
    """The database's URL for an account that may do nothing but connect."""
    url = run.endpoints.database_url
    name = f"poor_{run.names.schema}"
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            role = sql.Identifier(name)
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'poor'").format(role))
            try:
                yield f"postgresql://{name}:poor@{url.rpartition('@')[2]}"
            finally:
                cursor.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_processor_that_may_not_create_its_tables_ends(run: FactoryRun) -> None:
    """Tables that are missing and cannot be created, or are there and forbidden, end a processor with exit code 5."""
    with account(run) as url:
        for schema in ("not_there", run.names.schema):
            run.launch_processor("p0", database_url=SecretStr(url), db_schema=schema)
            assert run.processes["p0"].wait(LONG_S) == 5
            assert "permission denied" in run.said("p0") and "GRANT CREATE ON DATABASE" in run.said("p0")
            assert "Traceback" not in run.said("p0")


@pytest.mark.parametrize("how", ["retention", "truncation"])
def test_a_position_that_left_the_log_stops_the_processor(run: FactoryRun, how: str) -> None:
    """Where the log no longer holds the stored position the processor ends with exit code 1 and an event and stores
    nothing of that partition; it goes on where somebody has set the position, by the statement that it gave."""
    run.processor("p0")
    run.produce([wire(seq=n, sensor_id="one") for n in range(200)])
    run.wait_drained()
    assert run.end("p0") == 0
    ((partition, position),) = ((p, at) for p, at in run.positions().items() if at)
    run.produce([wire(seq=n, sensor_id="one") for n in range(200, 300)])
    if how == "retention":
        run.delete_records({partition: position + 40})
    else:  # as if the log had been longer before
        run.query("UPDATE {s}.positions SET next_offset = 5000 WHERE next_offset > 0 RETURNING 1")
    before = run.stored(), run.positions()
    run.launch_processor("p0")
    assert run.processes["p0"].wait(LONG_S) == 1
    assert (run.stored(), run.positions()) == before
    ((event,),) = run.query("SELECT detail FROM {s}.system_events WHERE kind = 'position_lost'")
    assert isinstance(event, dict)
    found = event["partition"], event["position"], event["end"]
    assert found == (partition, before[1][partition], position + 100)
    _, _, way_out = run.said("p0").rpartition("start the processors again: ")
    run.query(way_out.partition('"')[0] + " RETURNING 1")
    run.processor("p0")
    run.wait_drained()
    assert run.end("p0") == 0
    assert run.stored() == (260 if how == "retention" else 300)
