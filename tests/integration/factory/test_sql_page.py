"""docs/sql.md on a real PostgreSQL with many readings: each query answers, by the indexes that the page names."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from factorylab.factory.store import schema
from tests.support.databases import Place
from tests.support.sql_page import examples

# 5,000 sensors with 81 readings each, one every 15 minutes up to now.
FILL = """
SET search_path TO {s};
INSERT INTO sensors (name, kind, location)
  SELECT format('%s-%s', (ARRAY['temperature', 'vibration', 'energy'])[n % 3 + 1], lpad(n::text, 5, '0')),
         'temperature', 'line-' || n % 8 + 1 FROM generate_series(0, 4999) n;
INSERT INTO readings (sensor_id, seq, recorded_at, partition, record_offset, temperature_c)
  SELECT s, n, now() - (80 - n) * interval '15 minutes' + s * interval '0.1 second', s % 3, n * 5000 + s,
         20 + random() FROM generate_series(0, 80) n, generate_series(1, 5000) s ORDER BY n, s;
INSERT INTO alerts (alert_id, sensor_id, seq, rule, severity, value, limit_value, raised_at, correlation_id)
  SELECT sensor_id || ':' || seq, sensor_id, seq, 'temperature_high', 'warning', 81, 80, recorded_at, 'c'
  FROM readings WHERE (sensor_id + seq * 7) % 20 = 0;
INSERT INTO system_events (at, worker, kind, detail)
  SELECT now() - n * interval '10 seconds', 'p' || n % 3, 'assigned', '{{}}' FROM generate_series(0, 7000) n;
INSERT INTO positions VALUES ('sensor-data', 0, 1, 1, 'p0', 1);
ANALYZE sensors, readings, alerts, system_events;
"""
BIG = {"readings", "alerts", "system_events"}


@pytest.fixture(scope="module")
def factory(database_url: str) -> Iterator[Place]:
    """A schema with 400,000 readings."""
    place = Place(database_url, f"of_{secrets.token_hex(4)}")
    schema.create_schema(place.url, place.name)
    place.ask(FILL)
    yield place
    schema.drop_schema(place.url, place.name)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def plan_of(place: Place, query: str) -> list[dict[str, Any]]:
    """The nodes of the plan of the last statement in `query`."""
    search, _, statement = query.partition(";")
    ((answer,),) = place.ask(f"{search}; EXPLAIN (FORMAT JSON) {statement}")
    found = json.loads(answer) if isinstance(answer, str) else answer
    return list(nodes(found[0]["Plan"]))  # type: ignore[index]


def page(place: Place) -> list[Any]:
    ((moment,),) = place.ask("SELECT date_trunc('minute', max(recorded_at))::text FROM {s}.readings")
    return examples(place.name, str(moment))


def test_each_question_uses_the_indexes_that_the_page_names(factory: Place) -> None:
    """The plan of each of them has exactly the promised indexes, and reads no big table from end to end."""
    promising = [example for example in page(factory) if example.indexes]
    assert len(promising) >= 7
    wrong = {}
    for example in promising:
        plan = plan_of(factory, example.query)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        scanned = {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"} & BIG
        if scanned or not set(example.indexes) <= used:
            wrong[example.intro] = {"scanned": scanned, "lacking": set(example.indexes) - used, "used": used}
    assert wrong == {}


def test_each_question_has_an_answer(factory: Place) -> None:
    """Every query of the page runs as it stands there."""
    empty = [example.intro for example in page(factory) if example.indexes and not factory.ask(example.query)]
    assert empty == []


def test_a_question_without_its_index_would_be_seen(factory: Place) -> None:
    """The check of the plans can fail: without the index a query of the page reads all readings."""
    query = page(factory)[0].query.replace("FROM sensors s JOIN readings r", "FROM sensors s JOIN copied r")
    factory.ask("CREATE TABLE {s}.copied AS SELECT * FROM {s}.readings; ANALYZE {s}.copied")
    scanned = {node["Relation Name"] for node in plan_of(factory, query) if node["Node Type"] == "Seq Scan"}
    assert "copied" in scanned
