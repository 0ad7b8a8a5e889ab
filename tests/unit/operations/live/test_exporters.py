"""One exposition of all workers, and the dashboards and rules that are written for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry, generate_latest

from factorylab.factory.metrics import FleetCounts, FleetMetrics, ProcessorCounts, ProcessorMetrics
from factorylab.operations.live.exporters import merged, samples
from factorylab.operations.live.lab_metrics import exposition
from factorylab.operations.live.moments import QUESTIONS, Lag, Moment, NodeShown, PartitionShown
from tests.support.places import ROOT

FOLDER = ROOT / "docs/monitoring"
MOMENT = Moment(
    1.0, "up", "a run", lag=Lag(12, 0.5), alerts=3, dead_letters=0, ages_s=dict.fromkeys(QUESTIONS, 0.1),
    nodes=[NodeShown("broker-1", "broker", "running"), NodeShown("broker-2", "broker", "dead")],
    partitions=[PartitionShown(0, 1, [1, 2], "a", 12, 0.5), PartitionShown(1)],
)  # fmt: skip


@cache
def texts() -> dict[str, str | None]:
    """What two fleets and a processor say, by their own collectors; another does not answer."""
    fleet, processor = FleetMetrics(lambda: FleetCounts(100, 90, 10, {"full": 2})), ProcessorMetrics()
    fleet.acked(0.004)
    processor.seen = ProcessorCounts({"stored": 80}, 1, {"too_slow": 1}, 3, {0: 10})

    def text(collector: Any) -> str:
        registry = CollectorRegistry()
        registry.register(collector)
        return generate_latest(registry).decode()

    return {"fleet-a": text(fleet), "fleet-b": text(fleet), "processor-a": text(processor), "processor-b": None}


class Exporters:
    """As much of the lab's exporters as the exposition asks for."""

    def texts(self) -> dict[str, str | None]:
        return texts()


@cache
def exposed() -> str:
    return exposition(MOMENT, Exporters()).decode()  # type: ignore[arg-type]


def test_each_sample_has_the_label_of_its_worker() -> None:
    """Families are there once, with the samples of every worker that answers."""
    families = {family.name: family for family in merged(texts())}
    offered = families["factorylab_fleet_readings_offered"].samples
    assert [(sample.labels, sample.value) for sample in offered] == [
        ({"worker": "fleet-a"}, 100),
        ({"worker": "fleet-b"}, 100),
    ]
    assert exposed().count("# TYPE factorylab_fleet_readings_offered_total counter") == 1
    assert 'factorylab_processor_lag_records{partition="0",worker="processor-a"} 10.0' in exposed()


def test_what_is_not_known_has_no_sample() -> None:
    """A worker that does not answer is down, a partition whose leader nobody tells has no leader in the metrics."""
    assert 'factorylab_worker_up{worker="processor-b"} 0.0' in exposed()
    assert 'factorylab_node_running{node="broker-2",role="broker"} 0.0' in exposed()
    assert 'factorylab_partition_leader{partition="0"} 1.0' in exposed()
    assert 'partition_leader{partition="1"}' not in exposed() and 'lag_seconds{partition="1"}' not in exposed()


def test_only_what_is_asked_of_an_exporter_is_read() -> None:
    """The values by name and bucket."""
    found = samples(texts()["fleet-a"] or "", "factorylab_fleet_")
    assert found["factorylab_fleet_readings_acked_total", ""] == 90
    assert found["factorylab_fleet_ack_latency_seconds_bucket", "0.005"] == 1


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    for_: str = msgspec.field(name="for", default="1s")


class Rules(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Rule]


class RuleFile(msgspec.Struct, forbid_unknown_fields=True):
    """What Prometheus reads of such a file."""

    groups: list[Rules]


def rules() -> list[Rule]:
    (group,) = msgspec.convert(yaml.safe_load((FOLDER / "rules.yml").read_text()), RuleFile).groups
    return group.rules


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return found


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [rule.expr for rule in rules()] + panels + [one["expr"] for one in dashboard()["annotations"]["list"]]


def selectors(expr: Any) -> Iterator[Any]:
    """Every selector of metrics in a parsed expression."""
    if isinstance(expr, promql_parser.VectorSelector):
        yield expr
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (inner := getattr(expr, name, None)) is not None:
            yield from selectors(inner)
    for inner in getattr(expr, "args", None) or []:
        yield from selectors(inner)


@pytest.mark.parametrize("text", dict.fromkeys(expressions()))
def test_rules_and_panels_ask_for_what_is_exposed(text: str) -> None:
    """Each expression is PromQL, and each metric and label in it is one that the endpoint has."""
    asked = list(selectors(promql_parser.parse(text)))
    assert asked
    for one in asked:
        lines = [line for line in exposed().splitlines() if line.startswith((f"{one.name}{{", f"{one.name} "))]
        assert lines, one.name
        assert all(f"{matcher.name}=" in lines[0] for matcher in one.matchers.matchers), text


def test_rules_say_what_is_wrong_in_words() -> None:
    """Each has a name of its own, a severity, and a sentence; its waiting time is one that Prometheus reads."""
    assert len({rule.alert for rule in rules()}) == len(rules()) > 5
    for rule in rules():
        assert rule.labels["severity"] in {"info", "warning", "critical"} and rule.annotations["summary"].endswith(".")
        assert promql_parser.parse_duration(rule.for_) is not None


def test_rules_are_asked_as_often_as_the_endpoint() -> None:
    """Prometheus' own interval, a minute, would be longer than what most rules wait for."""
    told = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["global"]
    assert told["evaluation_interval"] == told["scrape_interval"]
    shortest = min(promql_parser.parse_duration(rule.for_) for rule in rules() if rule.for_ != "1s")
    assert promql_parser.parse_duration(told["evaluation_interval"]) <= shortest


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """Panels have ids of their own, lie within 24 columns, cover no other, and ask the chosen data source."""
    found = dashboard()
    panels = found["panels"]
    assert found["schemaVersion"] >= 36 and found["uid"] == "factorylab" and found.get("id") is None
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} and panel["targets"]
        assert panel["type"] in {"timeseries", "stat", "state-timeline"}
        assert [target["refId"] for target in panel["targets"]] == list("ABC")[: len(panel["targets"])]
    assert found["templating"]["list"][0]["query"] == "prometheus"


def lost(given: Any, kept: Any, at: str = "") -> Iterator[str]:
    """Where a part of plain data is missing or another in what was kept of it."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            yield from lost(value, kept.get(name), f"{at}.{name}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{at}.{number}")
    elif given != kept:
        yield at


def kept_by_grafana(given: dict[str, Any]) -> Any:
    """What Grafana's own classes of dashboards, panels and queries, made from its schema, keep of a dashboard."""
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(given)))


def test_grafana_s_schema_has_each_field_of_the_dashboard() -> None:
    """Nothing is lost by it but the title of an annotation, which belongs to the data source; an unknown field is."""
    whole = dashboard()
    assert list(lost(whole, kept_by_grafana(whole))) == [".annotations.list.0.titleFormat"]
    whole["panels"][0]["options"]["grafMode"] = "area"
    assert ".panels.0.options.grafMode" in list(lost(whole, kept_by_grafana(whole)))
