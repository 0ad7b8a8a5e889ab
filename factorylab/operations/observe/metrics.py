"""What an observation tells Prometheus, at http://127.0.0.1:PORT/metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from wsgiref.simple_server import WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, Metric, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from factorylab.core.errors import EnvironmentUnfit
from factorylab.operations.observe.summary import Summary

HOST = "127.0.0.1"


class ObservationMetrics(Collector):
    """Counts and levels as `look` gives them."""

    def __init__(self, look: Callable[[], Summary | None]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        seen = self._look()
        if seen is None:
            return
        canaries = CounterMetricFamily(
            "factorylab_observe_canaries", "Canaries by what became of them.", labels=["what"]
        )
        for what, count in msgspec.structs.asdict(seen.canaries).items():
            canaries.add_metric([what], count)
        yield canaries
        yield _gauge("observed_seconds", "Time that was observed.", seen.observed_s)
        yield _gauge(
            "not_observed_seconds", "Time in which the observer did not look.", seen.elapsed_s - seen.observed_s
        )
        yield _gauge(
            "objective_ratio", "The share of the time in which a service is to be available.", seen.plan.objective
        )
        yield from _levels(seen)
        yield from _latencies(seen)


def _levels(seen: Summary) -> Iterator[Metric]:
    labels = ["service", "partition"]
    available = _gauge("availability_ratio", "Service level: share of the observed time with service.", None, labels)
    out = CounterMetricFamily("factorylab_observe_outage_seconds", "Time without service.", labels=labels)
    count = CounterMetricFamily("factorylab_observe_outages", "Outages, those that go on included.", labels=labels)
    for level in seen.levels:
        if level.partition is None:
            continue
        who = [level.service, str(level.partition)]
        out.add_metric(who, level.out_s)
        count.add_metric(who, level.outages)
        if level.available is not None:
            available.add_metric(who, level.available)
    left = _gauge(
        "error_budget_left_ratio", "Share of the error budget that is left; below 0 it is spent.", None, ["service"]
    )
    for budget in seen.budgets:
        if budget.allowed_s > 0:
            left.add_metric([budget.service], 1 - budget.used_s / budget.allowed_s)
    yield from (available, out, count, left)


def _latencies(seen: Summary) -> Iterator[Metric]:
    found = _gauge("latency_seconds", "From the intended moment, all canaries so far.", None, ["service", "quantile"])
    for latency in seen.latencies:
        for quantile, value in (("0.5", latency.p50_s), ("0.99", latency.p99_s)):
            if value is not None:
                found.add_metric([latency.service, quantile], value)
    yield found


def _gauge(name: str, text: str, value: float | None, labels: list[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"factorylab_observe_{name}", text, value, labels)


class Endpoint:
    """Serves the metrics on loopback from a thread of its own; `close` gives the port back."""

    def __init__(self, port: int, look: Callable[[], Summary | None]) -> None:
        """`port` 0: any that is free.

        Raises:
            EnvironmentUnfit: the port cannot be had.
        """
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(ObservationMetrics(look))
        self._server: WSGIServer
        self._thread: Thread
        try:
            self._server, self._thread = start_http_server(port, HOST, registry)
        except OSError as error:
            raise EnvironmentUnfit(
                f"metrics cannot be served at {HOST}:{port}: {error.strerror}; choose another "
                "--metrics-port, or 0 for any that is free"
            ) from None
        self.url = f"http://{HOST}:{self._server.server_port}/metrics"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
