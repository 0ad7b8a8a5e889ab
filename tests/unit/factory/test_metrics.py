"""What processes tell Prometheus."""

from __future__ import annotations

import socket

import pytest

from factorylab.core.errors import EnvironmentUnfit
from factorylab.factory import json_logs
from factorylab.factory.config import FleetConfig
from factorylab.factory.metrics import BOUNDS_S, Endpoint, FleetCounts, FleetMetrics, ProcessorCounts, ProcessorMetrics
from tests.support.scraped import scrape, value

UNITS = ("_total", "_seconds", "_records", "_partitions", "_bytes", "_fds")


def config(port: int | None) -> FleetConfig:
    return FleetConfig(bootstrap="nowhere:1", worker="f", metrics_port=port)


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def processor_metrics() -> ProcessorMetrics:
    metrics = ProcessorMetrics()
    metrics.seen = ProcessorCounts({"read": 7, "stored": 5, "errors": 1}, 2, {"too_slow": 1}, 3, {0: 4, 2: 0})
    return metrics


def fleet_metrics() -> FleetMetrics:
    return FleetMetrics(lambda: FleetCounts(20, 10, 3, {"_MSG_TIMED_OUT": 2, "shed": 5}))


def test_a_scrape_gives_what_the_process_counts(port: int) -> None:
    """Every count comes back under its name with its labels, and the port is free again after the end."""
    endpoint = Endpoint(config(port), json_logs.configure("f", "error"), processor_metrics(), fleet_metrics())
    found = scrape(f"http://127.0.0.1:{port}/metrics")
    endpoint.close()
    assert value(found, "processor_readings_read_total") == 7
    assert value(found, "processor_dead_letters_total") == 0
    assert value(found, "processor_rebalances_total") == 2
    assert value(found, "processor_lag_records", partition="0") == 4
    assert value(found, "fleet_readings_offered_total") == 20
    assert value(found, "fleet_errors_total", reason="shed") == 5
    assert found["process_cpu_seconds"].samples[0].value > 0
    with pytest.raises(OSError):
        scrape(f"http://127.0.0.1:{port}/metrics")


def test_latencies_are_cumulative_buckets(port: int) -> None:
    """A bucket counts what took at most its bound; gathered before and after a settling, nothing counts twice."""
    metrics = fleet_metrics()
    for took_s in (0.001, 0.003, None, 400.0):
        metrics.acked(took_s)
    metrics.settle()
    metrics.acked(0.003)
    endpoint = Endpoint(config(port), json_logs.configure("f", "error"), metrics)
    for _ in range(2):
        found = scrape(f"http://127.0.0.1:{port}/metrics")
        took = {bound: value(found, "fleet_ack_latency_seconds_bucket", le=str(bound)) for bound in (*BOUNDS_S, "+Inf")}
        assert [took[bound] for bound in (0.001, 0.0025, 0.005, 120.0, "+Inf")] == [1, 1, 3, 3, 4]
        assert value(found, "fleet_ack_latency_seconds_count") == 4
        assert value(found, "fleet_ack_latency_seconds_sum") == pytest.approx(400.007)
    endpoint.close()


def test_names_carry_units(port: int) -> None:
    """Each sample of ours says its unit, or _total, _bucket, _count or _sum of what has one."""
    endpoint = Endpoint(config(port), json_logs.configure("f", "error"), processor_metrics(), fleet_metrics())
    families = scrape(f"http://127.0.0.1:{port}/metrics")
    endpoint.close()
    ours = {name: family for name, family in families.items() if name.startswith("factorylab_")}
    assert len(ours) == 16
    assert all(family.type == "counter" or name.endswith(UNITS) for name, family in ours.items())


def test_a_port_that_is_taken_is_told(port: int) -> None:
    """Two processes cannot have one port: the second is told which, and the way out."""
    endpoint = Endpoint(config(port), json_logs.configure("f", "error"))
    with pytest.raises(
        EnvironmentUnfit, match=f"127.0.0.1:{port}: Address already in use; set FACTORYLAB_METRICS_PORT"
    ):
        Endpoint(config(port), json_logs.configure("g", "error"))
    endpoint.close()


def test_without_a_port_nothing_listens() -> None:
    """Metrics are off unless a port is given."""
    import threading

    before = threading.active_count()
    Endpoint(config(None), json_logs.configure("f", "error"), fleet_metrics()).close()
    assert threading.active_count() == before
